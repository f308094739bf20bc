//! The rules at work between two real clusters.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

mod config_maps;
mod custom;
mod endpoints;
mod events;
mod fields;
mod garbage;
mod gateway;
mod kinds;
mod namespaces;
mod nodes;
mod opt_in;
mod pod_life;
mod pods;
mod reconfigured;
mod replicated_services;
mod services;
mod shown;
mod storage;
mod world;

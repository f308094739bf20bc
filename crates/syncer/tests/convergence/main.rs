//! The rules at work between two real clusters.

mod config_maps;
mod endpoints;
mod events;
mod garbage;
mod nodes;
mod opt_in;
mod pods;
mod services;
mod storage;
mod world;

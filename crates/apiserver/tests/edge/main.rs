//! The HTTP edge over a whole cluster in the process.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

mod aggregation;
mod bad_input;
mod client;
mod cluster;
mod discovery;
mod golden;
mod list;
mod negotiation;
mod openapi;
mod protobuf;
mod quota;
mod serving;
mod tunnel;
mod watch;
mod webhooks;

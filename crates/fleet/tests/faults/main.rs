//! Bad input and faults, over real TLS connections to a fleet in this process: every refusal is the one that
//! upstream gives (or a clear one of ours), nothing is lost, nothing panics, other tenants notice nothing.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

mod bad_input;
mod client;
mod connections;
mod credentials;
mod faults;
mod flood;
mod isolation;
mod nonsense;

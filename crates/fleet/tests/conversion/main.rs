//! Custom resources whose versions a tenant's webhook converts.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a test that fails"
)]

mod api;
mod server;
mod verbs;
mod wrong;

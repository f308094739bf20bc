//! The in-memory multi-version store of a virtual cluster, and the `Journal` port below it with its contract
//! suite.
//!
//! The store is the watch cache; the journal is what makes it durable. Readers take the current root without
//! locks; a write is acknowledged, and becomes visible, only after the journal made it durable.

pub mod journal;

//! Who asks, and may they: authentication, authorisation, admission and reviews of one cluster, as ordered steps.
//!
//! Owns the decisions. Does not own HTTP (the edge hands over `RequestFacts`), objects (read through `Lookup`) or
//! the lifecycle of a write (`registry`).

mod access;
mod facts;
mod lookup;

pub use access::Access;
pub use facts::{ClientIdentity, Impersonation, RequestFacts};
pub use lookup::Lookup;
pub use warren_rbac::Attributes;

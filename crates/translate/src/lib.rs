//! Virtual to host and back: names, labels and references, invertible.
//!
//! The only place where a name or a reference crosses between the two sides. Pure: a function of a tenant and
//! an object.

mod identity;
mod label;
mod name;
mod namespaces;
pub mod policy;
mod side;
mod tenant;

pub use identity::{Identity, OBJECT_KIND, OBJECT_NAME, OBJECT_NAMESPACE, OBJECT_UID, Ownership};
pub use label::{MANAGED_BY, NAMESPACE, namespace_label};
pub use name::{HOST_NAME_MAX, NameForm};
pub use side::{Host, Virtual};
pub use tenant::Tenant;

//! The vocabulary of the Kubernetes API: objects, kinds, names, labels, selectors, quantities,
//! revisions and `Status`.
//!
//! Owns the words that every other crate speaks. Does not own I/O, clocks or any state, but the texts
//! that many objects share (`body`).

pub mod address;
pub mod base64;
mod body;
pub mod cron;
pub mod decode;
pub mod field;
pub mod label;
pub mod name;
pub mod object;
pub mod quantity;
pub mod re2;
pub mod regexp;
pub mod resource;
pub mod revision;
pub mod selector;
pub mod status;
pub mod time;
pub mod user;
pub mod value;

pub use decode::{DecodeError, Decoded, decode_json, decode_yaml};
pub use object::{ClusterId, Draft, Meta, Object, ObjectKey, OwnerReference};
pub use quantity::{Quantity, QuantityError};
pub use resource::{GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource, Resource};
pub use revision::Revision;
pub use selector::{FieldSelector, LabelSelector, SelectorError};
pub use serde_json::Value;
pub use status::{Status, StatusReason};
pub use user::UserInfo;
pub use value::ValueExt;

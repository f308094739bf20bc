//! Server-side apply and field ownership: who owns which field of an object (`metadata.managedFields`), after
//! structured-merge-diff's rules.
//!
//! Not here: when ownership is tracked (before mutating admission, and again after it), which fields a kind
//! resets, conversion between versions.

mod apply;
mod blank;
mod compare;
mod configuration;
mod conflict;
mod element;
mod fields;
#[cfg(test)]
mod golden;
mod last_applied;
mod merge;
mod owners;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod update;
mod validate;
mod versions;

pub use apply::apply;
pub use compare::{Comparison, ListError, compare};
pub use configuration::merge_configuration;
pub use conflict::{ApplyError, Conflict};
pub use element::{ElementError, PathElement};
pub use set::FieldSet;
pub use update::{keep_times, update};

pub use validate::{go_type, plain};

pub(crate) use shape::Shape;

use std::sync::Arc;

use serde_json::Value;
use warren_schema::Schema;

/// The two objects of a write as another version of their kind has them, with its schema; `None` where there is
/// no such version, so that what is owned in it is owned no more.
pub type InVersion<'a> = dyn Fn(&str, &Value, &Value) -> Option<(Arc<Schema>, [Value; 2])> + 'a;

/// What a write other than apply did to an object.
pub struct OwnershipUpdate<'a> {
    /// The schema of the object.
    pub schema: &'a Schema,
    /// The object before the write; `None` for a create.
    pub before: Option<&'a Value>,
    /// The object after the write. Its `metadata.managedFields` is what the client sent, and becomes what is
    /// to be stored.
    pub after: &'a mut Value,
    /// The field manager: `fieldManager` of the request, or the user agent up to its first `/`. Empty stands
    /// for `unknown`.
    pub manager: &'a str,
    /// The version in which the write was made, such as `apps/v1`.
    pub api_version: &'a str,
    /// `status`, `scale`, …; empty for the resource itself.
    pub subresource: &'a str,
    /// The time of the write, RFC 3339 in UTC to the second.
    pub now: &'a str,
    /// The paths that this endpoint does not let clients set, such as `["status"]`: nobody owns them by it.
    pub reset: &'a [&'a [&'a str]],
    /// How managers of other versions see the write.
    pub in_version: &'a InVersion<'a>,
}

/// An apply request.
pub struct Apply<'a> {
    /// The schema of the object.
    pub schema: &'a Schema,
    /// The stored object; `None` where apply creates it.
    pub live: Option<&'a Value>,
    /// What the client applies.
    pub configuration: &'a Value,
    /// The field manager of the request.
    pub manager: &'a str,
    /// The version in which the write is made, such as `apps/v1`; the configuration must be of it.
    pub api_version: &'a str,
    /// The kind that the configuration must be of, such as `Deployment`.
    pub kind: &'a str,
    /// `status`, `scale`, …; empty for the resource itself.
    pub subresource: &'a str,
    /// Takes fields over instead of refusing.
    pub force: bool,
    /// The time of the write, RFC 3339 in UTC to the second.
    pub now: &'a str,
    /// As in [`OwnershipUpdate`].
    pub reset: &'a [&'a [&'a str]],
    /// As in [`OwnershipUpdate`].
    pub in_version: &'a InVersion<'a>,
}

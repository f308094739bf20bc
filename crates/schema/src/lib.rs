//! Structural schemas of kinds: default, prune, validate, publish as OpenAPI.
//!
//! Built-in kinds (`builtin`) and custom resources (`custom`) are described by the same [`Schema`]. What a
//! schema cannot say (defaults that depend on other fields, validation functions, table columns) is the
//! strategy's of the kind; the rules of custom
//! resources (`x-kubernetes-validations`) are evaluated by `resources`.

pub mod builtin;
pub mod check;
mod compile;
pub mod custom;
mod default;
mod list_types;
pub mod model;
pub mod openapi;
mod prune;
pub mod rules;
mod source;
mod validate;

pub use builtin::{builtin, definition_for};
pub use check::{Checked, Decoder, strict_error, yaml_error};
pub use custom::{from_json_schema, from_json_schema_at, pattern_fault, value_schema};
pub use model::{ListType, MapType, PatchStrategy, Ref, Schema, Type};
pub use source::{Source, sweep};
pub use validate::formats::is_checked as is_checked_format;
pub use validate::kept::Kept;

//! Structural schemas of kinds: default, prune, validate, publish as OpenAPI.

pub mod model;
pub mod rules;

pub use model::{ListType, MapType, PatchStrategy, Ref, Schema, Type};

//! The Common Expression Language, typed and costed as Kubernetes 1.36 does: text in ([`Program::compile`]),
//! values of JSON in ([`Bindings`]), a value out ([`Program::evaluate`]).
//!
//! Pure: no I/O, no clock (time zones by name are read by `jiff` from the machine's database). Bounded: the
//! length of the source, the height of its tree, the memory of regular expressions, the cost of an evaluation.
//! What expressions are for (rules of custom resources, admission policies, patches) is their users'.

mod admission;
mod bindings;
mod cache;
mod check;
mod declared;
mod device;
mod environment;
mod escape;
mod estimate;
mod evaluate;
mod library;
mod plan;
mod program;
#[cfg(test)]
mod recorded;
mod shared;
mod syntax;
mod typing;
mod value;

pub use admission::{
    AdmissionVariables, Typed, admission_environment, admission_namespace, admission_program,
    admission_request, apply_configuration_type, json_patch_type, mutation_environment, typed_environment,
};
pub use bindings::Bindings;
pub use cache::Cache;
pub use declared::{Declared, Field, Identity, Kind, MAX_REQUEST_BYTES, Object};
pub use device::{SelectorError, check_selector};
pub use environment::Environment;
pub use escape::{escape, is_reserved};
pub use estimate::Estimate;
pub use library::{Attributes, Authorizer, Decision, Library};
pub use program::{CALL_LIMIT, CompileError, EvaluationError, Expression, Outcome, Program};
pub use shared::Shared;
pub use typing::Type;
pub use value::{Fields, FieldsRef, Instant, Text, Value};

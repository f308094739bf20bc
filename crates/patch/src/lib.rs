//! Changes to dynamic objects: JSON patch, merge patch, strategic merge patch, and server-side apply with
//! field ownership. Pure: objects, patches, a schema and the time come in, an object or an error goes out.
//!
//! Not here: which patch type a request carries, decoding of bodies, and what happens to the object afterwards
//! (defaulting, admission, validation, storage).

mod error;
mod json;
pub mod managed;
mod merge;
#[cfg(test)]
mod properties;
mod strategic;
#[cfg(test)]
mod testing;

pub use error::PatchError;
pub use json::{MAX_OPERATIONS, json_patch, json_patch_form};
pub use managed::plain as go_text;
pub use managed::{
    Apply, ApplyError, Conflict, FieldSet, OwnershipUpdate, apply, merge_configuration, update,
};
pub use merge::merge_patch;
pub use strategic::strategic_merge;

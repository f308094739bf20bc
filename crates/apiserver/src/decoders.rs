//! What reads bytes of strangers below the level of a request: its own door, for the fuzz targets and for those who
//! measure it. A request passes them all by itself.

use serde_json::Value;

use crate::accept::{self, Offer};
use crate::pages::Continue;
use crate::path;
use crate::protobuf;

/// Reads an object in Kubernetes' protobuf; `None` when it is malformed or of no built-in kind.
pub fn from_protobuf(bytes: &[u8]) -> Option<Value> {
    protobuf::decode(bytes).ok()
}

/// Writes an object of a built-in kind in Kubernetes' protobuf; `None` when it has no form in it.
pub fn to_protobuf(json: &[u8]) -> Option<Vec<u8>> {
    protobuf::object(json)
}

/// Reads a continue token: whether it is one.
pub fn continue_token(text: &str) -> bool {
    Continue::decode(text).is_ok()
}

/// Reads a request's path: what it is about, for people.
pub fn request_path(text: &str) -> String {
    format!("{:?}", path::parse(text))
}

/// Reads an `Accept` header: whether an object of a built-in kind can be answered.
pub fn accept_header(text: &str) -> bool {
    accept::object(Some(text), false, Offer::Builtin).is_ok()
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_protobuf_is_refused_or_reads_back_the_same(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let enveloped = [&b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12"[..], &[200], &content].concat();
            for bytes in [&content, &enveloped] {
                let Some(value) = from_protobuf(bytes) else { continue };
                if let Some(written) = to_protobuf(value.to_string().as_bytes()) {
                    prop_assert!(from_protobuf(&written).is_some());
                }
            }
        }

        #[test]
        fn any_json_is_written_in_protobuf_or_refused(spec in "[\\[\\]{}:,\"a-c0-9.eE+-]{0,60}") {
            let _ = to_protobuf(spec.as_bytes());
            let pod = format!(r#"{{"apiVersion":"v1","kind":"Pod","spec":{spec}}}"#);
            let _ = to_protobuf(pod.as_bytes());
        }

        #[test]
        fn any_text_is_a_path_a_header_and_a_token_or_none(text in "\\PC{0,80}", media in "[a-z*/;=,q.0-9 ]{0,80}") {
            let _ = request_path(&text);
            let _ = (accept_header(&text), accept_header(&media));
            let _ = (continue_token(&text), continue_token(&media));
        }
    }
}

//! Frames that many watchers get: made once where making them costs more than copying, which is so for protobuf, for
//! metadata alone and for versions that are not the stored one.
//!
//! **Bound.** The last [`KEPT`] frames of the process, none above [`LARGEST`] bytes. An object's frames are found by the
//! object itself, so that they are never those of another.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use smol_str::SmolStr;
use warren_apimachinery::Object;

use crate::accept::{Encoding, Shape};

/// How many frames are kept.
const KEPT: usize = 128;
/// The largest frame that is kept.
const LARGEST: usize = 32 * 1024;

/// What the watchers that share frames agreed on alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) api_version: SmolStr,
    pub(super) shape: Shape,
    pub(super) encoding: Encoding,
}

/// See the module. One for all clusters of a process.
#[derive(Debug, Default)]
pub(crate) struct SharedFrames(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    object: Weak<Object>,
    kind: &'static str,
    form: Form,
    frame: Bytes,
}

impl SharedFrames {
    /// The frame of an event of this kind, in this form; made if nobody has it yet.
    pub(super) fn frame(
        &self,
        object: &Arc<Object>,
        kind: &'static str,
        form: &Form,
        make: impl FnOnce() -> Bytes,
    ) -> Bytes {
        let is_it = |kept: &&Kept| {
            std::ptr::eq(kept.object.as_ptr(), Arc::as_ptr(object)) && kept.kind == kind && kept.form == *form
        };
        {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What is asked for is mostly what came last.
            if let Some(found) = kept.iter().rev().find(is_it) {
                return found.frame.clone();
            }
        }
        let frame = make();
        if frame.len() <= LARGEST {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT {
                kept.pop_front();
            }
            kept.push_back(Kept {
                object: Arc::downgrade(object),
                kind,
                form: form.clone(),
                frame: frame.clone(),
            });
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(api_version: &str) -> Form {
        Form {
            api_version: api_version.into(),
            shape: Shape::Whole,
            encoding: Encoding::Json,
        }
    }

    #[test]
    fn a_frame_is_made_once_for_each_object_kind_and_form() {
        let shared = SharedFrames::default();
        let object = |name: &str| Arc::new(Object::from_value(&json!({"metadata": {"name": name}})));
        let (a, b) = (object("a"), object("b"));
        let mut made = Vec::new();
        for (object, kind, form) in [
            (&a, "ADDED", form("v1")),
            (&a, "ADDED", form("v1")),
            (&a, "MODIFIED", form("v1")),
            (&a, "ADDED", form("v2")),
            (&b, "ADDED", form("v1")),
            (&a, "ADDED", form("v1")),
        ] {
            let number = made.len();
            let frame = shared.frame(object, kind, &form, || {
                made.push(number);
                Bytes::from(number.to_string())
            });
            assert!(made.iter().any(|number| frame == number.to_string()));
        }
        assert_eq!(made.len(), 4);
    }

    #[test]
    fn old_frames_make_room() {
        let shared = SharedFrames::default();
        for _ in 0..=KEPT {
            let object = Arc::new(Object::from_value(&json!({"metadata": {"name": "a"}})));
            shared.frame(&object, "ADDED", &form("v1"), || Bytes::from_static(b"x"));
        }
        assert_eq!(shared.0.lock().unwrap().len(), KEPT);
    }
}

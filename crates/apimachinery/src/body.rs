//! The JSON of an object as it is kept: one text; or, of a definition of custom resources, its `spec` apart from the rest, once
//! for all objects of the process that have the same. Tenants install the same definitions, of 90 KB on average.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

/// What the JSON of a definition begins with.
const DEFINITION: &[u8] = br#"{"kind":"CustomResourceDefinition","#;
/// A shorter `spec` is not worth its entry.
const WORTH_SHARING: usize = 1024;

/// Every shared `spec` that an object holds, by the hash of its text; it leaves when the last of them goes.
static KEPT: LazyLock<Mutex<HashMap<u64, Weak<Spec>>>> = LazyLock::new(Mutex::default);

fn kept() -> MutexGuard<'static, HashMap<u64, Weak<Spec>>> {
    // Entries are inserted whole.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    Parted(Box<Parted>),
}

/// A text and what belongs into it at `at`.
#[derive(Clone, Debug)]
pub(crate) struct Parted {
    own: Bytes,
    at: usize,
    spec: Arc<Spec>,
}

/// The text of a `spec`.
#[derive(Debug)]
struct Spec {
    hash: u64,
    text: Box<[u8]>,
}

impl Spec {
    /// The one that is kept already, or a new one; `None` where another text has the same hash.
    fn shared(text: &[u8]) -> Option<Arc<Self>> {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        // Let go after the lock, which the end of the last holder takes too.
        let known = kept().get(&hash).and_then(Weak::upgrade);
        if let Some(known) = known {
            return (*known.text == *text).then_some(known);
        }
        let made = Arc::new(Self {
            hash,
            text: text.into(),
        });
        kept().insert(hash, Arc::downgrade(&made));
        Some(made)
    }
}

impl Drop for Spec {
    fn drop(&mut self) {
        let mut kept = kept();
        // Another may have taken the place meanwhile.
        if kept.get(&self.hash).is_some_and(|held| held.strong_count() == 0) {
            kept.remove(&self.hash);
        }
    }
}

impl Body {
    /// Takes the complete JSON of an object.
    pub(crate) fn of(json: Bytes) -> Self {
        let shared = |json: &Bytes| {
            let spec = member(json, b"spec").filter(|spec| spec.len() >= WORTH_SHARING)?;
            let own = [json.get(..spec.start)?, json.get(spec.end..)?].concat();
            Some(Parted {
                own: own.into(),
                at: spec.start,
                spec: Spec::shared(json.get(spec)?)?,
            })
        };
        match json.starts_with(DEFINITION).then(|| shared(&json)).flatten() {
            Some(parted) => Self::Parted(Box::new(parted)),
            None => Self::Whole(json),
        }
    }

    /// The complete JSON: a reference, or put together anew.
    pub(crate) fn json(&self) -> Bytes {
        match self {
            Self::Whole(json) => json.clone(),
            Self::Parted(parted) => {
                let (before, after) = parted.own.split_at(parted.at);
                Bytes::from([before, &parted.spec.text, after].concat())
            }
        }
    }

    /// The JSON of a field at the top.
    pub(crate) fn field(&self, name: &str) -> Option<Bytes> {
        let json = match self {
            Self::Parted(parted) if name == "spec" => return Some(Bytes::copy_from_slice(&parted.spec.text)),
            // Nothing stands where the spec would, which is read as an empty value.
            Self::Parted(parted) => &parted.own,
            Self::Whole(json) => json,
        };
        Some(json.slice(member(json, name.as_bytes())?))
    }

    /// The length of the complete JSON.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(json) => json.len(),
            Self::Parted(parted) => parted.own.len() + parted.spec.text.len(),
        }
    }

    /// Whether both hold one and the same `spec` in memory.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Parted(mine), Self::Parted(theirs)) => Arc::ptr_eq(&mine.spec, &theirs.spec),
            _ => false,
        }
    }
}

/// Where the value of a member of an object stands in its JSON, which has no white space between tokens.
fn member(json: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let mut at = 1;
    loop {
        let key = at..text_end(json, at)?;
        let value = key.end + 1..value_end(json, key.end + 1)?;
        if json.get(key.start + 1..key.end - 1)? == name {
            return Some(value);
        }
        if json.get(value.end)? != &b',' {
            return None;
        }
        at = value.end + 1;
    }
}

/// Behind the text whose quote stands at `at`.
fn text_end(json: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match json.get(end)? {
            b'"' => return Some(end + 1),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

/// Behind the value that begins at `at`.
fn value_end(json: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    let mut depth = 0_usize;
    loop {
        match json.get(end)? {
            b'"' => {
                end = text_end(json, end)?;
                if depth == 0 {
                    return Some(end);
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(end),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(end + 1);
                }
            }
            b',' if depth == 0 => return Some(end),
            _ => {}
        }
        end += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::object::to_json;

    fn definition(name: &str, description: &str) -> Value {
        json!({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": {"name": name},
            "spec": {"group": "}\"", "note": description.repeat(WORTH_SHARING)}, "status": {"x": [1, {"spec": 2}]}})
    }

    fn body(value: &Value) -> Body {
        Body::of(to_json(value).into())
    }

    #[test]
    fn equal_specs_of_definitions_are_kept_once_and_read_back_as_they_were() {
        let (one, other) = (definition("a", "equal"), definition("b", "equal"));
        let bodies = [&one, &other].map(body);
        assert!(bodies[0].shares(&bodies[1]));
        for (body, value) in bodies.iter().zip([&one, &other]) {
            assert_eq!(body.json(), to_json(value));
            assert_eq!(body.len(), body.json().len());
            for field in ["kind", "metadata", "spec", "status"] {
                let read: Value = serde_json::from_slice(&body.field(field).unwrap()).unwrap();
                assert_eq!(read, value[field]);
            }
            assert!(body.field("other").is_none());
        }
        assert!(!bodies[0].shares(&body(&definition("a", "other"))));
    }

    #[test]
    fn a_spec_goes_with_its_last_holder() {
        let value = definition("a", "going");
        let held = body(&value);
        let Body::Parted(parted) = &held else {
            panic!("not shared")
        };
        let hash = parted.spec.hash;
        let second = held.clone();
        drop(held);
        assert!(kept().contains_key(&hash));
        drop(second);
        assert!(!kept().contains_key(&hash));
    }

    #[test]
    fn other_kinds_and_small_definitions_stay_whole() {
        let mut pod = definition("a", "equal");
        pod["kind"] = json!("Pod");
        let small = json!({"kind": "CustomResourceDefinition", "metadata": {}, "spec": {}});
        for value in [pod, small, json!({})] {
            assert!(matches!(body(&value), Body::Whole(_)), "{value}");
        }
    }

    #[test]
    fn members_are_found_behind_values_of_every_kind() {
        let check = |json: &str, expect: Option<&str>| {
            let found = member(json.as_bytes(), b"spec").map(|range| &json[range]);
            assert_eq!(found, expect, "{json}");
        };
        check(
            r#"{"a":"\"spec\":1","b":[{"spec":2}],"c":-1.5,"d":null,"spec":{"e":"}"},"f":1}"#,
            Some(r#"{"e":"}"}"#),
        );
        check(r#"{"spec":"x\\"}"#, Some(r#""x\\""#));
        check(r#"{"spec":12}"#, Some("12"));
        check(r#"{"a":{}}"#, None);
        check("{}", None);
        check(r#"{"a":"#, None);
    }
}

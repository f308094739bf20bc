//! The base of three-way rules: what was last carried to a host object, kept in one of its annotations as a hash per
//! part. A part is written again only when the *virtual* side changed it, so what a webhook of the host made of it
//! stays.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_translate::{MANAGED_BY, NAMESPACE, OBJECT_KIND, OBJECT_NAME, OBJECT_NAMESPACE, OBJECT_UID};

/// The annotation of host objects.
pub(crate) const APPLIED: &str = "warren.dev/applied";

/// What the virtual side wants of every part that can change after creation: a path of ours and a value.
pub(crate) type Parts = BTreeMap<String, Value>;

/// The hashes that were carried over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied(BTreeMap<String, String>);

impl Applied {
    /// The base that `parts` make.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self(
            parts
                .iter()
                .map(|(path, value)| (path.clone(), hash(value)))
                .collect(),
        )
    }

    /// Reads the base of a host object; one that is damaged reads as empty, so everything is carried over again.
    pub(crate) fn read(host: &Value) -> Self {
        let text = host
            .at("/metadata/annotations")
            .field(APPLIED)
            .as_str()
            .unwrap_or_default();
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// As the annotation holds it.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Whether `value` is what was last carried to `path`.
    pub(crate) fn has(&self, path: &str, value: &Value) -> bool {
        self.0.get(path).is_some_and(|known| *known == hash(value))
    }

    /// Whether anything was ever carried to `path`.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The paths below `prefix` that were carried over and are not in `parts` any more.
    pub(crate) fn dropped<'a>(&'a self, prefix: &'a str, parts: &'a Parts) -> impl Iterator<Item = &'a str> {
        let gone = self.0.keys().filter(|path| !parts.contains_key(*path));
        gone.filter_map(move |path| path.strip_prefix(prefix))
    }
}

/// FNV-1a, 32 bits: it only has to tell a part from its former self.
fn hash(value: &Value) -> String {
    let text = value.to_string();
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:x}")
}

/// The labels and annotations of desired metadata as parts.
pub(crate) fn metadata_parts(metadata: &Value, parts: &mut Parts) {
    for (prefix, field) in [(LABEL, "labels"), (ANNOTATION, "annotations")] {
        let entries = metadata.field(field).as_object().into_iter().flatten();
        for (key, value) in entries.filter(|(key, _)| !MARKS.contains(&key.as_str())) {
            parts.insert(format!("{prefix}{key}"), value.clone());
        }
    }
}

/// The path of a label.
pub(crate) fn label_part(key: &str) -> String {
    format!("{LABEL}{key}")
}

/// What never changes in the life of a host object.
const MARKS: &[&str] = &[
    MANAGED_BY,
    NAMESPACE,
    OBJECT_KIND,
    OBJECT_NAMESPACE,
    OBJECT_NAME,
    OBJECT_UID,
    APPLIED,
];
const LABEL: &str = "l/";
const ANNOTATION: &str = "a/";

/// The merge patch of `metadata` that carries changed labels and annotations to a host object, `null` when there are
/// none. What others put on the host object stays.
pub(crate) fn metadata_patch(host: &Value, base: &Applied, parts: &Parts) -> Value {
    let mut patch = Value::Null;
    for (prefix, field) in [(LABEL, "labels"), (ANNOTATION, "annotations")] {
        let there = host.at("/metadata").field(field);
        for (path, value) in parts {
            let Some(key) = path.strip_prefix(prefix) else {
                continue;
            };
            if !base.has(path, value) && there.field(key) != value {
                put(&mut patch, field, key, value.clone());
            }
        }
        for key in base
            .dropped(prefix, parts)
            .filter(|key| !there.field(key).is_null())
        {
            put(&mut patch, field, key, Value::Null);
        }
    }
    patch
}

fn put(patch: &mut Value, field: &str, key: &str, value: Value) {
    if let Some(map) = patch.object_at(&format!("/{field}")) {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_tenant_changed_is_carried_over() {
        let mut before = Parts::new();
        let old = json!({"labels": {"app": "web", "gone": "x", "same": "s"}});
        metadata_parts(&old, &mut before);
        let base = Applied::of(&before);
        let mut parts = Parts::new();
        metadata_parts(
            &json!({"labels": {"app": "web2", "same": "s"}, "annotations": {"n": "1"}}),
            &mut parts,
        );
        let host =
            json!({"metadata": {"labels": {"app": "web", "gone": "x", "same": "by-webhook", "theirs": "t"}}});
        assert_eq!(
            metadata_patch(&host, &base, &parts),
            json!({"labels": {"app": "web2", "gone": null}, "annotations": {"n": "1"}}),
        );
        assert_eq!(metadata_patch(&host, &Applied::of(&parts), &parts), Value::Null);
    }

    #[test]
    fn a_base_reads_back_and_a_damaged_one_reads_as_empty() {
        let base = Applied::of(&Parts::from([("l/a".to_owned(), json!("b"))]));
        let host = json!({"metadata": {"annotations": {APPLIED: base.to_text()}}});
        assert_eq!(Applied::read(&host), base);
        let host = json!({"metadata": {"annotations": {APPLIED: "{"}}});
        assert_eq!(Applied::read(&host), Applied::default());
    }
}

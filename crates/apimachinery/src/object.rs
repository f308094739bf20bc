//! An object as a store keeps it: its JSON bytes and a small index beside them.
//!
//! Readers hand out the bytes and never serialise again; only a write parses.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smol_str::SmolStr;

use crate::body::Body;
use crate::revision::Revision;
use crate::value::ValueExt;

/// The name of one virtual cluster (or of the host) inside this process: opaque, unique in a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub SmolStr);

impl ClusterId {
    /// Wraps a name.
    pub fn new(name: impl Into<SmolStr>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Namespace and name of an object of a known resource. The namespace is empty for cluster-scoped kinds.
///
/// Ordered by namespace, then name, as etcd orders upstream's keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The namespace, or empty.
    pub namespace: SmolStr,
    /// The name.
    pub name: SmolStr,
}

impl ObjectKey {
    /// A key in a namespace.
    pub fn namespaced(namespace: impl Into<SmolStr>, name: impl Into<SmolStr>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// A key of a cluster-scoped kind.
    pub fn cluster(name: impl Into<SmolStr>) -> Self {
        Self {
            namespace: SmolStr::default(),
            name: name.into(),
        }
    }
}

/// `namespace/name`, or `name`.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerReference {
    /// The owner's `apiVersion`.
    pub api_version: SmolStr,
    /// The owner's kind.
    pub kind: SmolStr,
    /// The owner's name, in the same namespace or cluster-scoped.
    pub name: SmolStr,
    /// The owner's uid.
    pub uid: SmolStr,
    /// Whether the owner is the managing controller.
    pub controller: bool,
    /// Whether foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

/// The index of an object: what is looked at without parsing its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// `metadata.namespace`, or empty.
    pub namespace: SmolStr,
    /// `metadata.name`.
    pub name: SmolStr,
    /// `metadata.uid`.
    pub uid: SmolStr,
    /// `metadata.resourceVersion`.
    pub revision: Revision,
    /// `metadata.labels`, sorted by key.
    pub labels: Box<[(SmolStr, SmolStr)]>,
    /// `metadata.ownerReferences`.
    pub owners: Box<[OwnerReference]>,
    /// `metadata.finalizers`.
    pub finalizers: Box<[SmolStr]>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// The kind's selectable fields beyond `metadata.name` and `metadata.namespace`, such as
    /// `spec.nodeName`: path and value. The kind's strategy says which.
    pub fields: Box<[(SmolStr, SmolStr)]>,
}

impl Meta {
    /// Reads the index out of a parsed object; `fields` stays empty, `revision` is read when present.
    pub fn of(value: &Value) -> Meta {
        let metadata = value.field("metadata");
        let text = |v: &Value| SmolStr::new(v.as_str().unwrap_or_default());
        let mut labels: Vec<_> = metadata
            .field("labels")
            .as_object()
            .map(|map| map.iter().map(|(k, v)| (SmolStr::new(k), text(v))).collect())
            .unwrap_or_default();
        labels.sort_unstable();
        Meta {
            namespace: text(metadata.field("namespace")),
            name: text(metadata.field("name")),
            uid: text(metadata.field("uid")),
            revision: metadata
                .field("resourceVersion")
                .as_str()
                .and_then(Revision::parse)
                .unwrap_or_default(),
            labels: labels.into_boxed_slice(),
            owners: metadata
                .field("ownerReferences")
                .as_array()
                .map(|owners| owners.iter().map(owner).collect())
                .unwrap_or_default(),
            finalizers: metadata
                .field("finalizers")
                .as_array()
                .map(|all| all.iter().map(text).collect())
                .unwrap_or_default(),
            deleting: metadata.field("deletionTimestamp").is_string(),
            fields: Box::default(),
        }
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .binary_search_by(|(k, _)| k.as_str().cmp(key))
            .ok()
            .and_then(|at| self.labels.get(at))
            .map(|(_, v)| v.as_str())
    }

    /// The owner that has `controller: true`.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owners.iter().find(|owner| owner.controller)
    }

    /// The value of a selectable field, `metadata.name` and `metadata.namespace` included.
    pub fn field(&self, path: &str) -> Option<&str> {
        match path {
            "metadata.name" => Some(&self.name),
            "metadata.namespace" => Some(&self.namespace),
            _ => self
                .fields
                .iter()
                .find(|(p, _)| p == path)
                .map(|(_, v)| v.as_str()),
        }
    }
}

fn owner(value: &Value) -> OwnerReference {
    let text = |key: &str| SmolStr::new(value.field(key).as_str().unwrap_or_default());
    OwnerReference {
        api_version: text("apiVersion"),
        kind: text("kind"),
        name: text("name"),
        uid: text("uid"),
        controller: value.field("controller").as_bool().unwrap_or_default(),
        block_owner_deletion: value.field("blockOwnerDeletion").as_bool().unwrap_or_default(),
    }
}

/// An object that a store keeps: complete JSON bytes, `resourceVersion` included, and their index.
/// Immutable; shared by everyone who reads it.
#[derive(Clone, Debug)]
pub struct Object {
    body: Body,
    meta: Arc<Meta>,
}

impl Object {
    /// Takes bytes and an index that describe the same object.
    pub fn new(bytes: Bytes, meta: Meta) -> Self {
        Self {
            body: Body::of(bytes),
            meta: Arc::new(meta),
        }
    }

    /// Serialises a complete value (with its `resourceVersion`, if it has one).
    pub fn from_value(value: &Value) -> Self {
        Self::new(Bytes::from(to_json(value)), Meta::of(value))
    }

    /// The JSON, as clients receive it: a reference to what is kept, but of a large definition of custom resources,
    /// whose `spec` is kept once for all that have the same.
    pub fn bytes(&self) -> Bytes {
        self.body.json()
    }

    /// How many bytes [`Object::bytes`] has.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The JSON of a field at the top, such as `spec`; `None` where there is none.
    pub fn field(&self, name: &str) -> Option<Bytes> {
        self.body.field(name)
    }

    /// Whether both keep one `spec` in memory.
    pub fn shares_spec(&self, other: &Object) -> bool {
        self.body.shares(&other.body)
    }

    /// The index.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        self.meta.key()
    }

    /// Parses the whole object. A store only holds what parsed once, so this cannot fail in practice;
    /// damaged bytes read as `null`.
    pub fn to_value(&self) -> Value {
        serde_json::from_slice(&self.bytes()).unwrap_or_default()
    }

    /// Parses into a typed view, which may know fewer fields. For reading only.
    ///
    /// # Errors
    /// When a field that the view knows has another shape.
    pub fn view<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.bytes())
    }
}

/// An object that is about to be committed: serialised, but for the revision that the store will give it.
#[derive(Clone, Debug)]
pub struct Draft {
    json: Vec<u8>,
    splice_at: usize,
    meta: Meta,
}

/// The keys that every object has, in the order of upstream's JSON.
const FIRST: [&str; 3] = ["kind", "apiVersion", "metadata"];
const METADATA: &[u8] = b"\"metadata\":{";

impl Draft {
    /// Serialises `value` once; a `resourceVersion` in it is dropped. `fields` are the kind's selectable
    /// fields.
    ///
    /// `value` must have an object at `metadata`; without one the draft carries no revision.
    pub fn new(mut value: Value, fields: Box<[(SmolStr, SmolStr)]>) -> Self {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
        }
        let mut meta = Meta::of(&value);
        meta.fields = fields;
        let (json, splice_at) = serialise(&value);
        Self {
            json,
            splice_at,
            meta,
        }
    }

    /// The index, with revision 0.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The object at `revision`: the same bytes with `"resourceVersion":"…"` spliced into `metadata`.
    pub fn at(self, revision: Revision) -> Object {
        let Self {
            json,
            splice_at,
            mut meta,
        } = self;
        meta.revision = revision;
        if splice_at == 0 {
            return Object::new(Bytes::from(json), meta);
        }
        let (before, after) = json.split_at(splice_at);
        let comma = if after.first() == Some(&b'}') { "" } else { "," };
        let insert = format!("\"resourceVersion\":\"{revision}\"{comma}");
        let mut bytes = Vec::with_capacity(json.len() + insert.len());
        bytes.extend_from_slice(before);
        bytes.extend_from_slice(insert.as_bytes());
        bytes.extend_from_slice(after);
        Object::new(Bytes::from(bytes), meta)
    }
}

/// The JSON of an object as stores keep it and clients receive it: `kind`, `apiVersion` and `metadata` come first, as
/// upstream has them, so that a list can leave the first two out without parsing.
pub fn to_json(value: &Value) -> Vec<u8> {
    serialise(value).0
}

/// What the JSON of every object of a kind begins with.
pub fn json_prefix(kind: &str, api_version: &str) -> String {
    format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","#)
}

/// Writes the top level key by key, so that the place inside `metadata` is known and not searched for.
fn serialise(value: &Value) -> (Vec<u8>, usize) {
    let Value::Object(map) = value else {
        return (serde_json::to_vec(value).unwrap_or_default(), 0);
    };
    let mut json = Vec::with_capacity(1024);
    let mut splice_at = 0;
    json.push(b'{');
    let leading = FIRST.iter().filter_map(|key| map.get_key_value(*key));
    let others = map.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
    for (at, (key, field)) in leading.chain(others).enumerate() {
        if at > 0 {
            json.push(b',');
        }
        if key == "metadata" && field.is_object() {
            splice_at = json.len() + METADATA.len();
            json.extend_from_slice(b"\"metadata\":");
        } else {
            // Writing to a `Vec` cannot fail.
            let _ = serde_json::to_writer(&mut json, key);
            json.push(b':');
        }
        let _ = serde_json::to_writer(&mut json, field);
    }
    json.push(b'}');
    (json, splice_at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn draft_gets_its_revision_spliced_into_metadata() {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"metadata": "{"},
            "metadata": {"name": "a", "namespace": "b", "resourceVersion": "5", "labels": {"x": "y"}}});
        let object = Draft::new(value.clone(), Box::default()).at(Revision(42));
        let mut expected = value;
        expected["metadata"]["resourceVersion"] = json!("42");
        assert_eq!(object.to_value(), expected);
        assert_eq!(object.meta().revision, Revision(42));
        assert_eq!(object.meta().label("x"), Some("y"));
    }

    #[test]
    fn every_objects_json_begins_with_its_kind() {
        let value =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}, "metadata": {"name": "a"}});
        let object = Draft::new(value, Box::default()).at(Revision(7));
        let bytes = object.bytes();
        let text = str::from_utf8(&bytes).unwrap();
        assert!(text.starts_with(&json_prefix("ConfigMap", "v1")), "{text}");
        assert!(
            text.ends_with(r#""metadata":{"resourceVersion":"7","name":"a"},"data":{"a":"b"}}"#),
            "{text}"
        );
    }

    #[test]
    fn draft_with_empty_metadata_stays_valid_json() {
        let object = Draft::new(json!({"metadata": {}}), Box::default()).at(Revision(1));
        assert_eq!(object.to_value(), json!({"metadata": {"resourceVersion": "1"}}));
    }
}

//! From the JSON that a host sends to objects: the index is read, the bytes are kept as they came.
//!
//! Two things differ from what came: the kind, which a host leaves out of the items of a list, is put first, and
//! `managedFields`, which nobody here reads, are cut out, since they are often half of an object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use smol_str::SmolStr;
use warren_apimachinery::object::json_prefix;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::{Meta, Object, OwnerReference, Resource, Revision};

/// An answer or an item that is no object.
#[derive(Debug, thiserror::Error)]
#[error("an object of the host cannot be read")]
pub(super) struct Unreadable(#[source] serde_json::Error);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

/// The selectable fields of pods that our code asks for: `spec.nodeName` and `status.phase`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodFields {
    node_name: SmolStr,
    phase: SmolStr,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata<'a> {
    name: SmolStr,
    namespace: SmolStr,
    uid: SmolStr,
    resource_version: SmolStr,
    labels: Option<BTreeMap<SmolStr, SmolStr>>,
    owner_references: Option<Vec<Owner>>,
    finalizers: Option<Vec<SmolStr>>,
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(borrow)]
    managed_fields: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Owner {
    api_version: SmolStr,
    kind: SmolStr,
    name: SmolStr,
    uid: SmolStr,
    controller: Option<bool>,
    block_owner_deletion: Option<bool>,
}

impl Metadata<'_> {
    fn index(self, fields: Box<[(SmolStr, SmolStr)]>) -> Meta {
        let owners = self.owner_references.unwrap_or_default().into_iter();
        Meta {
            namespace: self.namespace,
            name: self.name,
            uid: self.uid,
            revision: Revision::parse(&self.resource_version).unwrap_or_default(),
            labels: self.labels.unwrap_or_default().into_iter().collect(),
            owners: owners.map(Owner::reference).collect(),
            finalizers: self.finalizers.unwrap_or_default().into_boxed_slice(),
            deleting: self.deletion_timestamp.is_some(),
            fields,
        }
    }
}

impl Owner {
    fn reference(self) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version,
            kind: self.kind,
            name: self.name,
            uid: self.uid,
            controller: self.controller.unwrap_or_default(),
            block_owner_deletion: self.block_owner_deletion.unwrap_or_default(),
        }
    }
}

/// Reads an object of `resource`. `None` where the JSON is of another kind, such as a `Status` or a `Scale`.
///
/// # Errors
/// `Unreadable` when it has not even metadata.
pub(super) fn read(resource: &Resource, json: &str) -> Result<Option<Object>, Unreadable> {
    let envelope: Envelope<'_> = serde_json::from_str(json).map_err(Unreadable)?;
    let names_kind = match envelope.kind.as_deref() {
        Some(kind) if !kind.is_empty() && kind != resource.kind => return Ok(None),
        Some(kind) => !kind.is_empty(),
        None => false,
    };
    let metadata: Metadata<'_> = serde_json::from_str(envelope.metadata.get()).map_err(Unreadable)?;
    let cut = metadata
        .managed_fields
        .and_then(|value| member(json, value.get(), "\"managedFields\""));
    let (before, after) = match cut {
        Some((from, to)) => (
            json.get(..from).unwrap_or_default(),
            json.get(to..).unwrap_or_default(),
        ),
        None => (json, ""),
    };
    let mut bytes = Vec::with_capacity(before.len() + after.len() + 48);
    if names_kind {
        bytes.extend_from_slice(before.as_bytes());
    } else {
        bytes.extend_from_slice(json_prefix(resource.kind, &resource.api_version()).as_bytes());
        let rest = before.trim_start().strip_prefix('{').unwrap_or(before);
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes.extend_from_slice(after.as_bytes());
    bytes.shrink_to_fit();
    let fields = fields(resource, &envelope);
    Ok(Some(Object::new(Bytes::from(bytes), metadata.index(fields))))
}

fn fields(resource: &Resource, envelope: &Envelope<'_>) -> Box<[(SmolStr, SmolStr)]> {
    if *resource != PODS {
        return Box::default();
    }
    let read = |part: Option<&RawValue>| -> PodFields {
        part.and_then(|part| serde_json::from_str(part.get()).ok())
            .unwrap_or_default()
    };
    let (spec, status) = (read(envelope.spec), read(envelope.status));
    Box::new([
        (SmolStr::new_static("spec.nodeName"), spec.node_name),
        (SmolStr::new_static("status.phase"), status.phase),
    ])
}

/// Where a member of an object stands in `json`, its key and one comma included: `value` is a part of `json`.
fn member(json: &str, value: &str, key: &str) -> Option<(usize, usize)> {
    let start = (value.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    let mut from = json.get(..start)?.rfind(key)?;
    let mut to = start + value.len();
    let rest = json.get(to..)?;
    let spaces = rest.len() - rest.trim_start().len();
    if rest.trim_start().starts_with(',') {
        to += spaces + 1;
    } else {
        let before = json.get(..from)?.trim_end();
        from = before.strip_suffix(',').unwrap_or(before).len();
    }
    Some((from, to))
}

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    #[serde(default)]
    metadata: ListMetadata,
    /// Each an object, mostly without its kind.
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMetadata {
    resource_version: SmolStr,
    r#continue: Option<String>,
}

impl<'a> Page<'a> {
    /// Reads a page.
    ///
    /// # Errors
    /// `Unreadable`.
    pub(super) fn read(json: &'a str) -> Result<Self, Unreadable> {
        serde_json::from_str(json).map_err(Unreadable)
    }

    /// The revision that the list is of, to watch from.
    pub(super) fn resource_version(&self) -> SmolStr {
        self.metadata.resource_version.clone()
    }

    /// What asks for the next page.
    pub(super) fn next(&self) -> Option<&str> {
        self.metadata
            .r#continue
            .as_deref()
            .filter(|token| !token.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::resource::{CONFIG_MAPS, PODS};

    use super::*;

    #[test]
    fn an_item_of_a_list_gets_its_kind_and_loses_its_managed_fields() {
        for metadata in [
            r#"{"name":"a","managedFields":[{"x":"]}"}],"namespace":"b"}"#,
            r#"{"managedFields":[{"x":1}],"name":"a","namespace":"b"}"#,
            r#"{"name":"a","namespace":"b" , "managedFields" : [ {"manager":"managedFields"} ] }"#,
            r#"{"name":"a","namespace":"b"}"#,
            r#"{"name":"a","namespace":"b","managedFields":null}"#,
        ] {
            let json = format!(r#"{{"metadata":{metadata},"data":{{"managedFields":"kept"}}}}"#);
            let object = read(&CONFIG_MAPS, &json).unwrap().unwrap();
            let mut value = object.to_value();
            // An explicit null is no field.
            value["metadata"]
                .as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
            let expected = json!({"kind": "ConfigMap", "apiVersion": "v1",
                "metadata": {"name": "a", "namespace": "b"}, "data": {"managedFields": "kept"}});
            assert_eq!(value, expected, "{json}");
        }
    }

    #[test]
    fn the_index_is_that_of_the_parsed_object() {
        let value = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {
            "name": "a", "namespace": "b", "uid": "u", "resourceVersion": "17", "labels": {"z": "1", "a": "2"},
            "finalizers": ["f"], "deletionTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "o", "controller": true}]}});
        let object = read(&CONFIG_MAPS, &value.to_string()).unwrap().unwrap();
        assert_eq!(*object.meta(), Meta::of(&value));
        assert_eq!(object.to_value(), value);
        let pod = r#"{"metadata":{"name":"a"},"spec":{"nodeName":"n"},"status":{"phase":"Running"}}"#;
        let meta = read(&PODS, pod).unwrap().unwrap().meta().clone();
        assert_eq!(
            (meta.field("spec.nodeName"), meta.field("status.phase")),
            (Some("n"), Some("Running"))
        );
    }

    #[test]
    fn what_is_of_another_kind_is_not_taken_for_the_object() {
        let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}"#;
        assert!(read(&PODS, status).unwrap().is_none());
        assert!(read(&PODS, "{").is_err());
        assert!(read(&PODS, r#"{"kind":"Pod"}"#).is_err());
    }

    #[test]
    fn a_page_tells_its_revision_and_the_next_one() {
        let page = Page::read(
            r#"{"kind":"PodList","metadata":{"resourceVersion":"9","continue":"abc"},"items":[{"metadata":{}}]}"#,
        )
        .unwrap();
        assert_eq!(
            (page.resource_version().as_str(), page.next()),
            ("9", Some("abc"))
        );
        assert_eq!(page.items.unwrap().len(), 1);
        let last = Page::read(r#"{"metadata":{"resourceVersion":"9","continue":""},"items":null}"#).unwrap();
        assert!(last.next().is_none() && last.items.is_none());
    }
}

//! Kubernetes' protobuf, to and from JSON: what typed Go clients speak for built-in kinds.
//!
//! Driven by a table of wire formats. Objects are kept as JSON and transcoded at the edge, field by field, in one pass.

use serde_json::Value;

mod decode;
mod encode;
mod field;
mod table;
mod type_meta;
mod wire;

pub(crate) use decode::{Refused, decode};
use type_meta::TypeMeta;

/// What stands before every message.
const MAGIC: &[u8] = b"k8s\0";

/// An object in its envelope, from its JSON; `None` when its kind has no form in protobuf or the JSON is not of it.
pub(crate) fn object(json: &[u8]) -> Option<Vec<u8>> {
    let kind = TypeMeta::of(json);
    let message = table::message_of(&kind.api_version, &kind.kind)?;
    let mut raw = Vec::with_capacity(json.len());
    encode::message(message, json, &mut raw).ok()?;
    Some(envelope(&kind.api_version, &kind.kind, &raw))
}

/// A list in its envelope, from the JSON of its metadata and of each item.
pub(crate) fn list<'a>(
    api_version: &str,
    kind: &str,
    metadata: &Value,
    items: impl Iterator<Item = &'a [u8]>,
) -> Option<Vec<u8>> {
    let message = table::TABLE.get(table::message_of(api_version, kind)?)?;
    let inner = |number| match message.field(number)?.kind {
        table::Kind::Message(inner) => Some(inner),
        _ => None,
    };
    let (metadata_message, item_message) = (inner(1)?, inner(2)?);
    let mut raw = Vec::new();
    encode::message(metadata_message, metadata.to_string().as_bytes(), &mut raw).ok()?;
    wire::enclose(&mut raw, 1, 0);
    for json in items {
        let start = raw.len();
        encode::message(item_message, json, &mut raw).ok()?;
        wire::enclose(&mut raw, 2, start);
    }
    Some(envelope(api_version, kind, &raw))
}

/// A watch's event with an enveloped object: its length, then the event without an envelope of its own.
pub(crate) fn frame(kind: &str, object: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(object.len() + kind.len() + 24);
    wire::put_bytes(&mut out, 1, kind.as_bytes());
    let start = out.len();
    wire::put_bytes(&mut out, 1, object);
    wire::enclose(&mut out, 2, start);
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    out.splice(0..0, length.to_be_bytes());
    out
}

/// `runtime.Unknown` behind the magic.
fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + api_version.len() + kind.len() + 32);
    out.extend_from_slice(MAGIC);
    let start = out.len();
    wire::put_bytes(&mut out, 1, api_version.as_bytes());
    wire::put_bytes(&mut out, 2, kind.as_bytes());
    wire::enclose(&mut out, 1, start);
    wire::put_bytes(&mut out, 2, raw);
    // No encoding and no media type of the content: it is protobuf as it is.
    wire::put_bytes(&mut out, 3, b"");
    wire::put_bytes(&mut out, 4, b"");
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sha2::{Digest, Sha256};

    use super::*;

    /// A field of bytes.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        out.extend_from_slice(content);
        out
    }

    fn sent(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), bytes(1, &meta), bytes(2, raw)].concat()
    }

    #[test]
    fn objects_are_read_with_maps_times_and_inlined_messages() {
        let time = vec![1 << 3, 0x80, 0xa3, 0xb5, 0xc9, 0x06];
        let entry = [bytes(1, b"k"), bytes(2, b"v")].concat();
        let metadata = [bytes(1, b"web"), bytes(8, &time), bytes(11, &entry)].concat();
        let volume = [bytes(1, b"data"), bytes(2, &bytes(2, b""))].concat();
        let spec = bytes(1, &volume);
        let pod = [bytes(1, &metadata), bytes(2, &spec)].concat();
        let value = decode(&sent("v1", "Pod", &pod)).unwrap();
        assert_eq!(value["metadata"]["name"], "web");
        assert_eq!(value["metadata"]["labels"], json!({"k": "v"}));
        assert_eq!(value["metadata"]["creationTimestamp"], "2025-12-01T08:27:44Z");
        assert_eq!(
            value["spec"]["volumes"],
            json!([{"name": "data", "emptyDir": {}}])
        );
        assert_eq!(
            (&value["apiVersion"], &value["kind"]),
            (&json!("v1"), &json!("Pod"))
        );
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let malformed = |bytes| match decode(bytes) {
            Err(Refused::Malformed(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(malformed(b"{}").contains("expected prefix"));
        assert_eq!(malformed(b""), "empty data");
        assert_eq!(malformed(MAGIC), "empty body");
        let mut cut = sent("v1", "Pod", &bytes(1, b"abc"));
        cut.pop();
        assert!(decode(&cut).is_err());
        let unknown = Refused::UnknownKind {
            api_version: "v9".to_owned(),
            kind: "Pod".to_owned(),
        };
        assert_eq!(decode(&sent("v9", "Pod", b"")), Err(unknown));
    }

    /// Upstream's objects with every field set, each with the digest of its bytes in protobuf.
    const FILLED: &str = include_str!("../tests/golden/protobuf.tsv");

    fn digest(bytes: &[u8]) -> String {
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn every_field_is_written_as_upstream_writes_it_and_reads_back() {
        for line in FILLED.lines() {
            let (expect, json) = line.split_once('\t').unwrap();
            let value: Value = serde_json::from_str(json).unwrap();
            let bytes = object(json.as_bytes()).unwrap();
            assert_eq!(
                digest(&bytes),
                expect,
                "{} {}",
                value["apiVersion"],
                value["kind"]
            );
            assert_eq!(decode(&bytes).unwrap(), value);
        }
    }

    #[test]
    fn what_an_object_leaves_out_is_written_as_gos_zeros() {
        let bytes =
            object(br#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","labels":null}}"#)
                .unwrap();
        let metadata = b"\x0a\x11\x0a\x01a\x12\0\x1a\0\"\0*\0\x32\0\x38\0\x42\0";
        let raw = [&metadata[..], b"\x12\0\x1a\x02\x0a\0"].concat();
        assert_eq!(bytes, envelope("v1", "Namespace", &raw));
        assert_eq!(object(br#"{"apiVersion":"example.com/v1","kind":"Thing"}"#), None);
        assert_eq!(object(br#"{"apiVersion":"v1","kind":"Pod","spec":"text"}"#), None);
    }

    #[test]
    fn the_schema_of_a_definition_comes_back_without_gos_zeros() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}},
            "b": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0.0}},
            "c": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "a"}, "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
        let bytes = object(definition.to_string().as_bytes()).unwrap();
        let value = decode(&bytes).unwrap();
        assert_eq!(value["spec"]["versions"][0]["schema"]["openAPIV3Schema"], schema);
    }

    #[test]
    fn lists_carry_items_without_their_kind() {
        let item =
            br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"b":"2","a":"1"}}"#;
        let metadata = json!({"resourceVersion": "7"});
        let bytes = list("v1", "ConfigMapList", &metadata, [&item[..]].into_iter()).unwrap();
        let value = decode(&bytes).unwrap();
        assert_eq!(value["kind"], "ConfigMapList");
        assert_eq!(value["metadata"]["resourceVersion"], "7");
        assert_eq!(value["items"][0]["data"], json!({"a": "1", "b": "2"}));
        assert_eq!(value["items"][0].get("kind"), None);
    }

    #[test]
    fn frames_are_told_apart_by_their_length() {
        let bytes = frame("ADDED", b"xy");
        assert_eq!(bytes, b"\0\0\0\x0d\x0a\x05ADDED\x12\x04\x0a\x02xy");
    }
}

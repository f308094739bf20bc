//! What other servers publish of themselves as OpenAPI, and how it becomes part of the cluster's own documents.
//!
//! As upstream's aggregator: of a server only what is below its own group and version counts; a definition of the same
//! name and another content gets another name; of what a server published last nothing is forgotten while its
//! `APIService` is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

/// The kinds that a definition is of.
const KINDS: &str = "x-kubernetes-group-version-kind";

/// What a server publishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Published {
    /// Its documents of version 3: their paths, such as `apis/metrics.k8s.io/v1beta1`, and the hashes of their content.
    pub v3: Vec<(String, String)>,
    /// Its part of the document of version 2; `None` where it has none.
    pub v2: Option<Value>,
    /// The `ETag` of the document of version 2.
    pub etag: String,
}

impl Published {
    /// The documents below a group and version that a server lists at `/openapi/v3`.
    pub fn listed(root: &Value, group: &str, version: &str) -> Vec<(String, String)> {
        let own = [format!("apis/{group}"), format!("apis/{group}/{version}")];
        let paths = root.at("/paths").as_object().into_iter().flatten();
        let listed = paths.filter(|(path, _)| own.contains(path)).map(|(path, entry)| {
            let url = entry.text("/serverRelativeURL");
            let hash = url.split_once("hash=").map_or("", |(_, hash)| hash);
            (path.clone(), hash.to_owned())
        });
        listed.collect()
    }

    /// The part of a document of version 2 that is below a group and version, with all that it refers to.
    pub fn part(document: &Value, group: &str, version: &str) -> Value {
        let prefix = format!("/apis/{group}/{version}/");
        let paths = document.at("/paths").as_object().into_iter().flatten();
        let paths: Map<String, Value> = paths
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(path, item)| (path.clone(), item.clone()))
            .collect();
        let mut part = json!({"paths": paths});
        keep_used(&mut part, document);
        part
    }
}

/// Takes over what the paths of a part refer to.
fn keep_used(part: &mut Value, document: &Value) {
    for section in ["definitions", "parameters"] {
        let mut used = BTreeSet::new();
        references(part, section, &mut used);
        let mut waiting: Vec<String> = used.iter().cloned().collect();
        let mut kept = Map::new();
        while let Some(name) = waiting.pop() {
            let definition = document.field(section).field(&name);
            if definition.is_null() {
                continue;
            }
            let mut more = BTreeSet::new();
            references(definition, section, &mut more);
            waiting.extend(more.difference(&used).cloned());
            used.extend(more);
            kept.insert(name, definition.clone());
        }
        if !kept.is_empty() {
            part.set(&format!("/{section}"), kept);
        }
    }
}

/// The names of a section's entries that a value refers to.
fn references(value: &Value, section: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let referred = fields.get("$ref").and_then(Value::as_str);
            if let Some(name) = referred.and_then(|referred| entry(referred, section)) {
                out.insert(name.to_owned());
            }
            fields.values().for_each(|field| references(field, section, out));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, section, out)),
        _ => {}
    }
}

fn entry<'a>(reference: &'a str, section: &str) -> Option<&'a str> {
    reference
        .strip_prefix("#/")?
        .strip_prefix(section)?
        .strip_prefix('/')
}

/// The cluster's own document of version 2 with those of others.
pub(crate) fn merged(own: &[u8], others: &[Arc<Published>]) -> Bytes {
    let Ok(mut document) = serde_json::from_slice::<Value>(own) else {
        return Bytes::copy_from_slice(own);
    };
    for part in others.iter().filter_map(|other| other.v2.as_ref()) {
        merge(&mut document, part);
    }
    Bytes::from(document.to_string())
}

fn merge(document: &mut Value, part: &Value) {
    let mut part = part.clone();
    // A path that the cluster serves already is the cluster's.
    if let (Some(paths), Value::Object(known)) = (
        part.get_mut("paths").and_then(Value::as_object_mut),
        document.field("paths"),
    ) {
        paths.retain(|path, _| !known.contains_key(path));
        if paths.is_empty() {
            return;
        }
    }
    for section in ["definitions", "parameters"] {
        let Some(Value::Object(entries)) = part.get(section).cloned() else {
            continue;
        };
        for (name, entry) in entries {
            let known = document.field(section);
            let name_now = name_for(known, &name, &entry);
            if name_now != name {
                rename(&mut part, section, &name, &name_now);
            }
        }
        let Some(Value::Object(entries)) = part.take_at(&format!("/{section}")) else {
            continue;
        };
        for (name, entry) in entries {
            add(document, section, name, entry);
        }
    }
    let Some(Value::Object(paths)) = part.take_at("/paths") else {
        return;
    };
    for (path, item) in paths {
        insert(document, "paths", path, item);
    }
}

/// The name that is free for an entry, or that has the same content already.
fn name_for(known: &Value, name: &str, entry: &Value) -> String {
    let fits = |name: &str| {
        let other = known.field(name);
        other.is_null() || is_same(other, entry)
    };
    if fits(name) {
        return name.to_owned();
    }
    let mut names = (2..).map(|number| format!("{name}_v{number}"));
    names.find(|name| fits(name)).unwrap_or_else(|| name.to_owned())
}

/// Whether two entries say the same of possibly different kinds.
fn is_same(one: &Value, other: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().map(|fields| fields.remove(KINDS));
        value
    };
    without(one) == without(other)
}

fn rename(part: &mut Value, section: &str, old: &str, new: &str) {
    let (from, to) = (format!("#/{section}/{old}"), format!("#/{section}/{new}"));
    refer(part, &from, &to);
    if let Some(Value::Object(entries)) = part.get_mut(section)
        && let Some(entry) = entries.remove(old)
    {
        entries.insert(new.to_owned(), entry);
    }
}

fn refer(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "$ref" && field == from {
                    *field = to.into();
                } else {
                    refer(field, from, to);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, from, to)),
        _ => {}
    }
}

/// Adds an entry; one that is there is of more kinds then.
fn add(document: &mut Value, section: &str, name: String, entry: Value) {
    let known = document.field(section).field(&name);
    if known.is_null() {
        return insert(document, section, name, entry);
    }
    let mut kinds = known.field(KINDS).items("").to_vec();
    let before = kinds.len();
    for kind in entry.field(KINDS).items("") {
        if !kinds.contains(kind) {
            kinds.push(kind.clone());
        }
    }
    if kinds.len() > before {
        let mut known = known.clone();
        if let Some(fields) = known.as_object_mut() {
            fields.insert(KINDS.to_owned(), kinds.into());
        }
        insert(document, section, name, known);
    }
}

fn insert(document: &mut Value, section: &str, name: String, entry: Value) {
    let Some(fields) = document.as_object_mut() else {
        return;
    };
    let section = fields.entry(section).or_insert_with(|| Value::Object(Map::new()));
    if let Some(entries) = section.as_object_mut() {
        entries.insert(name, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refer_to(name: &str) -> Value {
        json!({"$ref": format!("#/definitions/{name}")})
    }

    #[test]
    fn of_a_server_only_its_own_part_counts() {
        let document = json!({
            "paths": {"/apis/a.io/v1/as": {"get": refer_to("A")}, "/apis/a.io/": {}, "/version": {"get": refer_to("V")}},
            "definitions": {"A": {"properties": {"b": refer_to("B")}}, "B": {"properties": {"a": refer_to("A")}}, "V": {}},
        });
        let part = Published::part(&document, "a.io", "v1");
        let expected = json!({
            "paths": {"/apis/a.io/v1/as": {"get": refer_to("A")}},
            "definitions": {"A": document["definitions"]["A"], "B": document["definitions"]["B"]},
        });
        assert_eq!(part, expected);
    }

    #[test]
    fn definitions_of_the_same_name_and_another_content_are_renamed() {
        let kinds = |group: &str| json!([{"group": group, "version": "v1", "kind": "Options"}]);
        let own = json!({
            "paths": {"/own": {}},
            "definitions": {"Meta": {"type": "object"}, "Options": {"type": "object", KINDS: kinds("own")}},
        });
        let other = json!({
            "paths": {"/own": {"get": {}}, "/theirs": {"get": refer_to("Meta"), "put": refer_to("Options")}},
            "definitions": {"Meta": {"type": "string"}, "Options": {"type": "object", KINDS: kinds("other")}},
        });
        let published = Published {
            v2: Some(other),
            ..Published::default()
        };
        let merged = merged(own.to_string().as_bytes(), &[Arc::new(published)]);
        let merged: Value = serde_json::from_slice(&merged).unwrap();
        let expected = json!({
            "paths": {"/own": {}, "/theirs": {"get": refer_to("Meta_v2"), "put": refer_to("Options")}},
            "definitions": {
                "Meta": {"type": "object"},
                "Meta_v2": {"type": "string"},
                "Options": {"type": "object", KINDS: [kinds("own")[0], kinds("other")[0]]},
            },
        });
        assert_eq!(merged, expected);
    }

    #[test]
    fn the_documents_of_version_3_are_those_of_the_group() {
        let root = json!({"paths": {
            "apis/a.io/v1": {"serverRelativeURL": "/openapi/v3/apis/a.io/v1?hash=ABC"},
            "apis/other/v1": {"serverRelativeURL": "/openapi/v3/apis/other/v1?hash=D"}}});
        let expected = [("apis/a.io/v1".to_owned(), "ABC".to_owned())];
        assert_eq!(Published::listed(&root, "a.io", "v1"), expected);
    }
}

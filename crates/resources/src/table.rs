//! `kubectl get`: the columns of each kind (data) and how cells that several kinds share are worded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, DEFAULT_COLUMNS};

const COLUMNS: &str = include_str!("../data/columns.json");

/// Every kind's columns, read once; lives as long as the process.
static TABLES: LazyLock<HashMap<&'static str, Vec<Column>>> = LazyLock::new(|| {
    let tables: HashMap<&'static str, Vec<Entry>> = serde_json::from_str(COLUMNS).unwrap_or_default();
    tables
        .into_iter()
        .map(|(resource, entries)| (resource, entries.into_iter().map(column).collect()))
        .collect()
});

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Shared(Cow<'static, str>),
    Own {
        name: &'static str,
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(default)]
        format: &'static str,
        #[serde(default)]
        priority: u8,
        description: String,
    },
}

fn column(entry: Entry) -> Column {
    let shared = |at: usize| DEFAULT_COLUMNS.get(at).copied();
    let none = Column {
        name: "",
        kind: "string",
        format: "",
        priority: 0,
        description: "",
    };
    match entry {
        Entry::Shared(name) if name == "name" => shared(0).unwrap_or(none),
        Entry::Shared(name) if name == "age" => Column {
            name: "Age",
            kind: "string",
            ..shared(1).unwrap_or(none)
        },
        Entry::Shared(_) => shared(1).unwrap_or(none),
        Entry::Own {
            name,
            kind,
            format,
            priority,
            description,
        } => Column {
            name,
            kind,
            format,
            priority,
            description: String::leak(description),
        },
    }
}

/// The columns of a resource, such as `pods` or `deployments.apps`; name and creation time for one without its own.
pub(crate) fn columns(resource: &str) -> &'static [Column] {
    TABLES.get(resource).map_or(DEFAULT_COLUMNS, Vec::as_slice)
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> Value {
    object.text("/metadata/name").into()
}

/// The time since `metadata.creationTimestamp`.
pub(crate) fn age(object: &Value, now: Timestamp) -> Value {
    since(object.at("/metadata/creationTimestamp"), now).into()
}

/// The time since an RFC 3339 text; `<unknown>` when absent.
pub(crate) fn since(then: &Value, now: Timestamp) -> String {
    match timestamp(then) {
        Some(then) => time::age(then, now),
        None => "<unknown>".into(),
    }
}

/// An RFC 3339 text as a time.
pub(crate) fn timestamp(then: &Value) -> Option<Timestamp> {
    time::parse_micro(then.as_str()?).ok()
}

/// A text, or `<none>` for nothing.
pub(crate) fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>" } else { text }.into()
}

/// A map as `a=b,c=d`, or `<none>`.
pub(crate) fn map_text(map: &Value) -> String {
    let text = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join(",");
    if text.is_empty() { "<none>".into() } else { text }
}

/// A `LabelSelector` as `a=b,c in (d,e),!f`, or `<none>`.
pub(crate) fn selector_text(selector: &Value) -> String {
    let text = LabelSelector::from_json(selector).map(|selector| selector.to_string());
    match text {
        Ok(text) if !text.is_empty() => text,
        Ok(_) => "<none>".into(),
        Err(_) => "<error>".into(),
    }
}

/// The names and the images of a pod spec's containers, each joined by commas.
pub(crate) fn containers_and_images(pod_spec: &Value) -> (String, String) {
    let join = |pointer: &str| {
        pod_spec
            .items("/containers")
            .iter()
            .map(|container| container.text(pointer))
            .collect::<Vec<_>>()
            .join(",")
    };
    (join("/name"), join("/image"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_read_as_upstream_prints_them() {
        assert_eq!(selector_text(&json!({})), "<none>");
        let selector = json!({"matchLabels": {"b": "1"}, "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["y", "x"]}, {"key": "c", "operator": "DoesNotExist"}]});
        assert_eq!(selector_text(&selector), "a in (x,y),b=1,!c");
    }

    #[test]
    fn columns_of_known_resources_start_with_the_name() {
        assert_eq!(columns("pods").len(), 9);
        assert_eq!(columns("pods")[0].format, "name");
        assert_eq!(columns("nothing").len(), 2);
    }
}

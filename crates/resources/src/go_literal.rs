//! Values as Go's JSON encoder shows them where upstream puts an internal struct into a message: every field by its
//! Go name, in the struct's order, with `null` and zeros for what is absent. Which fields a struct has is data.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// `Struct: Field type, Field type, …`, one struct a line. A type is `s`, `n`, `b` (text, number, bool), `*T` or
/// `[]T`, `map`, `json` (printed as it is), `selector` (a label selector) or a struct's name. A field is `Name`, `Name=json` where JSON's name does not
/// follow from Go's, or `~` for a struct (or `meta`, the metadata) whose fields stand among those of the one around it.
const LAYOUTS: &str = include_str!("../data/go-structs.txt");

type Layout = Vec<(&'static str, &'static str)>;

/// Read once, when the first such message is made; lives as long as the process.
static STRUCTS: LazyLock<HashMap<&'static str, Layout>> = LazyLock::new(|| {
    let lines = LAYOUTS.lines().filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, fields)| {
            (
                name,
                fields
                    .split(", ")
                    .filter_map(|field| field.split_once(' '))
                    .collect(),
            )
        })
        .collect()
});

/// `value` as upstream shows a value of this type.
pub(crate) fn go_literal(kind: &str, value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, kind, value);
    out
}

fn write_value(out: &mut String, kind: &str, value: &Value) {
    if let Some(pointed) = kind.strip_prefix('*') {
        if value.is_null() {
            out.push_str("null");
        } else {
            write_value(out, pointed, value);
        }
    } else if let Some(of) = kind.strip_prefix("[]") {
        list(out, of, value);
    } else if kind == "selector" {
        selector(out, value);
    } else if let Some(fields) = STRUCTS.get(kind) {
        structure(out, fields, value);
    } else {
        scalar(out, kind, value);
    }
}

fn list(out: &mut String, of: &str, value: &Value) {
    let Some(items) = value.as_array() else {
        out.push_str("null");
        return;
    };
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_value(out, of, item);
    }
    out.push(']');
}

fn structure(out: &mut String, fields: &[(&str, &str)], value: &Value) {
    out.push('{');
    members(out, fields, value);
    out.push('}');
}

/// A label selector has names of its own in JSON, and leaves out what is empty.
fn selector(out: &mut String, value: &Value) {
    let fields = ["matchLabels", "matchExpressions"].map(|field| (field, value.field(field)));
    let given = fields.iter().filter(|(_, value)| !value.is_null());
    let given: Vec<String> = given
        .map(|(field, value)| format!("\"{field}\":{value}"))
        .collect();
    out.push('{');
    escaped(out, &given.join(","));
    out.push('}');
}

fn members(out: &mut String, fields: &[(&str, &str)], value: &Value) {
    for (name, kind) in fields {
        let before = out.len();
        if !out.ends_with(['{', ',']) {
            out.push(',');
        }
        let start = out.len();
        match (*name, *kind) {
            ("~", "meta") => metadata(out, value.field("metadata")),
            ("~", kind) => members(
                out,
                STRUCTS.get(kind).map(Vec::as_slice).unwrap_or_default(),
                value,
            ),
            (name, kind) => {
                let (go, json) = match name.split_once('=') {
                    Some((go, json)) => (go, json.to_owned()),
                    None => (name, json_name(name)),
                };
                // Writing to a text cannot fail.
                let _ = write!(out, "\"{go}\":");
                write_value(out, kind, value.field(&json));
            }
        }
        if out.len() == start {
            out.truncate(before);
        }
    }
}

/// Metadata have names of their own in JSON, and stand among the fields of what embeds them.
fn metadata(out: &mut String, metadata: &Value) {
    let text = metadata.to_string();
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    escaped(out, inner.unwrap_or_default());
}

fn scalar(out: &mut String, kind: &str, value: &Value) {
    let absent = match kind {
        "s" => "\"\"",
        "n" => "0",
        "b" => "false",
        _ => "null",
    };
    if value.is_null() {
        out.push_str(absent);
        return;
    }
    escaped(out, &value.to_string());
}

/// Go's encoder keeps its output safe to stand in HTML.
fn escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            other => out.push(other),
        }
    }
}

/// `APIGroup` as `apiGroup`: the capitals that the name starts with, but for the one that starts a word, are lowered.
fn json_name(go: &str) -> String {
    let capitals = go.chars().take_while(char::is_ascii_uppercase).count();
    let lowered = match capitals {
        1 => 1,
        all if all == go.len() => all,
        some => some.saturating_sub(1),
    };
    go.chars()
        .enumerate()
        .map(|(at, c)| if at < lowered { c.to_ascii_lowercase() } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn structs_show_every_field_in_gos_order() {
        let toleration = json!({"key": "k", "effect": "<"});
        assert_eq!(
            go_literal("Toleration", &toleration),
            r#"{"Key":"k","Operator":"","Value":"","Effect":"\u003c","TolerationSeconds":null}"#
        );
        assert_eq!(
            go_literal("[]RoleRef", &json!([{"apiGroup": "g", "kind": "K"}])),
            r#"[{"APIGroup":"g","Kind":"K","Name":""}]"#
        );
    }

    #[test]
    fn names_of_fields_follow_gos() {
        for (go, json) in [
            ("APIGroup", "apiGroup"),
            ("URL", "url"),
            ("CABundle", "caBundle"),
            ("Key", "key"),
        ] {
            assert_eq!(json_name(go), json);
        }
    }
}

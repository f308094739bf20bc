//! What changed between two values, laid out as go-cmp does in upstream's messages: the Go type on top, names of
//! fields in Go's capitals, `-` and `+` in front of what went and what came, the rest summed up. Types below the
//! top are left out: JSON does not know them.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::check::same;

/// The difference from `old` to `new`, both of the Go type `kind`.
pub(crate) fn diff(kind: &str, old: &Value, new: &Value) -> String {
    let mut out = String::new();
    compare(&mut out, 0, kind, old, new);
    out
}

fn line(out: &mut String, sign: char, depth: usize, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{sign} {}{text}", "\t".repeat(depth));
}

fn compare(out: &mut String, depth: usize, label: &str, old: &Value, new: &Value) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            line(out, ' ', depth, &format!("{label}{{"));
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let mut identical = 0;
            for key in keys {
                let (old, new) = (old.field(key), new.field(key));
                if same(old, new) {
                    identical += 1;
                    continue;
                }
                elide(out, depth + 1, &mut identical, "fields");
                compare(out, depth + 1, &format!("{}: ", go_name(key)), old, new);
            }
            elide(out, depth + 1, &mut identical, "fields");
            close(out, depth);
        }
        (Value::Array(before), Value::Array(after)) => {
            line(out, ' ', depth, &format!("{label}{{"));
            let mut identical = 0;
            for at in 0..before.len().max(after.len()) {
                let (old, new) = (
                    before.get(at).unwrap_or(&Value::Null),
                    after.get(at).unwrap_or(&Value::Null),
                );
                if same(old, new) {
                    identical += 1;
                    continue;
                }
                elide(out, depth + 1, &mut identical, "elements");
                compare(out, depth + 1, "", old, new);
            }
            elide(out, depth + 1, &mut identical, "elements");
            close(out, depth);
        }
        _ => {
            for (sign, value) in [('-', old), ('+', new)] {
                if !value.is_null() || depth > 0 {
                    line(out, sign, depth, &format!("{label}{},", literal(value)));
                }
            }
        }
    }
}

fn elide(out: &mut String, depth: usize, identical: &mut usize, what: &str) {
    if *identical > 0 {
        line(out, ' ', depth, &format!("... // {identical} identical {what}"));
    }
    *identical = 0;
}

fn close(out: &mut String, depth: usize) {
    line(out, ' ', depth, if depth == 0 { "}" } else { "}," });
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        other => other.to_string(),
    }
}

/// `nodeName` as `NodeName`; `hostPID` and the like come out right by themselves.
fn go_name(key: &str) -> String {
    let mut letters = key.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shows_what_changed_and_counts_the_rest() {
        let old = json!({"a": 1, "nodeName": "x", "list": [{"b": 1}, {"b": 2}]});
        let new = json!({"a": 1, "nodeName": "y", "list": [{"b": 1}, {"b": 3}]});
        let expected = "  core.PodSpec{\n  \t... // 1 identical fields\n  \tList: {\n  \t\t... // 1 identical elements\n  \t\t{\n- \t\t\tB: 2,\n+ \t\t\tB: 3,\n  \t\t},\n  \t},\n- \tNodeName: \"x\",\n+ \tNodeName: \"y\",\n  }\n";
        assert_eq!(diff("core.PodSpec", &old, &new), expected);
    }
}

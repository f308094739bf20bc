//! The part of JSONPath that printer columns and selectable fields use: fields, indexes, `[*]`, and filters of the
//! form `[?(@.type=="Ready")]`.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    /// A field below the element, and the text it must equal.
    Where(Vec<String>, String),
}

impl JsonPath {
    /// # Errors
    /// Names the path that is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("the JSON path {text:?} is not supported");
        let mut steps = Vec::new();
        let mut rest = text.trim_start_matches('{').trim_end_matches('}');
        rest = rest.strip_prefix('$').unwrap_or(rest);
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('[') {
                let end = closing(tail).ok_or_else(wrong)?;
                let (inside, after) = tail.split_at(end);
                steps.push(bracket(inside).ok_or_else(wrong)?);
                rest = after.strip_prefix(']').ok_or_else(wrong)?;
            } else {
                let tail = rest.strip_prefix('.').ok_or_else(wrong)?;
                let (name, after) = field(tail);
                if name.is_empty() {
                    return Err(wrong());
                }
                steps.push(if name == "*" { Step::All } else { Step::Field(name) });
                rest = after;
            }
        }
        Ok(Self(steps))
    }

    /// The first value at the path.
    pub(super) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        find(&self.0, value)
    }
}

fn find<'a>(steps: &[Step], value: &'a Value) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value).filter(|value| !value.is_null());
    };
    match step {
        Step::Field(name) => find(rest, value.get(name)?),
        Step::Index(at) => {
            let items = value.as_array()?;
            let at = if *at < 0 {
                i64::try_from(items.len()).ok()? + at
            } else {
                *at
            };
            find(rest, items.get(usize::try_from(at).ok()?)?)
        }
        Step::All => match value {
            Value::Array(items) => items.iter().find_map(|item| find(rest, item)),
            Value::Object(map) => map.values().find_map(|item| find(rest, item)),
            _ => None,
        },
        Step::Where(path, wanted) => value.as_array()?.iter().find_map(|item| {
            let found = path.iter().fold(item, |item, name| item.field(name));
            let same = match found {
                Value::String(text) => text == wanted,
                other => wanted.parse::<Value>().is_ok_and(|wanted| wanted == *other),
            };
            if same { find(rest, item) } else { None }
        }),
    }
}

/// Where the bracket ends, quotes and parentheses minded.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, ']') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::All);
    }
    if let Some(name) = unquoted(inside) {
        return Some(Step::Field(name));
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (path, wanted) = filter.split_once("==")?;
        let path = path.trim().strip_prefix("@.")?;
        let wanted = wanted.trim();
        let wanted = unquoted(wanted).unwrap_or_else(|| wanted.to_owned());
        return Some(Step::Where(path.split('.').map(str::to_owned).collect(), wanted));
    }
    inside.parse().ok().map(Step::Index)
}

fn unquoted(text: &str) -> Option<String> {
    ['"', '\'']
        .iter()
        .find_map(|quote| Some(text.strip_prefix(*quote)?.strip_suffix(*quote)?.to_owned()))
}

/// A name up to the next step; a backslash takes a dot into it.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, text.get(at..).unwrap_or_default()),
            c => name.push(c),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(path: &str, expected: Value) {
        let value = json!({
            "metadata": {"labels": {"a.b/c": "label"}},
            "spec": {"hosts": ["one", "two"]},
            "status": {"conditions": [
                {"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        let found = JsonPath::parse(path)
            .unwrap()
            .first(&value)
            .cloned()
            .unwrap_or_default();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths_of_printer_columns_are_found() {
        check(".spec.hosts[0]", json!("one"));
        check(".spec.hosts[-1]", json!("two"));
        check(".spec.hosts[*]", json!("one"));
        check(".status.conditions[?(@.type==\"Ready\")].status", json!("True"));
        check(".status.conditions[?(@.type=='Synced')].status", json!("False"));
        check(".metadata.labels.a\\.b/c", json!("label"));
        check("{.metadata.labels['a.b/c']}", json!("label"));
        check(".spec.missing.deep", Value::Null);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for path in ["spec", "..x", ".a[?(@.b>1)]", ".a[", ".a[b]"] {
            assert!(
                JsonPath::parse(path).unwrap_err().contains("not supported"),
                "{path}"
            );
        }
    }
}

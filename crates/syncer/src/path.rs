//! Paths with wildcards: `spec.containers[*].image`, `metadata.annotations["a/b"]`, or as a pointer, `/spec/rules/*/host`.
//! Owns how they are read and which places of a value they mean; not what is done there.

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A field, or the index of an element.
    Field(String),
    /// Every field or element.
    All,
}

/// A path that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// Reads either spelling. `None` where a bracket or a quote is left open, or nothing is named.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let steps = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(pointer_step).collect(),
            None => dotted(text)?,
        };
        (!steps.is_empty()).then_some(Self(steps))
    }

    /// The places of `value` that it means, as JSON pointers: those that are there.
    pub(crate) fn places(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        walk(value, &self.0, String::new(), &mut found);
        found
    }

    /// Whether it leads into the field `name` of the object.
    pub(crate) fn is_below(&self, name: &str) -> bool {
        matches!(self.0.first(), Some(Step::Field(field)) if field == name)
    }
}

fn pointer_step(token: &str) -> Step {
    match token {
        "*" => Step::All,
        field => Step::Field(field.replace("~1", "/").replace("~0", "~")),
    }
}

fn dotted(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, tail) = bracket(inner)?;
            steps.push(step);
            rest = tail;
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (field, tail) = rest.split_at(end);
        match field {
            "" => return None,
            "*" => steps.push(Step::All),
            field => steps.push(Step::Field(field.to_owned())),
        }
        rest = tail;
    }
    Some(steps)
}

/// What follows a `[`: `*]`, `0]`, or a field in quotes.
fn bracket(inner: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (field, tail) = quoted.split_once(quote)?;
            return Some((Step::Field(field.to_owned()), tail.strip_prefix(']')?));
        }
    }
    let (field, tail) = inner.split_once(']')?;
    let step = match field {
        "" | "*" => Step::All,
        field => Step::Field(field.to_owned()),
    };
    Some((step, tail))
}

fn walk(value: &Value, steps: &[Step], at: String, found: &mut Vec<String>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(at);
        return;
    };
    match (step, value) {
        (Step::All, Value::Object(map)) => {
            for (key, value) in map {
                walk(value, rest, format!("{at}/{}", escaped(key)), found);
            }
        }
        (Step::All, Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, rest, format!("{at}/{index}"), found);
            }
        }
        (Step::Field(field), Value::Object(map)) => {
            if let Some(value) = map.get(field) {
                walk(value, rest, format!("{at}/{}", escaped(field)), found);
            }
        }
        (Step::Field(index), Value::Array(items)) => {
            if let Some(value) = index.parse::<usize>().ok().and_then(|index| items.get(index)) {
                walk(value, rest, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A field's name as a token of a JSON pointer.
pub(crate) fn escaped(field: &str) -> String {
    field.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_mean_the_same_places() {
        let value = json!({"spec": {"rules": [{"host": "a"}, {"host": "b"}], "x": {"m": 1, "n": 2}},
            "metadata": {"annotations": {"a.b/c": "v"}}});
        let cases: &[(&str, &[&str])] = &[
            (
                "spec.rules[*].host",
                &["/spec/rules/0/host", "/spec/rules/1/host"],
            ),
            (
                "/spec/rules/*/host",
                &["/spec/rules/0/host", "/spec/rules/1/host"],
            ),
            ("spec.rules[1].host", &["/spec/rules/1/host"]),
            ("spec.x.*", &["/spec/x/m", "/spec/x/n"]),
            (
                "metadata.annotations[\"a.b/c\"]",
                &["/metadata/annotations/a.b~1c"],
            ),
            ("metadata.annotations['none']", &[]),
            ("spec.none.at.all", &[]),
            ("spec.rules[*].tls.name", &[]),
        ];
        for (path, expect) in cases {
            assert_eq!(
                Path::parse(path)
                    .map(|path| path.places(&value))
                    .unwrap_or_default(),
                *expect,
                "{path}"
            );
        }
    }

    #[test]
    fn a_path_that_cannot_be_read_is_none() {
        for text in ["", "a[", "a[\"b]", "a..b"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}

//! JSONPath as kubectl's library has it: what printer columns and selectable fields are written in.
//!
//! Of a path that has several parts in braces the first one counts, as for upstream's tables.

mod evaluate;
mod parse;

use serde_json::{Number, Value};

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Slice(Slice),
    Filter(Box<Filter>),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Step>>),
    Literal(Value),
    /// A word such as `range`: nothing that a column can have.
    Word,
}

/// `[from:to:by]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice {
    from: Option<i64>,
    to: Option<i64>,
    /// `to` follows from a single index.
    is_index: bool,
    by: Option<i64>,
}

/// `[?(left operator right)]`.
#[derive(Clone, Debug, PartialEq)]
struct Filter {
    left: Vec<Step>,
    /// Empty: what is left must be there.
    operator: String,
    right: Vec<Step>,
}

/// A value that a path leads to: of the object, or made by the path itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<'v> {
    /// Of the object.
    Of(&'v Value),
    /// A literal of the path.
    Made(Value),
}

impl Found<'_> {
    /// The value.
    pub fn value(&self) -> &Value {
        match self {
            Self::Of(value) => value,
            Self::Made(value) => value,
        }
    }
}

impl JsonPath {
    /// Parses the text between the braces of a template.
    ///
    /// # Errors
    /// The library's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::action(text).map(Self)
    }

    /// All that the path leads to; `None` where the library fails on the value.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<Vec<Found<'v>>> {
        evaluate::list(&self.0, vec![Found::Of(value)]).ok()
    }

    /// The first value that the path leads to, which may be null.
    pub fn first<'v>(&self, value: &'v Value) -> Option<Found<'v>> {
        self.find(value)?.into_iter().next()
    }
}

/// Text as Go's `%v` has it; what holds others as Go's JSON.
pub(crate) fn printed(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number_text(number),
        Value::Array(_) | Value::Object(_) => {
            // Go escapes what HTML would take for its own.
            let text = value.to_string();
            text.replace('&', "\\u0026")
                .replace('<', "\\u003c")
                .replace('>', "\\u003e")
        }
        other => other.to_string(),
    }
}

fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    float.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "metadata": {"labels": {"a.b/c": "label"}},
            "spec": {"hosts": ["one", "two", "three"], "n": 3, "null": null, "nested": {"n": 4}},
            "status": {"conditions": [
                {"type": "Synced", "status": "False", "age": 1}, {"type": "Ready", "status": "True", "age": 2.5}]}})
    }

    #[track_caller]
    fn check(path: &str, expected: Value) {
        let object = object();
        let found = JsonPath::parse(path).unwrap().find(&object);
        let found = found.map(|all| all.iter().map(|found| found.value().clone()).collect::<Vec<_>>());
        assert_eq!(json!(found), expected, "{path}");
    }

    #[test]
    fn paths_lead_where_kubectls_library_leads() {
        check(".spec.hosts[0]", json!(["one"]));
        check(".spec.hosts[-1]", json!(["three"]));
        check(".spec.hosts[-2]", json!(["two"]));
        check(".spec.hosts[1:]", json!(["two", "three"]));
        check(".spec.hosts[:2]", json!(["one", "two"]));
        check(".spec.hosts[0:3:2]", json!(["one", "three"]));
        check(".spec.hosts[0,2]", json!(["one", "three"]));
        check(".spec.hosts[*]", json!(["one", "two", "three"]));
        check(".spec.hosts[9]", Value::Null);
        check(".spec.n[0]", Value::Null);
        check("..n", json!([3, 4]));
        check(".spec['n','null']", json!([3, null]));
        check(".spec.*.n", json!([4]));
        check(".status.conditions[?(@.type==\"Ready\")].status", json!(["True"]));
        check(".status.conditions[?(@.type=='Synced')].status", json!(["False"]));
        check(".status.conditions[?(@.type!='Synced')].status", json!(["True"]));
        check(".status.conditions[?(@.status)].type", json!(["Synced", "Ready"]));
        check(".status.conditions[?(@.none)].type", json!([]));
        check(".status.conditions[?(@.age>2.0)].type", Value::Null);
        check(".status.conditions[?(@.age==1)].type", Value::Null);
        check(".metadata.labels.a\\.b/c", json!(["label"]));
        check(".metadata.labels['a\\.b/c']", json!(["label"]));
        check(".metadata.labels['a.b/c']", json!([]));
        check(".spec.missing.deep", json!([]));
        check(".spec.null", json!([null]));
    }

    #[test]
    fn what_is_no_path_is_refused_in_the_librarys_words() {
        for (path, expect) in [
            (".a[", "unterminated array"),
            (".a[b]", "invalid array index b"),
            ("...a", "invalid multiple recursive descent"),
            (".a[?(@.b]", "unterminated filter"),
            (".a 'b", "unterminated quoted string"),
            (".a#b/[x]", "invalid array index x"),
            (".a[0]#", "unrecognized character in action: U+0023 '#'"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err(), expect, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[.a\\[\\]*?()@=<>'\"0-9:,$ \\\\-]{0,24}") {
            if let Ok(path) = JsonPath::parse(&text) {
                let _ = path.find(&object());
            }
        }
    }
}

//! One step of a path into an object: a field, an element of a keyed list, an element of a set, an index.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;
use smol_str::SmolStr;

/// One step of a path, ordered and written as structured-merge-diff does.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A field of a struct, or an entry of a map.
    Field(SmolStr),
    /// The element of a list that has these keys, sorted by name.
    Key(Box<[(SmolStr, Value)]>),
    /// The element of a set.
    Value(Value),
    /// The element at an index. Nothing of ours makes one; they are read and kept.
    Index(i64),
}

/// A text that is no path element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    /// A kind of element that a later version may know: upstream ignores it.
    #[error("unknown path element type")]
    Unknown,
    /// Nothing that can be read.
    #[error("{0}")]
    Malformed(String),
}

impl PathElement {
    /// The field `name`.
    pub fn field(name: impl Into<SmolStr>) -> Self {
        Self::Field(name.into())
    }

    /// The list element with these keys.
    pub fn key(mut keys: Vec<(SmolStr, Value)>) -> Self {
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        Self::Key(keys.into())
    }

    /// Reads `f:name`, `k:{"name":"x"}`, `v:"x"`, `i:0`.
    ///
    /// # Errors
    /// `Unknown` for another letter, `Malformed` where the rest cannot be read.
    pub fn parse(text: &str) -> Result<Self, ElementError> {
        let malformed = |e: serde_json::Error| ElementError::Malformed(e.to_string());
        if text.len() < 2 {
            return Err(ElementError::Malformed("key must be 2 characters long:".into()));
        }
        let Some((kind, rest)) = text.split_once(':').filter(|(kind, _)| kind.len() == 1) else {
            return Err(ElementError::Malformed(format!("missing colon: {text}")));
        };
        match kind {
            "f" => Ok(Self::field(rest)),
            "v" => Ok(Self::Value(serde_json::from_str(rest).map_err(malformed)?)),
            "k" => {
                let keys: serde_json::Map<String, Value> = serde_json::from_str(rest).map_err(malformed)?;
                Ok(Self::key(
                    keys.into_iter()
                        .map(|(name, value)| (name.into(), value))
                        .collect(),
                ))
            }
            "i" => rest
                .parse()
                .map(Self::Index)
                .map_err(|_| ElementError::Malformed(format!("not an index: {rest}"))),
            _ => Err(ElementError::Unknown),
        }
    }

    /// As it stands in `fieldsV1`.
    pub fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
            Self::Key(keys) => {
                let mut out = String::from("k:{");
                for (at, (name, value)) in keys.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    out.push_str(&format!("{comma}{}:{value}", Value::from(name.as_str())));
                }
                out.push('}');
                out
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.as_str().cmp(b.as_str()),
            (Self::Value(a), Self::Value(b)) => compare(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => {
                for ((a_name, a_value), (b_name, b_value)) in a.iter().zip(b.iter()) {
                    let order = a_name.cmp(b_name).then_with(|| compare(a_value, b_value));
                    if order.is_ne() {
                        return order;
                    }
                }
                a.len().cmp(&b.len())
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement {}

/// As in messages: `.spec`, `[name="x"]`, `[="x"]`, `[0]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(keys) => {
                f.write_str("[")?;
                for (at, (name, value)) in keys.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// A total order of values: numbers by size, then texts, booleans, lists, maps, null.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a
                .as_f64()
                .unwrap_or_default()
                .total_cmp(&b.as_f64().unwrap_or_default()),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| compare(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Value::Object(a), Value::Object(b)) => a
            .iter()
            .zip(b)
            .map(|((a_name, a), (b_name, b))| a_name.cmp(b_name).then_with(|| compare(a, b)))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Equality as structured-merge-diff sees it: `1` equals `1.0`.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => compare(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, shown: &str) {
        let element = PathElement::parse(text).unwrap();
        assert_eq!(element.encode(), text);
        assert_eq!(element.to_string(), shown);
    }

    #[test]
    fn reads_and_writes_every_kind() {
        check("f:spec", ".spec");
        check("f:", ".");
        check("f:a:b", ".a:b");
        check(
            r#"k:{"containerPort":80,"protocol":"TCP"}"#,
            r#"[containerPort=80,protocol="TCP"]"#,
        );
        check(r#"v:"x""#, r#"[="x"]"#);
        check("v:1", "[=1]");
        check("i:3", "[3]");
    }

    #[test]
    fn refuses_what_cannot_be_read_and_marks_what_is_unknown() {
        assert_eq!(PathElement::parse("q:x"), Err(ElementError::Unknown));
        for text in ["", "f", "fx", "k:", "k:1", "v:", "i:x", "spec:x"] {
            assert!(
                matches!(PathElement::parse(text), Err(ElementError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_are_equal_by_size() {
        assert!(equal(&json!({"a": [1]}), &json!({"a": [1.0]})));
        assert!(!equal(&json!(1), &json!("1")));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
    }
}

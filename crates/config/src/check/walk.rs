//! The walk through a configuration: each field against the table, then against the types' schema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Map;
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;

use super::place::Place;
use super::{Class, Row, fields};
use crate::schema;

/// A finding before its line is known.
pub(super) type Found = (Place, Class, String);

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::of_types);

/// Tells what becomes of each field and gives back what the types shall read.
pub(super) fn walk(value: &Value, found: &mut Vec<Found>) -> Value {
    let mut walk = Walk {
        root: &SCHEMA,
        found,
        told: BTreeSet::new(),
    };
    let kept = walk.visit(&Place::default(), value, Some(&SCHEMA), None);
    kept.unwrap_or_else(|| Value::Object(Map::new()))
}

struct Walk<'a> {
    root: &'a Value,
    found: &'a mut Vec<Found>,
    /// Rows that were told of: one line for a section, not one for each of its fields.
    told: BTreeSet<&'static [&'static str]>,
}

impl<'a> Walk<'a> {
    /// `schema`: what the types say of the place; `row`: the row of something above it.
    fn visit(
        &mut self,
        at: &Place,
        value: &Value,
        schema: Option<&'a Value>,
        row: Option<&'static Row>,
    ) -> Option<Value> {
        let schema = schema.map(|schema| schema::resolve(self.root, schema));
        if value.is_null() && !schema.is_some_and(schema::is_free) {
            return None;
        }
        let keys = at.keys().unwrap_or_default();
        let own = fields::of(&keys);
        // A field with a type counts for itself, whatever is said of the section that it stands in.
        let is_leaf = |schema: &Value| schema::kind(schema) != "object";
        let row = own.or(row.filter(|_| !schema.is_some_and(is_leaf)));
        let Some(row) = row else {
            return match schema {
                Some(schema) => self.typed(at, value, schema),
                None => self.on_the_way(at, value),
            };
        };
        match value {
            Value::Object(entries) if !fields::below(&keys).is_empty() => {
                let kept = entries.iter().filter_map(|(key, value)| {
                    let schema = schema.and_then(|schema| schema::property(schema, key));
                    let kept = self.visit(&at.key(key), value, schema, Some(row))?;
                    Some((key.clone(), kept))
                });
                let kept: Map<String, Value> = kept.collect();
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            _ => {
                self.tell(row, at, value);
                None
            }
        }
    }

    fn tell(&mut self, row: &'static Row, at: &Place, value: &Value) {
        if !says_something(value) || !self.told.insert(&row.path) {
            return;
        }
        let place = match row.class {
            Class::Ignored => Place::parse(&row.path.join(".")),
            _ => at.clone(),
        };
        self.found.push((place, row.class, row.words.to_owned()));
    }

    /// A section that has no type but rows below it.
    fn on_the_way(&mut self, at: &Place, value: &Value) -> Option<Value> {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    self.child(at, key, value, None);
                }
            }
            _ => self.refuse(at, "must be a map".to_owned()),
        }
        None
    }

    fn typed(&mut self, at: &Place, value: &Value, schema: &'a Value) -> Option<Value> {
        if schema::is_free(schema) {
            return self.keep(at, value.clone());
        }
        if let Some(choices) = schema::choices(schema) {
            let is_one = choices.contains(&value) || value.as_str() == Some("");
            return if is_one {
                self.keep(at, value.clone())
            } else {
                let mut names: Vec<String> = Vec::new();
                for choice in choices {
                    let name = choice.as_str().map_or_else(|| choice.to_string(), str::to_owned);
                    if !name.is_empty() && !names.contains(&name) {
                        names.push(name);
                    }
                }
                self.refuse(at, format!("{value} is none of {}", names.join(", ")));
                None
            };
        }
        match (schema::kind(schema), value) {
            ("object", Value::Object(entries)) => {
                if entries.is_empty() {
                    return self.keep(at, value.clone());
                }
                let kept = entries.iter().filter_map(|(key, value)| {
                    let kept = self.child(at, key, value, Some(schema))?;
                    Some((key.clone(), kept))
                });
                Some(Value::Object(kept.collect()))
            }
            ("array", Value::Array(entries)) => {
                if entries.is_empty() {
                    return self.keep(at, value.clone());
                }
                let items = schema.field("items");
                let entries = entries.iter().enumerate();
                let kept = entries
                    .filter_map(|(index, entry)| self.visit(&at.index(index), entry, Some(items), None));
                Some(Value::Array(kept.collect()))
            }
            ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => self.keep(at, value.clone()),
            ("integer", Value::Number(number)) => match schema::complaint(schema, number) {
                None => self.keep(at, value.clone()),
                Some(words) => {
                    self.refuse(at, words);
                    None
                }
            },
            (kind, _) => {
                self.refuse(at, format!("must be {}, not {value}", named(kind)));
                None
            }
        }
    }

    fn child(&mut self, at: &Place, key: &str, value: &Value, schema: Option<&'a Value>) -> Option<Value> {
        let place = at.key(key);
        let known = schema.and_then(|schema| schema::property(schema, key));
        let keys = place.keys().unwrap_or_default();
        if known.is_some() || fields::of(&keys).is_some() || !fields::below(&keys).is_empty() {
            return self.visit(&place, value, known, None);
        }
        let above = at.keys().unwrap_or_default();
        let mut names: Vec<&str> = schema.map(schema::properties).into_iter().flatten().collect();
        names.extend(fields::below(&above));
        names.sort_unstable();
        names.dedup();
        self.refuse(&place, format!("unknown field{}", meant(key, &names)));
        None
    }

    fn keep(&mut self, at: &Place, value: Value) -> Option<Value> {
        if !at.is_root() {
            self.found.push((at.clone(), Class::Supported, String::new()));
        }
        Some(value)
    }

    fn refuse(&mut self, at: &Place, words: String) {
        self.found.push((at.clone(), Class::Refused, words));
    }
}

/// `; did you mean …?`, if some name is near.
fn meant(key: &str, names: &[&str]) -> String {
    let lower = key.to_lowercase();
    let distance = |name: &&str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let near = names.iter().min_by_key(|name| distance(name));
    match near {
        Some(near) if distance(near) <= 1 + key.len() / 4 => format!("; did you mean {near}?"),
        _ => String::new(),
    }
}

fn named(kind: &str) -> &str {
    match kind {
        "object" => "a map",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        other => other,
    }
}

/// Whether a value switches something on or names something.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty() && text != "auto" && text != "false",
        Value::Array(entries) => !entries.is_empty(),
        Value::Object(entries) => entries.values().any(says_something),
    }
}

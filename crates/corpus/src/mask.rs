//! Takes out of an answer what differs each time: uids, times, revisions, addresses, made-up names, keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

use crate::substitution::Memory;

/// Times as far from now are the scenario's own, not the server's clock.
const NEAR: i64 = 2 * 24 * 3600;
/// A ConfigMap in every namespace (and a source in every pod's token volume) that one distribution adds and upstream
/// does not.
const DISTRIBUTION: &str = "openshift-service-ca.crt";
/// The headers that are compared.
const HEADERS: [&str; 9] = [
    "allow",
    "cache-control",
    "content-encoding",
    "content-type",
    "location",
    "retry-after",
    "warning",
    "www-authenticate",
    "x-content-type-options",
];

#[expect(clippy::unwrap_used, reason = "constants, tried by every run")]
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let table = [
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "$$uid",
        ),
        (r"\b[0-9A-F]{64,128}\b", "$$hash"),
        (
            r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (GMT|UTC)",
            "$$date $1",
        ),
        // Where a build kept its sources.
        (r#"in scheme "[^"]*""#, r#"in scheme "$$scheme""#),
        (r"kube-api-access-[a-z0-9]{5}\b", "kube-api-access-$$suffix"),
        (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "$$token"),
        (
            r"(?s)-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----\n?",
            "$$certificates",
        ),
        (
            r"(ResourceVersion in (?:the )?(?:precondition|object meta|record):? \(?)\d+",
            "$1$$rv",
        ),
        (
            r"too old resource version: \d+ \(\d+\)",
            "too old resource version: $$rv ($$rv)",
        ),
        (r#"(resourceVersion\\?"?: ?\\?")\d+(\\?")"#, "$1$$rv$2"),
    ];
    table
        .into_iter()
        .map(|(pattern, instead)| (Regex::new(pattern).unwrap(), instead))
        .collect()
});
#[expect(clippy::unwrap_used, reason = "constants, tried by every run")]
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").unwrap());
#[expect(clippy::unwrap_used, reason = "constants, tried by every run")]
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d+[smhdy])+$").unwrap());
#[expect(clippy::unwrap_used, reason = "constants, tried by every run")]
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b10\.96\.\d{1,3}\.\d{1,3}\b").unwrap());

/// Masks the answers of one scenario.
pub(crate) struct Mask<'a> {
    /// What the scenario learnt.
    pub(crate) memory: &'a Memory,
    /// What the request said: addresses and ports that it asks for are no accidents.
    pub(crate) sent: &'a str,
}

impl Mask<'_> {
    /// The headers that are compared.
    pub(crate) fn headers(&self, headers: &HeaderMap, also: &[String]) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        for name in HEADERS.into_iter().chain(also.iter().map(String::as_str)) {
            let values: Vec<String> = headers
                .get_all(name)
                .iter()
                .map(|value| self.text(&String::from_utf8_lossy(value.as_bytes())))
                .collect();
            if !values.is_empty() {
                kept.insert(name.to_owned(), values.join("\n"));
            }
        }
        kept
    }

    /// A body, whatever it is.
    pub(crate) fn body(&self, raw: &[u8]) -> Value {
        if raw.is_empty() {
            return Value::Null;
        }
        let documents: Result<Vec<Value>, _> =
            serde_json::Deserializer::from_slice(raw).into_iter().collect();
        match documents {
            Ok(mut documents) if documents.len() == 1 => self.value("", &documents.remove(0)),
            Ok(documents) if documents.iter().all(Value::is_object) => {
                let masked: Vec<Value> = documents.iter().map(|value| self.value("", value)).collect();
                json!({ "stream": masked })
            }
            _ => match std::str::from_utf8(raw) {
                Ok(text) => json!({"text": self.text(text)}),
                Err(_) => json!({"base64": STANDARD.encode(raw)}),
            },
        }
    }

    fn value(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) if key == "fieldsV1" => Value::String(self.text(&sorted(fields))),
            Value::Object(fields) => {
                let mut masked = Map::new();
                for (name, value) in fields {
                    masked.insert(self.text(name), self.value(name, value));
                }
                Value::Object(masked)
            }
            Value::Array(items) => items
                .iter()
                .filter(|item| {
                    ![item.text("/metadata/name"), item.text("/configMap/name")].contains(&DISTRIBUTION)
                })
                .map(|item| self.value(key, item))
                .collect(),
            Value::String(text) => Value::String(self.leaf(key, text)),
            Value::Number(number) if key == "nodePort" || key == "healthCheckNodePort" => {
                let chosen = number.as_u64().is_some_and(|port| (30000..32768).contains(&port));
                if chosen && !self.sent.contains(&number.to_string()) {
                    json!("$nodePort")
                } else {
                    value.clone()
                }
            }
            other => other.clone(),
        }
    }

    fn leaf(&self, key: &str, text: &str) -> String {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match key {
            "resourceVersion" if digits && text != "0" => "$rv".to_owned(),
            "continue" if !text.is_empty() => "$continue".to_owned(),
            "cells" if AGE.is_match(text) => "$age".to_owned(),
            _ => self.text(text),
        }
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if !self.memory.namespace.is_empty() {
            text = text.replace(&self.memory.namespace, "$ns");
        }
        for (name, shown) in &self.memory.generated {
            text = text.replace(name, shown);
        }
        for (pattern, instead) in PATTERNS.iter() {
            text = pattern.replace_all(&text, *instead).into_owned();
        }
        let now = Timestamp::now();
        let text = TIME.replace_all(&text, |found: &Captures<'_>| near(found, now));
        let text = ADDRESS.replace_all(&text, |found: &Captures<'_>| {
            let address = found.get(0).map_or("", |whole| whole.as_str());
            let meant = self.sent.contains(address) || address == "10.96.0.1";
            (if meant { address } else { "$ip" }).to_owned()
        });
        text.into_owned()
    }
}

/// The server's clock: masked, but in which precision it is written stays visible.
fn near(found: &Captures<'_>, now: Timestamp) -> String {
    let whole = found.get(0).map_or("", |whole| whole.as_str());
    let Ok(time) = whole.parse::<Timestamp>() else {
        return whole.to_owned();
    };
    if (time.as_second() - now.as_second()).abs() > NEAR {
        return whole.to_owned();
    }
    match found.get(1).map_or(0, |fraction| fraction.len()) {
        0 => "$time".to_owned(),
        7 => "$microtime".to_owned(),
        _ => "$nanotime".to_owned(),
    }
}

/// Owned fields in one line: the order of keys says nothing, and a tree of them would fill pages.
fn sorted(fields: &Map<String, Value>) -> String {
    let mut keys: Vec<&String> = fields.keys().collect();
    keys.sort_unstable();
    let shown: Vec<String> = keys
        .into_iter()
        .map(|key| match fields.get(key) {
            Some(Value::Object(inner)) if inner.is_empty() => key.clone(),
            Some(Value::Object(inner)) => format!("{key}{}", sorted(inner)),
            other => format!("{key}={}", other.cloned().unwrap_or_default()),
        })
        .collect();
    format!("{{{}}}", shown.join(" "))
}

/// Names that the server made from `generateName`, wherever they stand in an answer.
pub(crate) fn generated(value: &Value, found: &mut Vec<(String, String)>) {
    let (prefix, name) = (value.text("/metadata/generateName"), value.text("/metadata/name"));
    if !prefix.is_empty() && name.len() == prefix.len() + 5 && name.starts_with(prefix) {
        let pair = (name.to_owned(), format!("{prefix}$suffix"));
        if !found.contains(&pair) {
            found.push(pair);
        }
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|value| generated(value, found)),
        Value::Array(items) => items.iter().for_each(|value| generated(value, found)),
        _ => {}
    }
}

/// Brings a list whose order means nothing into one.
pub(crate) fn order(value: &mut Value, pointer: &str) {
    if let Some(Value::Array(items)) = value.pointer_mut(pointer) {
        items.sort_by_cached_key(Value::to_string);
    }
}

/// Takes out what a pointer means; `*` stands for any item or field.
pub(crate) fn remove(value: &mut Value, pointer: &str) {
    let mut segments = pointer
        .trim_start_matches('/')
        .split('/')
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"));
    let first = segments.next().unwrap_or_default();
    let rest: Vec<String> = segments.collect();
    remove_at(value, &first, &rest);
}

fn remove_at(value: &mut Value, segment: &str, rest: &[String]) {
    let Some((next, after)) = rest.split_first() else {
        match value {
            Value::Object(fields) if segment == "*" => fields.clear(),
            Value::Object(fields) => {
                fields.remove(segment);
            }
            Value::Array(items) if segment == "*" => items.clear(),
            Value::Array(items) => {
                if let Some(item) = segment.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                    *item = json!("$masked");
                }
            }
            _ => {}
        }
        return;
    };
    match value {
        Value::Object(fields) => {
            for (_, inner) in fields
                .iter_mut()
                .filter(|(key, _)| segment == "*" || *key == segment)
            {
                remove_at(inner, next, after);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter_mut().enumerate() {
                if segment == "*" || segment == at.to_string() {
                    remove_at(inner, next, after);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(value: Value, sent: &str) -> Value {
        let mut memory = Memory::new("corpus-1234".to_owned());
        memory.generated = vec![("a-x7x7x".to_owned(), "a-$suffix".to_owned())];
        Mask {
            memory: &memory,
            sent,
        }
        .value("", &value)
    }

    #[test]
    fn what_differs_each_time_is_masked_and_what_was_asked_for_stays() {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (came, expected) = (
            json!({"metadata": {"uid": "0f5e4f3e-6c6e-4a57-9f43-6b1d6b0f2a11", "resourceVersion": "17", "name": "a-x7x7x",
                "namespace": "corpus-1234", "creationTimestamp": now},
                "spec": {"clusterIP": "10.96.3.4", "ports": [{"nodePort": 30123}, {"nodePort": 30999}]},
                "when": "2020-01-01T00:00:00Z", "continue": ""}),
            json!({"metadata": {"uid": "$uid", "resourceVersion": "$rv", "name": "a-$suffix",
                "namespace": "$ns", "creationTimestamp": "$time"},
                "spec": {"clusterIP": "$ip", "ports": [{"nodePort": "$nodePort"}, {"nodePort": 30999}]},
                "when": "2020-01-01T00:00:00Z", "continue": ""}),
        );
        assert_eq!(masked(came, "30999"), expected);
    }

    #[test]
    fn owned_fields_are_one_line() {
        let came = json!({"fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:data": {}}});
        let expected = json!({"fieldsV1": "{f:data f:metadata{f:labels{. f:a}}}"});
        assert_eq!(masked(came, ""), expected);
    }

    #[test]
    fn a_mask_reaches_into_every_item() {
        let mut value = json!({"items": [{"status": {"a": 1, "b": 2}}, {"status": {"a": 3}}]});
        remove(&mut value, "/items/*/status/a");
        assert_eq!(value, json!({"items": [{"status": {"b": 2}}, {"status": {}}]}));
    }
}

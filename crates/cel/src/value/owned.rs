//! Values that outlive the JSON they were read from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Key, List, Map, Opaque, Text, Value};

impl Value<'_> {
    /// A copy that borrows nothing; `None` for what can't be without its owner: questions to an authorizer,
    /// fields that are worked out when they are selected, and values that do not fit their schema.
    pub fn to_owned_value(&self) -> Option<Value<'static>> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::Double(value) => Value::Double(*value),
            Self::String(text) => Value::String(text.to_owned_text()),
            Self::Bytes(bytes) => Value::Bytes(Arc::clone(bytes)),
            Self::Duration(nanos) => Value::Duration(*nanos),
            Self::Timestamp(at) => Value::Timestamp(*at),
            Self::List(list) => owned_list(list)?,
            Self::Map(map) => Value::Map(owned_map(map)?),
            Self::Optional(None) => Value::Optional(None),
            Self::Optional(Some(value)) => Value::some(value.to_owned_value()?),
            Self::Type(kind) => Value::Type(kind.clone()),
            Self::Opaque(opaque) => Value::Opaque(match opaque {
                Opaque::Url(url) => Opaque::Url(Arc::clone(url)),
                Opaque::Ip(ip) => Opaque::Ip(*ip),
                Opaque::Cidr(cidr) => Opaque::Cidr(*cidr),
                Opaque::Quantity(quantity) => Opaque::Quantity(*quantity),
                Opaque::Semver(version) => Opaque::Semver(Arc::clone(version)),
                Opaque::Format(format) => Opaque::Format(format),
                Opaque::Authorizer(_) => return None,
            }),
        })
    }
}

impl Text<'_> {
    fn to_owned_text(&self) -> Text<'static> {
        match self {
            Self::Borrowed(text) => Text::Shared((*text).into()),
            Self::Shared(text) => Text::Shared(Arc::clone(text)),
        }
    }
}

fn owned_list(list: &List<'_>) -> Option<Value<'static>> {
    let items = list.iter().map(|item| item.ok()?.to_owned_value());
    Some(Value::list(items.collect::<Option<_>>()?))
}

fn owned_map(map: &Map<'_>) -> Option<Map<'static>> {
    if matches!(map, Map::Fields(_)) {
        return None;
    }
    let mut entries = BTreeMap::new();
    for key in map.keys() {
        // A field that is null in JSON and may not be is none.
        let Some(value) = map.get(&key) else { continue };
        let key = match Key::of(&key) {
            Key::Bool(value) => Key::Bool(value),
            Key::Int(value) => Key::Int(value),
            Key::Uint(value) => Key::Uint(value),
            Key::Other(value, name) => Key::Other(Arc::new(value.to_owned_value()?), name),
            Key::String(text) => Key::String(text.to_owned_text()),
        };
        entries.insert(key, value.ok()?.to_owned_value()?);
    }
    let entries = Arc::new(entries);
    Some(match map {
        Map::Message(name, _) => Map::Message(name.clone(), entries),
        _ => Map::Entries(entries),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_copy_equals_what_it_was_made_of() {
        let json = json!({"a": [1, 1.5, null, "x"], "b": {"c": true}});
        let value = super::super::read(&json, None).unwrap();
        let copy = value.to_owned_value().unwrap();
        assert!(copy.equals(&value).unwrap());
        assert_eq!(copy.to_json(), Some(json.clone()));
    }
}

//! The selectors of workloads, compiled. What matching means is `apimachinery`'s.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Value};

pub(crate) use warren_apimachinery::selector::LabelSelector as Selector;

/// Compiles; a selector that cannot be read matches nothing, as an invalid object cannot be acted on.
pub(crate) fn of(selector: &LabelSelector) -> Selector {
    serde_json::to_value(selector)
        .ok()
        .and_then(|value| Selector::from_json(&value).ok())
        .unwrap_or_else(Selector::nothing)
}

/// The `spec.selector` of a workload, in either form: a ReplicationController has a plain map. Nothing where it has
/// none that can be read.
pub(crate) fn of_object(object: &Object) -> Selector {
    let value = object.to_value();
    let selector = value.at("/spec/selector");
    let plain = selector
        .as_object()
        .is_some_and(|map| map.values().any(Value::is_string));
    let read = if plain {
        Selector::from_map(selector)
    } else {
        Selector::from_json(selector)
    };
    read.unwrap_or_else(|_| Selector::nothing())
}

//! The selectors of workloads, compiled. What matching means is `apimachinery`'s.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use warren_apimachinery::Object;
use warren_apimachinery::value::ValueExt;

pub(crate) use warren_apimachinery::selector::LabelSelector as Selector;

/// Compiles; a selector that cannot be read matches nothing, as an invalid object cannot be acted on.
pub(crate) fn of(selector: &LabelSelector) -> Selector {
    serde_json::to_value(selector)
        .ok()
        .and_then(|value| Selector::from_json(&value).ok())
        .unwrap_or_else(Selector::nothing)
}

/// The `spec.selector` of a workload; nothing where it has none that can be read.
pub(crate) fn of_object(object: &Object) -> Selector {
    Selector::from_json(object.to_value().at("/spec/selector")).unwrap_or_else(|_| Selector::nothing())
}

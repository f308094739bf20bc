//! Client-side apply's annotation: lets `kubectl apply --server-side` take over an object from `kubectl apply`
//! without conflicts, and keeps the annotation in step.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::compare::compare;
use super::conflict::Conflict;
use super::{Apply, FieldSet, validate};

/// The manager for which the annotation counts.
pub(crate) const MANAGER: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
const ANNOTATION_POINTER: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
/// What all annotations of an object may take.
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// The conflicts that are left once the fields are conceded that client-side apply set and that still have
/// the value it set.
pub(crate) fn unsettled(input: &Apply<'_>, conflicts: Vec<Conflict>) -> Vec<Conflict> {
    match conceded(input) {
        None => conflicts,
        Some(conceded) => conflicts
            .into_iter()
            .filter(|conflict| !conceded.has(conflict.path()))
            .collect(),
    }
}

fn conceded(input: &Apply<'_>) -> Option<FieldSet> {
    let live = input.live?;
    let applied: Value = serde_json::from_str(live.text(ANNOTATION_POINTER)).ok()?;
    if applied.text("/apiVersion") != input.api_version || validate::check(input.schema, &applied).is_some() {
        return None;
    }
    let comparison = compare(input.schema, &applied, live).ok()?;
    let set = FieldSet::of(input.schema, &applied);
    Some(
        set.difference(&comparison.changed)
            .difference(&comparison.added)
            .difference(&comparison.removed),
    )
}

/// Sets the annotation to the configuration that was applied, where the object has one. Where the annotations
/// would become too large, it goes.
pub(crate) fn refresh(object: &mut Value, configuration: &Value) {
    if object.text(ANNOTATION_POINTER).is_empty() {
        return;
    }
    let mut configuration = configuration.clone();
    configuration.take_at(ANNOTATION_POINTER);
    // Upstream's encoder ends the text with a line feed.
    let text = format!("{configuration}\n");
    let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") else {
        return;
    };
    annotations.insert(ANNOTATION.into(), text.into());
    let size: usize = annotations
        .iter()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > MAX_ANNOTATION_BYTES {
        annotations.remove(ANNOTATION);
    }
}

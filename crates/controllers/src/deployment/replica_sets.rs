//! ReplicaSets as a Deployment sees them: sizes, counts, place in history, and which one is of the current template.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus};
use serde_json::Value;
use warren_apimachinery::Object;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::ReconcileError;

use super::{Sets, revision};
use crate::view::{Parts, view};

/// The label that tells the ReplicaSets of a Deployment apart.
pub(super) const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// A ReplicaSet.
#[derive(Clone, Debug)]
pub(super) struct ReplicaSet {
    pub(super) object: Arc<Object>,
    /// `spec.replicas`.
    pub(super) replicas: i64,
    pub(super) min_ready_seconds: i64,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) generation: i64,
    pub(super) observed_generation: i64,
    /// `status.replicas`.
    pub(super) actual: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
    pub(super) terminating: Option<i64>,
    pub(super) conditions: Vec<ReplicaSetCondition>,
    created: Option<jiff::Timestamp>,
}

impl ReplicaSet {
    pub(super) fn of(object: Arc<Object>) -> Result<Self, ReconcileError> {
        let parts: Parts<ReplicaSetSpec, ReplicaSetStatus> = view(&object)?;
        let (metadata, spec, status) = (parts.metadata, parts.spec, parts.status);
        Ok(Self {
            object,
            replicas: i64::from(spec.replicas.unwrap_or(1)),
            min_ready_seconds: i64::from(spec.min_ready_seconds.unwrap_or_default()),
            annotations: metadata.annotations.unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            observed_generation: status.observed_generation.unwrap_or_default(),
            actual: i64::from(status.replicas),
            ready: i64::from(status.ready_replicas.unwrap_or_default()),
            available: i64::from(status.available_replicas.unwrap_or_default()),
            terminating: status.terminating_replicas.map(i64::from),
            conditions: status.conditions.unwrap_or_default(),
            created: metadata.creation_timestamp.map(|time| time.0),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.object.meta().name
    }

    /// The Deployment's size when this set was last sized.
    pub(super) fn desired(&self) -> Option<i64> {
        self.annotations.get(revision::DESIRED_REPLICAS)?.parse().ok()
    }

    /// The Deployment's size with surge when this set was last sized.
    pub(super) fn max(&self) -> Option<i64> {
        self.annotations.get(revision::MAX_REPLICAS)?.parse().ok()
    }

    /// Its number in the Deployment's history.
    pub(super) fn revision(&self) -> i64 {
        let text = self.annotations.get(revision::REVISION);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// The order of age: oldest first.
    pub(super) fn by_creation(&self) -> (Option<jiff::Timestamp>, &str) {
        (self.created, self.name())
    }
}

/// Finds the set of the Deployment's template; of several, the oldest.
pub(super) fn split(deployment: &Object, mut sets: Vec<ReplicaSet>) -> Sets {
    let template = template_of(deployment);
    sets.sort_by(|a, b| a.by_creation().cmp(&b.by_creation()));
    let new = sets
        .iter()
        .position(|set| template_of(&set.object) == template)
        .map(|at| sets.remove(at));
    Sets { new, old: sets }
}

/// The template of an object, as it compares. The rest is not read, above all not who owns its fields.
fn template_of(object: &Object) -> Value {
    let spec = object.field("spec").unwrap_or_default();
    let spec: Value = serde_json::from_slice(&spec).unwrap_or_default();
    bare_template(spec.at("/template"))
}

/// A template as it compares: without the hash label and without nulls.
pub(super) fn bare_template(template: &Value) -> Value {
    let mut template = without_nulls(template);
    if let Some(labels) = template
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.remove(POD_TEMPLATE_HASH);
    }
    template
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

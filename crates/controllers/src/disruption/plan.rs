//! How many pods of a budget may be disrupted: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::percent::{Rounding, scaled};
use crate::pod::Pod;
use crate::timestamp;

/// How long an eviction that was granted is held to be under way.
const EVICTION_TIMEOUT_SECONDS: i64 = 120;

/// The numbers of a budget's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) allowed: i64,
    pub(super) healthy: i64,
    pub(super) desired: i64,
    pub(super) expected: i64,
}

/// Whether the sizes of the pods' controllers are needed: not where a plain number is asked for.
pub(super) fn needs_scale(spec: &PodDisruptionBudgetSpec) -> bool {
    spec.max_unavailable.is_some() || matches!(spec.min_available, Some(IntOrString::String(_)))
}

/// The budget over `pods`, of which the controllers together want `scale`.
pub(super) fn budget(
    spec: &PodDisruptionBudgetSpec,
    pods: &[Pod],
    disrupted: &BTreeMap<String, Timestamp>,
    scale: i64,
) -> Budget {
    let count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    let (expected, desired) = match (&spec.max_unavailable, &spec.min_available) {
        (Some(max), _) => (scale, (scale - scaled(max, scale, Rounding::Up)).max(0)),
        (None, Some(min @ IntOrString::String(_))) => (scale, scaled(min, scale, Rounding::Up)),
        (None, Some(IntOrString::Int(min))) => (count, i64::from(*min)),
        (None, None) => (count, 0),
    };
    let healthy = pods
        .iter()
        .filter(|pod| pod.is_ready() && !pod.meta().deleting && !disrupted.contains_key(pod.name()))
        .count();
    let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    let allowed = if expected > 0 {
        (healthy - desired).max(0)
    } else {
        0
    };
    Budget {
        allowed,
        healthy,
        desired,
        expected,
    }
}

/// The evictions that are still under way: granted lately, of pods that are there and not yet going. And when the first
/// of them is given up.
pub(super) fn under_way(
    told: BTreeMap<String, Timestamp>,
    pods: &[Pod],
    now: Timestamp,
) -> (BTreeMap<String, Timestamp>, Option<Timestamp>) {
    let there = |name: &str| pods.iter().any(|pod| pod.name() == name && !pod.meta().deleting);
    let end = |granted: &Timestamp| timestamp::after_seconds(*granted, EVICTION_TIMEOUT_SECONDS);
    let kept: BTreeMap<_, _> = told
        .into_iter()
        .filter(|(name, granted)| there(name) && end(granted) > now)
        .collect();
    let first = kept.values().map(end).min();
    (kept, first)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::*;

    fn check(spec: Value, ready: usize, unready: usize, scale: i64, expect: [i64; 4]) {
        let spec: PodDisruptionBudgetSpec = serde_json::from_value(spec).unwrap();
        let pods: Vec<Pod> = (0..ready + unready)
            .map(|at| {
                let status = if at < ready { "True" } else { "False" };
                let value = json!({"metadata": {"name": at.to_string()},
                    "status": {"conditions": [{"type": "Ready", "status": status}]}});
                Pod::of(Arc::new(Object::from_value(&value)))
            })
            .collect();
        let Budget {
            allowed,
            healthy,
            desired,
            expected,
        } = budget(&spec, &pods, &BTreeMap::new(), scale);
        assert_eq!([allowed, healthy, desired, expected], expect);
    }

    #[test]
    fn budgets_follow_upstreams_arithmetic() {
        check(json!({"minAvailable": 1}), 3, 0, 0, [2, 3, 1, 3]);
        check(json!({"minAvailable": 5}), 3, 0, 0, [0, 3, 5, 3]);
        check(json!({"minAvailable": "50%"}), 3, 0, 3, [1, 3, 2, 3]);
        check(json!({"maxUnavailable": 1}), 2, 1, 3, [0, 2, 2, 3]);
        check(json!({"maxUnavailable": "30%"}), 7, 0, 7, [3, 7, 4, 7]);
        check(json!({"maxUnavailable": 1}), 0, 0, 0, [0, 0, 0, 0]);
    }
}

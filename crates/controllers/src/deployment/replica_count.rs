//! The sizes of a rollout: surge and unavailability, how far the new set may grow, how far the old ones must shrink.

use k8s_openapi::api::apps::v1::DeploymentSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::replica_sets::ReplicaSet;
use crate::percent::{Rounding, scaled};

/// `spec.replicas`.
pub(super) fn wanted(spec: &DeploymentSpec) -> i64 {
    i64::from(spec.replicas.unwrap_or(1))
}

fn rolling(spec: &DeploymentSpec) -> Option<(IntOrString, IntOrString)> {
    let strategy = spec.strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate") {
        return None;
    }
    let rolling = strategy
        .and_then(|strategy| strategy.rolling_update.clone())
        .unwrap_or_default();
    let quarter = || IntOrString::String("25%".to_owned());
    Some((
        rolling.max_surge.unwrap_or_else(quarter),
        rolling.max_unavailable.unwrap_or_else(quarter),
    ))
}

/// How many pods there may be beyond what is wanted.
pub(super) fn max_surge(spec: &DeploymentSpec) -> i64 {
    rolling(spec).map_or(0, |(surge, _)| scaled(&surge, wanted(spec), Rounding::Up))
}

/// How many of the wanted pods may be unavailable. At least 1 where there is no surge: a rollout must be able to move.
pub(super) fn max_unavailable(spec: &DeploymentSpec) -> i64 {
    let wanted = wanted(spec);
    let Some((surge, unavailable)) = rolling(spec).filter(|_| wanted > 0) else {
        return 0;
    };
    let unavailable = scaled(&unavailable, wanted, Rounding::Down);
    let surge = scaled(&surge, wanted, Rounding::Up);
    let fenced = if surge == 0 && unavailable == 0 {
        1
    } else {
        unavailable
    };
    fenced.min(wanted)
}

/// The size that the new set (now `new`) may have, when all sets together have `total`.
pub(super) fn new_size(spec: &DeploymentSpec, new: i64, total: i64) -> i64 {
    let wanted = wanted(spec);
    if rolling(spec).is_none() || new > wanted {
        return wanted;
    }
    let most = wanted + max_surge(spec);
    new + (most - total).clamp(0, wanted - new)
}

/// The sizes that the old sets (oldest first) shrink to: first those pods that are not available anyway, then as many
/// as the available ones of all sets allow.
pub(super) fn old_sizes(spec: &DeploymentSpec, old: &[ReplicaSet], new: &ReplicaSet) -> Vec<i64> {
    let mut sizes: Vec<i64> = old.iter().map(|set| set.replicas).collect();
    let least = wanted(spec) - max_unavailable(spec);
    let total = sizes.iter().sum::<i64>() + new.replicas;
    let mut budget = total - least - (new.replicas - new.available);
    if budget <= 0 {
        return sizes;
    }
    for (size, set) in sizes.iter_mut().zip(old) {
        let unhealthy = (*size - set.available).clamp(0, budget.max(0));
        *size -= unhealthy;
        budget -= unhealthy;
    }
    let available = old.iter().map(|set| set.available).sum::<i64>() + new.available;
    let mut spare = available - least;
    for size in &mut sizes {
        let less = (*size).min(spare.max(0));
        *size -= less;
        spare -= less;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::*;

    fn spec(replicas: i64, surge: Value, unavailable: Value) -> DeploymentSpec {
        serde_json::from_value(json!({"replicas": replicas, "selector": {}, "template": {},
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}))
        .unwrap()
    }

    fn set(replicas: i64, available: i64) -> ReplicaSet {
        let value = json!({"metadata": {"name": "x"}, "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "availableReplicas": available}});
        ReplicaSet::of(Arc::new(Object::from_value(&value))).unwrap()
    }

    #[test]
    fn percentages_of_surge_round_up_and_of_unavailability_down() {
        let quarter = spec(10, json!("25%"), json!("25%"));
        assert_eq!((max_surge(&quarter), max_unavailable(&quarter)), (3, 2));
        let neither = spec(10, json!(0), json!("1%"));
        assert_eq!((max_surge(&neither), max_unavailable(&neither)), (0, 1));
        assert_eq!(max_unavailable(&spec(2, json!(0), json!(5))), 2);
        assert_eq!(max_unavailable(&spec(0, json!(0), json!(5))), 0);
    }

    #[test]
    fn the_new_set_grows_into_the_surge() {
        let spec = spec(10, json!(2), json!(2));
        assert_eq!(new_size(&spec, 0, 10), 2);
        assert_eq!(new_size(&spec, 2, 8), 6);
        assert_eq!(new_size(&spec, 2, 12), 2);
        assert_eq!(new_size(&spec, 12, 12), 10);
        assert_eq!(new_size(&spec, 0, 0), 10);
    }

    #[test]
    fn old_sets_shrink_as_far_as_availability_allows() {
        let spec = spec(10, json!(2), json!(2));
        assert_eq!(old_sizes(&spec, &[set(10, 10)], &set(2, 0)), [8]);
        assert_eq!(old_sizes(&spec, &[set(8, 8)], &set(4, 0)), [8]);
        assert_eq!(old_sizes(&spec, &[set(8, 8)], &set(4, 2)), [6]);
        // What is unhealthy goes first, and does not use up availability.
        assert_eq!(old_sizes(&spec, &[set(3, 3), set(8, 5)], &set(0, 0)), [3, 5]);
        assert_eq!(old_sizes(&spec, &[set(1, 1)], &set(10, 10)), [0]);
    }
}

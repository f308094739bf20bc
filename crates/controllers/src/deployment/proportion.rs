//! How a changed size is spread over the ReplicaSets of a rollout that is under way.

use std::cmp::Reverse;

use k8s_openapi::api::apps::v1::DeploymentSpec;

use super::Sets;
use super::replica_count::{max_surge, wanted};
use super::replica_sets::ReplicaSet;

/// Sets by name, and the size each should have. Sets that are not named keep theirs.
pub(super) fn sizes<'a>(spec: &DeploymentSpec, sets: &'a Sets, actual: i64) -> Vec<(&'a ReplicaSet, i64)> {
    let wanted = wanted(spec);
    if let Some(only) = active_or_latest(sets) {
        return vec![(only, wanted)];
    }
    if is_saturated(sets.new.as_ref(), wanted) {
        let active = sets.old.iter().filter(|set| set.replicas > 0);
        return active.map(|set| (set, 0)).collect();
    }
    if spec
        .strategy
        .as_ref()
        .and_then(|strategy| strategy.type_.as_deref())
        == Some("Recreate")
    {
        return Vec::new();
    }
    proportional(spec, sets, actual)
}

/// The one set that has pods, or where none has, the newest.
fn active_or_latest(sets: &Sets) -> Option<&ReplicaSet> {
    let mut active = sets.active();
    match (active.next(), active.next()) {
        (None, _) => sets.new.as_ref().or_else(|| sets.old.last()),
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn is_saturated(new: Option<&ReplicaSet>, wanted: i64) -> bool {
    new.is_some_and(|new| new.replicas == wanted && new.desired() == Some(wanted) && new.available == wanted)
}

/// The larger a set, the larger its share; what rounding leaves over goes to the largest.
fn proportional<'a>(spec: &DeploymentSpec, sets: &'a Sets, actual: i64) -> Vec<(&'a ReplicaSet, i64)> {
    let mut active: Vec<&ReplicaSet> = sets.active().collect();
    let total: i64 = active.iter().map(|set| set.replicas).sum();
    let most = if wanted(spec) > 0 {
        wanted(spec) + max_surge(spec)
    } else {
        0
    };
    let to_add = most - total;
    if to_add > 0 {
        active.sort_by(|a, b| (b.replicas, b.by_creation()).cmp(&(a.replicas, a.by_creation())));
    } else {
        active.sort_by_key(|set| (Reverse(set.replicas), set.by_creation()));
    }
    let mut added = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for set in active {
        let share = if to_add == added {
            0
        } else {
            share(spec, set, actual)
        };
        let left = to_add - added;
        let share = if to_add > 0 {
            share.min(left)
        } else {
            share.max(left)
        };
        added += share;
        sizes.push((set, set.replicas + share));
    }
    if let Some((_, size)) = sizes.first_mut() {
        *size = (*size + to_add - added).max(0);
    }
    sizes
}

/// What keeps the set's part of the whole the same.
fn share(spec: &DeploymentSpec, set: &ReplicaSet, actual: i64) -> i64 {
    if wanted(spec) == 0 {
        return -set.replicas;
    }
    let before = set.max().filter(|max| *max > 0).unwrap_or(actual);
    if before == 0 {
        return 0;
    }
    let product = set.replicas * (wanted(spec) + max_surge(spec));
    // Halves round away from zero.
    (2 * product + before).div_euclid(2 * before) - set.replicas
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::super::revision::{DESIRED_REPLICAS, MAX_REPLICAS};
    use super::*;

    fn set(name: &str, replicas: i64, desired: i64, max: i64) -> ReplicaSet {
        let value = json!({"metadata": {"name": name, "annotations":
            {DESIRED_REPLICAS: desired.to_string(), MAX_REPLICAS: max.to_string()}},
            "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "availableReplicas": replicas}});
        ReplicaSet::of(Arc::new(Object::from_value(&value))).unwrap()
    }

    fn check(replicas: i64, surge: Value, sets: Sets, expect: &[(&str, i64)]) {
        let spec: DeploymentSpec = serde_json::from_value(json!({"replicas": replicas, "selector": {},
            "template": {}, "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 2}}}))
        .unwrap();
        let sizes = sizes(&spec, &sets, 0);
        assert_eq!(
            sizes
                .iter()
                .map(|(set, size)| (set.name(), *size))
                .collect::<Vec<_>>(),
            expect
        );
    }

    #[test]
    fn a_single_active_set_takes_the_whole_size() {
        let sets = Sets {
            new: Some(set("new", 3, 3, 4)),
            old: vec![set("old", 0, 3, 4)],
        };
        check(7, json!(1), sets, &[("new", 7)]);
    }

    #[test]
    fn a_saturated_rollout_scales_its_old_sets_away() {
        let sets = Sets {
            new: Some(set("new", 3, 3, 4)),
            old: vec![set("old", 1, 3, 4)],
        };
        check(3, json!(1), sets, &[("old", 0)]);
    }

    #[test]
    fn a_rollout_under_way_is_scaled_in_proportion() {
        // Upstream's documentation: 10 replicas, surge 3; 8 old and 5 new become 15: 8 more are shared out.
        let sets = Sets {
            new: Some(set("new", 5, 10, 13)),
            old: vec![set("old", 8, 10, 13)],
        };
        check(15, json!(3), sets, &[("old", 11), ("new", 7)]);
        let sets = Sets {
            new: Some(set("new", 5, 10, 13)),
            old: vec![set("old", 8, 10, 13)],
        };
        check(0, json!(3), sets, &[("old", 0), ("new", 0)]);
    }
}

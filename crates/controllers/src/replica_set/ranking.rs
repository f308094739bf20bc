//! Which pods go first when there are too many: upstream's `ActivePodsWithRanks`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::pod::Pod;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

struct Ranked<'a> {
    pod: &'a Pod,
    /// How many related active pods share its node.
    on_node: usize,
}

/// The `count` pods of `pods` to delete, the first to go first.
pub(super) fn first_to_go<'a>(
    pods: &'a [Pod],
    related: &[Pod],
    count: usize,
    now: Timestamp,
) -> Vec<&'a Pod> {
    if count >= pods.len() {
        return pods.iter().collect();
    }
    let mut on_node: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in related.iter().filter(|pod| pod.is_active()) {
        *on_node.entry(&pod.spec.node_name).or_default() += 1;
    }
    let mut ranked: Vec<_> = pods
        .iter()
        .map(|pod| Ranked {
            pod,
            on_node: on_node
                .get(pod.spec.node_name.as_str())
                .copied()
                .unwrap_or_default(),
        })
        .collect();
    ranked.sort_by(|a, b| order(a, b, now));
    ranked.into_iter().take(count).map(|ranked| ranked.pod).collect()
}

/// Unassigned before assigned, pending before unknown before running, not ready before ready, cheap before dear,
/// crowded before lonely, ready or made lately before long ago, often restarted before seldom.
fn order(a: &Ranked<'_>, b: &Ranked<'_>, now: Timestamp) -> Ordering {
    let (x, y) = (a.pod, b.pod);
    let assigned = |pod: &Pod| !pod.spec.node_name.is_empty();
    assigned(x)
        .cmp(&assigned(y))
        .then_with(|| phase(x).cmp(&phase(y)))
        .then_with(|| x.is_ready().cmp(&y.is_ready()))
        .then_with(|| deletion_cost(x).cmp(&deletion_cost(y)))
        .then_with(|| b.on_node.cmp(&a.on_node))
        .then_with(|| age(x.ready_since(), now).cmp(&age(y.ready_since(), now)))
        .then_with(|| y.restarts().cmp(&x.restarts()))
        .then_with(|| {
            let made = |pod: &Pod| age(pod.metadata.creation_timestamp, now);
            made(x).cmp(&made(y))
        })
        .then_with(|| x.meta().uid.cmp(&y.meta().uid))
}

fn phase(pod: &Pod) -> u8 {
    match pod.status.phase.as_str() {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    pod.metadata
        .annotations
        .get(DELETION_COST)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// An age, as the power of two that it reaches: ages of the same power are equal, so that not always the newest (and
/// so, say, one zone's) go. Upstream compares uids at once where powers are equal but times are not, which is no total
/// order; here the uid decides last.
fn age(time: Option<Timestamp>, now: Timestamp) -> i64 {
    match time.map(|time| now.duration_since(time).as_nanos()) {
        None => -2,
        Some(age) if age > 0 => i64::from(age.ilog2()),
        Some(_) => -1,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::*;

    fn check(pods: Value, expect: &[&str]) {
        let pods: Vec<Pod> = pods
            .as_array()
            .unwrap()
            .iter()
            .map(|pod| Pod::of(Arc::new(Object::from_value(pod))))
            .collect();
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        let first = first_to_go(&pods, &pods, expect.len(), now);
        assert_eq!(first.iter().map(|pod| pod.name()).collect::<Vec<_>>(), expect);
    }

    fn pod(name: &str, node: &str, phase: &str, ready: Option<&str>) -> Value {
        let conditions = ready
            .map(|since| json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]))
            .unwrap_or(json!([]));
        json!({"metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": node}, "status": {"phase": phase, "conditions": conditions}})
    }

    #[test]
    fn unassigned_then_pending_then_unready_go_first() {
        let since = Some("2026-01-01T00:00:00Z");
        check(
            json!([
                pod("ready", "a", "Running", since),
                pod("unready", "b", "Running", None),
                pod("pending", "c", "Pending", None),
                pod("unassigned", "", "Pending", None),
            ]),
            &["unassigned", "pending", "unready"],
        );
    }

    #[test]
    fn any_mix_of_pods_has_an_order() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let pods: Vec<Pod> = (0..500)
            .map(|_| {
                let name = format!("{:05}", random(100_000));
                let since = format!("2026-01-01T00:{:02}:{:02}Z", random(60), random(4));
                let mut value = pod(&name, "a", "Running", (random(3) > 0).then_some(&since));
                value["status"]["containerStatuses"] = json!([{"name": "c", "restartCount": random(3)}]);
                Pod::of(Arc::new(Object::from_value(&value)))
            })
            .collect();
        let now = "2026-01-01T01:00:00Z".parse().unwrap();
        assert_eq!(first_to_go(&pods, &pods, 499, now).len(), 499);
    }

    #[test]
    fn cheap_then_crowded_then_young_go_first() {
        let since = Some("2026-01-01T00:00:00Z");
        let mut cheap = pod("cheap", "c", "Running", since);
        cheap["metadata"]["annotations"] = json!({DELETION_COST: "-1"});
        check(
            json!([
                pod("lonely", "a", "Running", since),
                pod("crowded-old", "b", "Running", since),
                pod("crowded-young", "b", "Running", Some("2026-01-01T00:59:00Z")),
                cheap,
            ]),
            &["cheap", "crowded-young", "crowded-old"],
        );
    }
}

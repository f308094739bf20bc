//! Topology spread constraints, as upstream's `PodTopologySpread`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::TopologySpreadConstraint;

use super::{node_affinity, pod_affinity};
use crate::pod_view::PodView;
use crate::snapshot::{Seat, Snapshot};

pub(crate) fn refusal(pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> Option<&'static str> {
    for constraint in hard(pod) {
        let Some(domain) = seat.node.label(&constraint.topology_key) else {
            return Some("node(s) didn't match pod topology spread constraints (missing required label)");
        };
        let counts = counts(pod, constraint, snapshot);
        let here = counts.get(domain).copied().unwrap_or_default();
        let least = fewest(constraint, &counts);
        let own = i64::from(pod_affinity::selected(constraint.label_selector.as_ref(), pod));
        if here + own - least > i64::from(constraint.max_skew) {
            return Some("node(s) didn't match pod topology spread constraints");
        }
    }
    None
}

/// How many pods of soft constraints are in this node's domains already: fewer is better.
pub(crate) fn crowding(pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> i64 {
    let soft = pod
        .spec
        .topology_spread_constraints
        .iter()
        .flatten()
        .filter(|constraint| constraint.when_unsatisfiable == "ScheduleAnyway");
    soft.map(|constraint| {
        let domain = seat.node.label(&constraint.topology_key).unwrap_or_default();
        counts(pod, constraint, snapshot)
            .get(domain)
            .copied()
            .unwrap_or_default()
    })
    .sum()
}

fn hard(pod: &PodView) -> impl Iterator<Item = &TopologySpreadConstraint> {
    pod.spec
        .topology_spread_constraints
        .iter()
        .flatten()
        .filter(|constraint| constraint.when_unsatisfiable == "DoNotSchedule")
}

/// Matching pods by domain, over the nodes that the pod could use.
fn counts<'a>(
    pod: &PodView,
    constraint: &TopologySpreadConstraint,
    snapshot: &'a Snapshot,
) -> BTreeMap<&'a str, i64> {
    let mut counts = BTreeMap::new();
    for seat in &snapshot.seats {
        let Some(domain) = seat.node.label(&constraint.topology_key) else {
            continue;
        };
        if node_affinity::refusal(pod, &seat.node).is_some() {
            continue;
        }
        let matching = seat.pods.iter().filter(|placed| {
            placed.key.namespace == pod.key.namespace
                && !placed.deleting
                && pod_affinity::selected(constraint.label_selector.as_ref(), placed)
        });
        *counts.entry(domain).or_default() += i64::try_from(matching.count()).unwrap_or(i64::MAX);
    }
    counts
}

/// With fewer domains than `minDomains`, the global minimum counts as none.
fn fewest(constraint: &TopologySpreadConstraint, counts: &BTreeMap<&str, i64>) -> i64 {
    let domains = i32::try_from(counts.len()).unwrap_or(i32::MAX);
    if constraint.min_domains.is_some_and(|least| domains < least) {
        return 0;
    }
    counts.values().copied().min().unwrap_or_default()
}

//! What a StatefulSet does next: pure.

use jiff::Timestamp;

use crate::controller_revision;
use crate::pod::Pod;

/// What is desired.
#[derive(Clone, Debug)]
pub(super) struct Desired<'a> {
    /// The first ordinal.
    pub(super) start: i64,
    /// How many.
    pub(super) replicas: i64,
    /// One after the other (`OrderedReady`), or all at once.
    pub(super) order: Order,
    /// How pods get a new template.
    pub(super) strategy: Strategy,
    /// `spec.minReadySeconds`.
    pub(super) min_ready_seconds: i64,
    /// The name of the revision that pods should have.
    pub(super) update_revision: &'a str,
    /// The set itself is going: nothing is done any more.
    pub(super) deleting: bool,
}

/// `spec.podManagementPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ordered,
    Parallel,
}

/// `spec.updateStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    OnDelete,
    /// Ordinals from `start + partition` on, at most `max_unavailable` at once.
    Rolling {
        partition: i64,
        max_unavailable: i64,
    },
}

/// A step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action<'a> {
    /// Make the claims and the pod of an ordinal.
    Create(i64),
    /// Make the claims that a pending pod waits for.
    EnsureClaims(i64),
    /// A pod that ended goes, so that it can be made again.
    Replace(&'a Pod),
    /// A pod that is one too many, or of an old revision, goes.
    Delete(&'a Pod),
}

/// A pod and its ordinal.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) ordinal: i64,
    pub(super) pod: Pod,
}

impl Member {
    /// Running, ready and not going, for long enough.
    fn is_available(&self, desired: &Desired<'_>, now: Timestamp) -> bool {
        is_healthy(&self.pod) && self.pod.is_available(desired.min_ready_seconds, now)
    }
}

/// Running, ready, not going.
pub(super) fn is_healthy(pod: &Pod) -> bool {
    pod.status.phase == "Running" && pod.is_ready() && !pod.meta().deleting
}

/// The steps to take now. In order, each step waits for the one before to be complete.
pub(super) fn plan<'a>(desired: &Desired<'_>, members: &'a [Member], now: Timestamp) -> Vec<Action<'a>> {
    let mut actions = Vec::new();
    if desired.deleting {
        return actions;
    }
    let wanted = desired.start..desired.start + desired.replicas;
    for ordinal in wanted.clone() {
        let member = members.iter().find(|member| member.ordinal == ordinal);
        if fill(desired, ordinal, member, now, &mut actions) == Flow::Stop {
            return actions;
        }
    }
    let mut condemned: Vec<&Member> = members.iter().filter(|m| !wanted.contains(&m.ordinal)).collect();
    condemned.sort_by_key(|member| std::cmp::Reverse(member.ordinal));
    if condemn(desired, &condemned, members, now, &mut actions) == Flow::Stop {
        return actions;
    }
    if let Strategy::Rolling {
        partition,
        max_unavailable,
    } = desired.strategy
    {
        let from = desired.start + partition;
        let targets: Vec<&Member> = members
            .iter()
            .rev()
            .filter(|member| wanted.contains(&member.ordinal) && member.ordinal >= from)
            .collect();
        update(desired, &targets, max_unavailable, now, &mut actions);
    }
    actions
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    Stop,
}

/// Brings one ordinal to life.
fn fill<'a>(
    desired: &Desired<'_>,
    ordinal: i64,
    member: Option<&'a Member>,
    now: Timestamp,
    actions: &mut Vec<Action<'a>>,
) -> Flow {
    let stop_if_ordered = match desired.order {
        Order::Ordered => Flow::Stop,
        Order::Parallel => Flow::Go,
    };
    let Some(member) = member else {
        actions.push(Action::Create(ordinal));
        return stop_if_ordered;
    };
    let pod = &member.pod;
    if pod.is_terminal() {
        if !pod.meta().deleting {
            actions.push(Action::Replace(pod));
        }
        return stop_if_ordered;
    }
    if pod.status.phase == "Pending" || pod.status.phase.is_empty() {
        actions.push(Action::EnsureClaims(ordinal));
    }
    if member.is_available(desired, now) {
        Flow::Go
    } else {
        stop_if_ordered
    }
}

/// Takes the surplus away, the highest ordinal first. In order, an unhealthy pod holds up the rest, unless it is itself
/// the lowest unhealthy one.
fn condemn<'a>(
    desired: &Desired<'_>,
    condemned: &[&'a Member],
    members: &[Member],
    now: Timestamp,
    actions: &mut Vec<Action<'a>>,
) -> Flow {
    let first_unhealthy = members.iter().find(|m| !is_healthy(&m.pod)).map(|m| m.ordinal);
    let ordered = desired.order == Order::Ordered;
    for member in condemned {
        if member.pod.meta().deleting {
            if ordered {
                return Flow::Stop;
            }
            continue;
        }
        if ordered && !member.is_available(desired, now) && first_unhealthy != Some(member.ordinal) {
            return Flow::Stop;
        }
        actions.push(Action::Delete(&member.pod));
        if ordered {
            return Flow::Stop;
        }
    }
    Flow::Go
}

/// Replaces pods of old revisions, the highest ordinal first, as long as not too many are unavailable.
fn update<'a>(
    desired: &Desired<'_>,
    targets: &[&'a Member],
    max_unavailable: i64,
    now: Timestamp,
    actions: &mut Vec<Action<'a>>,
) {
    let mut unavailable = 0;
    for member in targets {
        if unavailable >= max_unavailable {
            return;
        }
        let current = controller_revision::of_pod(member.pod.meta()) == desired.update_revision;
        if !current && !member.pod.meta().deleting {
            actions.push(Action::Delete(&member.pod));
            unavailable += 1;
        } else if !member.is_available(desired, now) {
            unavailable += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::*;

    fn desired(replicas: i64, order: Order, strategy: Strategy) -> Desired<'static> {
        Desired {
            start: 0,
            replicas,
            order,
            strategy,
            min_ready_seconds: 0,
            update_revision: "new",
            deleting: false,
        }
    }

    const ROLLING: Strategy = Strategy::Rolling {
        partition: 0,
        max_unavailable: 1,
    };

    /// `pods`: ordinal, state (`ready`, `pending`, `failed`, `going`) and revision.
    fn check(desired: &Desired<'_>, pods: &[(i64, &str, &str)], expect: &[&str]) {
        let members: Vec<Member> = pods.iter().map(|pod| member(*pod)).collect();
        let told: Vec<String> = plan(desired, &members, "2026-01-01T00:00:00Z".parse().unwrap())
            .iter()
            .map(|action| match action {
                Action::Create(ordinal) => format!("create {ordinal}"),
                Action::EnsureClaims(ordinal) => format!("claims {ordinal}"),
                Action::Replace(pod) => format!("replace {}", pod.name()),
                Action::Delete(pod) => format!("delete {}", pod.name()),
            })
            .collect();
        assert_eq!(told, expect, "{desired:?} {pods:?}");
    }

    fn member((ordinal, state, revision): (i64, &str, &str)) -> Member {
        let mut value: Value = json!({"metadata": {"name": ordinal.to_string(),
            "labels": {"controller-revision-hash": revision}}, "status": {"phase": "Running"}});
        match state {
            "ready" => value["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]),
            "failed" => value["status"]["phase"] = json!("Failed"),
            "pending" => value["status"]["phase"] = json!("Pending"),
            _ => value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
        }
        Member {
            ordinal,
            pod: Pod::of(Arc::new(Object::from_value(&value))),
        }
    }

    #[test]
    fn ordered_sets_go_one_by_one_and_parallel_ones_at_once() {
        let ordered = desired(3, Order::Ordered, ROLLING);
        check(&ordered, &[], &["create 0"]);
        check(&ordered, &[(0, "pending", "new")], &["claims 0"]);
        check(&ordered, &[(0, "ready", "new")], &["create 1"]);
        check(&ordered, &[(0, "failed", "new")], &["replace 0"]);
        check(&ordered, &[(0, "going", "new"), (1, "ready", "new")], &[]);
        check(
            &desired(3, Order::Parallel, ROLLING),
            &[],
            &["create 0", "create 1", "create 2"],
        );
    }

    #[test]
    fn the_highest_ordinal_goes_first() {
        let pods = [(0, "ready", "new"), (1, "ready", "new"), (2, "ready", "new")];
        check(&desired(1, Order::Ordered, ROLLING), &pods, &["delete 2"]);
        check(
            &desired(1, Order::Parallel, ROLLING),
            &pods,
            &["delete 2", "delete 1"],
        );
        let unhealthy = [(0, "ready", "new"), (1, "pending", "new"), (2, "ready", "new")];
        check(&desired(1, Order::Ordered, ROLLING), &unhealthy, &["delete 2"]);
        let both = [(0, "ready", "new"), (1, "pending", "new"), (2, "pending", "new")];
        check(&desired(1, Order::Ordered, ROLLING), &both, &[]);
        let going = [(0, "ready", "new"), (1, "ready", "new"), (2, "going", "new")];
        check(&desired(1, Order::Ordered, ROLLING), &going, &[]);
    }

    #[test]
    fn updates_go_down_to_the_partition_one_at_a_time() {
        let old = [(0, "ready", "old"), (1, "ready", "old"), (2, "ready", "old")];
        check(&desired(3, Order::Ordered, ROLLING), &old, &["delete 2"]);
        let half = [(0, "ready", "old"), (1, "ready", "old"), (2, "ready", "new")];
        check(&desired(3, Order::Ordered, ROLLING), &half, &["delete 1"]);
        let partition = Strategy::Rolling {
            partition: 2,
            max_unavailable: 1,
        };
        check(&desired(3, Order::Ordered, partition), &half, &[]);
        check(&desired(3, Order::Ordered, Strategy::OnDelete), &old, &[]);
        let two = Strategy::Rolling {
            partition: 0,
            max_unavailable: 2,
        };
        check(&desired(3, Order::Parallel, two), &old, &["delete 2", "delete 1"]);
        let waiting = [(0, "ready", "old"), (1, "ready", "old"), (2, "pending", "new")];
        check(&desired(3, Order::Parallel, ROLLING), &waiting, &["claims 2"]);
    }
}

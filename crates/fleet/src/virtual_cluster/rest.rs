//! Pausing and resuming: what a pass finds, and what it makes of it.
//!
//! The pod rule takes the host pods away while the binding says `paused`; here it is decided when the binding says so. A
//! resumed cluster still counts as paused until the last host pod that is on its way out is gone: else the rule would
//! take its end for the end of the virtual pod.

use std::time::Duration;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, resource};
use warren_config::Phase;
use warren_reconciler::Cluster;
use warren_syncer::Bindings;
use warren_translate::MANAGED_BY;

use super::status::Fact;

/// The condition that tells of a pause. It is there from the beginning of a pause to the end of the next resume.
pub(super) const CONDITION: &str = "Paused";
/// How often the host pods are counted on the way into a pause and out of it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Where a virtual cluster is between working and resting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It works.
    Working,
    /// Its host pods are being taken away: so many are left.
    Pausing(usize),
    /// No host pod is left.
    Paused,
    /// It is wanted back, but as many host pods are still on their way out.
    Resuming(usize),
}

/// The host pods of a virtual cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostPods {
    pub(super) all: usize,
    pub(super) going: usize,
}

impl Rest {
    /// Decides. `was` says whether the object tells of a pause already.
    pub(super) const fn of(wanted: bool, was: bool, pods: HostPods) -> Self {
        match (wanted, was) {
            (true, _) if pods.all == 0 => Self::Paused,
            (true, _) => Self::Pausing(pods.all),
            (false, true) if pods.going > 0 => Self::Resuming(pods.going),
            (false, _) => Self::Working,
        }
    }

    /// Whether pods stay away from the host.
    pub(super) fn holds_pods(self) -> bool {
        self != Self::Working
    }

    /// In one word, for a cluster that serves.
    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Paused => Phase::Paused,
            _ => Phase::Ready,
        }
    }

    /// What is told of it.
    pub(super) fn fact(self) -> Fact {
        let (holds, reason, message) = match self {
            Self::Working => return Fact::NoCondition(CONDITION),
            Self::Paused => (true, "Paused", "no pod runs on the host".to_owned()),
            Self::Pausing(left) => (false, "Pausing", format!("{left} pods are still on the host")),
            Self::Resuming(left) => (
                false,
                "Resuming",
                format!("{left} pods of before are still ending"),
            ),
        };
        Fact::Condition(CONDITION, holds, reason, message)
    }

    /// When to look again though nothing changed.
    pub(super) fn look_again(self) -> Option<Duration> {
        matches!(self, Self::Pausing(_) | Self::Resuming(_)).then_some(LOOK_AGAIN)
    }
}

/// Whether the object tells of a pause.
pub(super) fn is_told(object: &Value) -> bool {
    let conditions = object.items("/status/conditions");
    conditions
        .iter()
        .any(|condition| condition.text("/type") == CONDITION)
}

/// Counts the host pods of a virtual cluster.
pub(super) fn host_pods(host: &dyn Cluster, bindings: &dyn Bindings, cluster: &ClusterId) -> HostPods {
    let mut pods = HostPods::default();
    for pod in host.list(&resource::PODS, None) {
        let meta = pod.meta();
        let binding = meta
            .label(MANAGED_BY)
            .and_then(|name| bindings.of_host(host.id(), &meta.namespace, name));
        if binding.is_some_and(|binding| binding.virtual_cluster == *cluster) {
            pods.all += 1;
            pods.going += usize::from(meta.deleting);
        }
    }
    pods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_held_until_those_of_before_are_gone() {
        let pods = |all, going| HostPods { all, going };
        let table = [
            (false, false, pods(5, 1), Rest::Working),
            (true, false, pods(5, 0), Rest::Pausing(5)),
            (true, true, pods(2, 2), Rest::Pausing(2)),
            (true, true, pods(0, 0), Rest::Paused),
            (false, true, pods(2, 2), Rest::Resuming(2)),
            (false, true, pods(2, 0), Rest::Working),
            (false, true, pods(0, 0), Rest::Working),
        ];
        for (wanted, was, pods, expect) in table {
            let rest = Rest::of(wanted, was, pods);
            assert_eq!(rest, expect);
            assert_eq!(rest.holds_pods(), expect != Rest::Working);
        }
    }
}

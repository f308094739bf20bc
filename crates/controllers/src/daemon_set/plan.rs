//! What a DaemonSet does next, node by node: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::Object;
use warren_apimachinery::value::ValueExt;

use crate::controller_revision;
use crate::placement::{daemon_tolerations, fits_node, tolerates};
use crate::pod::Pod;

/// Whether a node should have a pod, and may keep one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It should.
    Wanted,
    /// It should not, but a pod that is there stays: a taint came after it.
    Tolerated,
    /// It should not.
    Unwanted,
}

/// What the template of a DaemonSet makes of a node.
pub(super) fn place(template_spec: &Value, node: &Object) -> Place {
    let pinned = template_spec.text("/nodeName");
    if (!pinned.is_empty() && pinned != node.meta().name) || !fits_node(template_spec, node.meta()) {
        return Place::Unwanted;
    }
    let value = node.to_value();
    let taints = value.items("/spec/taints");
    if taints.is_empty() {
        return Place::Wanted;
    }
    let mut tolerations = template_spec.items("/tolerations").to_vec();
    let host_network = template_spec.at("/hostNetwork").as_bool().unwrap_or_default();
    tolerations.extend(daemon_tolerations(host_network));
    if tolerates(&tolerations, taints, &["NoSchedule", "NoExecute"]) {
        Place::Wanted
    } else if tolerates(&tolerations, taints, &["NoExecute"]) {
        Place::Tolerated
    } else {
        Place::Unwanted
    }
}

/// The nodes by name with what they should have, and the pods on each (or bound for it).
pub(super) struct Observed<'a> {
    pub(super) places: BTreeMap<&'a str, Place>,
    pub(super) pods: BTreeMap<&'a str, Vec<&'a Pod>>,
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Update {
    /// How many nodes may be without an available pod.
    pub(super) max_unavailable: usize,
    /// How many nodes may have two.
    pub(super) max_surge: usize,
}

/// What goes and comes.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// Nodes that get a pod.
    pub(super) create: Vec<&'a str>,
    /// Pods that go.
    pub(super) delete: Vec<&'a Pod>,
    /// Pods that go because they ended: worth an event.
    pub(super) ended: Vec<&'a Pod>,
}

/// The node that a pod is on, or that its affinity names.
pub(super) fn target_node(pod: &Pod) -> Option<&str> {
    if !pod.spec.node_name.is_empty() {
        return Some(&pod.spec.node_name);
    }
    let affinity = &pod.spec.affinity;
    let terms =
        affinity.items("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms");
    terms
        .iter()
        .flat_map(|term| term.items("/matchFields"))
        .find(|field| field.text("/key") == "metadata.name" && field.text("/operator") == "In")
        .and_then(|field| field.at("/values/0").as_str())
}

fn is_new(pod: &Pod, hash: &str) -> bool {
    controller_revision::of_pod(pod.meta()) == hash
}

/// One pod per wanted node; none elsewhere.
pub(super) fn plan<'a>(
    observed: &Observed<'a>,
    hash: &str,
    update: Option<Update>,
    (min_ready, now): (i64, Timestamp),
) -> Plan<'a> {
    let mut plan = Plan::default();
    for (node, place) in &observed.places {
        let pods = observed.pods.get(node).map(Vec::as_slice).unwrap_or_default();
        let (ended, running): (Vec<&Pod>, Vec<&Pod>) = pods
            .iter()
            .filter(|pod| !pod.meta().deleting)
            .partition(|pod| pod.is_terminal());
        match place {
            Place::Unwanted => plan.delete.extend(pods.iter().filter(|pod| !pod.meta().deleting)),
            Place::Wanted | Place::Tolerated => {
                plan.ended.extend(ended);
                let surge = update.is_some_and(|update| update.max_surge > 0);
                plan.delete.extend(surplus(running, hash, surge, |pod| {
                    pod.is_available(min_ready, now)
                }));
                if *place == Place::Wanted && pods.is_empty() {
                    plan.create.push(node);
                }
            }
        }
    }
    // Pods bound for nodes that are gone and that never came to run; the others are the pod garbage collector's.
    let lost = observed
        .pods
        .iter()
        .filter(|(node, _)| !observed.places.contains_key(*node));
    let unscheduled = lost
        .flat_map(|(_, pods)| pods)
        .filter(|pod| pod.spec.node_name.is_empty() && !pod.meta().deleting);
    plan.delete.extend(unscheduled);
    if let Some(update) = update {
        roll(observed, hash, update, (min_ready, now), &mut plan);
    }
    plan
}

/// All but the oldest pod of a node; with surge, all but the oldest of each generation, and the old one too once the
/// new one is available.
fn surplus<'a>(
    mut pods: Vec<&'a Pod>,
    hash: &str,
    surge: bool,
    is_available: impl Fn(&Pod) -> bool,
) -> Vec<&'a Pod> {
    pods.sort_by_key(|pod| (pod.spec.node_name.is_empty(), pod.metadata.creation_timestamp));
    if !surge {
        return pods.into_iter().skip(1).collect();
    }
    let (new, old): (Vec<&Pod>, Vec<&Pod>) = pods.into_iter().partition(|pod| is_new(pod, hash));
    let replaced = new.first().is_some_and(|pod| is_available(pod));
    new.into_iter()
        .skip(1)
        .chain(old.into_iter().skip(usize::from(!replaced)))
        .collect()
}

/// Replaces pods of old revisions as far as unavailability or surge allow.
fn roll<'a>(
    observed: &Observed<'a>,
    hash: &str,
    update: Update,
    (min_ready, now): (i64, Timestamp),
    plan: &mut Plan<'a>,
) {
    let mut unavailable = 0;
    let mut surging = 0;
    let mut broken = Vec::new();
    let mut candidates = Vec::new();
    let wanted = observed
        .places
        .iter()
        .filter(|(_, place)| **place == Place::Wanted);
    for (node, _) in wanted {
        let pods = observed.pods.get(node).map(Vec::as_slice).unwrap_or_default();
        let live: Vec<&Pod> = pods.iter().filter(|pod| pod.is_active()).copied().collect();
        let new = live.iter().find(|pod| is_new(pod, hash));
        let old = live.iter().find(|pod| !is_new(pod, hash));
        match (new, old) {
            (Some(_), Some(_)) => surging += 1,
            (Some(new), None) if !new.is_available(min_ready, now) => unavailable += 1,
            (Some(_), None) => {}
            (None, Some(old)) if !old.is_available(min_ready, now) => {
                unavailable += 1;
                broken.push((*node, *old));
            }
            (None, Some(old)) => candidates.push((*node, *old)),
            (None, None) => unavailable += 1,
        }
    }
    if update.max_surge > 0 {
        let room = update.max_surge.saturating_sub(surging);
        let surge = candidates.iter().take(room).chain(&broken);
        plan.create.extend(surge.map(|(node, _)| *node));
    } else {
        let room = update.max_unavailable.saturating_sub(unavailable);
        plan.delete.extend(
            broken
                .into_iter()
                .chain(candidates.into_iter().take(room))
                .map(|(_, pod)| pod),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn pod(node: &str, name: &str, revision: &str, state: &str) -> Pod {
        let ready = if state == "ready" { "True" } else { "False" };
        let phase = if state == "failed" { "Failed" } else { "Running" };
        Pod::of(Arc::new(Object::from_value(&json!({"metadata": {"name": name,
            "labels": {"controller-revision-hash": revision}}, "spec": {"nodeName": node},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}}))))
    }

    fn check(places: &[(&str, Place)], pods: &[Pod], update: Option<Update>, expect: (&[&str], &[&str])) {
        let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
        for pod in pods {
            by_node.entry(target_node(pod).unwrap()).or_default().push(pod);
        }
        let observed = Observed {
            places: places.iter().copied().collect(),
            pods: by_node,
        };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let plan = plan(&observed, "new", update, (0, now));
        let gone: Vec<_> = plan
            .delete
            .iter()
            .chain(&plan.ended)
            .map(|pod| pod.name())
            .collect();
        assert_eq!((plan.create.as_slice(), gone.as_slice()), expect);
    }

    const ROLLING: Option<Update> = Some(Update {
        max_unavailable: 1,
        max_surge: 0,
    });
    const SURGING: Option<Update> = Some(Update {
        max_unavailable: 0,
        max_surge: 1,
    });

    #[test]
    fn every_wanted_node_gets_one_pod_and_others_none() {
        use Place::{Tolerated, Unwanted, Wanted};
        let pods = [
            pod("b", "b1", "new", "ready"),
            pod("b", "b2", "new", "ready"),
            pod("c", "c1", "new", "ready"),
        ];
        check(
            &[("a", Wanted), ("b", Wanted), ("c", Unwanted)],
            &pods,
            None,
            (&["a"], &["b2", "c1"]),
        );
        check(
            &[("a", Tolerated), ("b", Tolerated), ("c", Tolerated)],
            &pods,
            None,
            (&[], &["b2"]),
        );
        check(
            &[("a", Wanted)],
            &[pod("a", "x", "new", "failed")],
            None,
            (&[], &["x"]),
        );
    }

    #[test]
    fn updates_stay_within_unavailability() {
        let places = [("a", Place::Wanted), ("b", Place::Wanted)];
        let old = [pod("a", "a1", "old", "ready"), pod("b", "b1", "old", "ready")];
        check(&places, &old, ROLLING, (&[], &["a1"]));
        check(&places, &old, None, (&[], &[]));
        let half = [pod("a", "a2", "new", "starting"), pod("b", "b1", "old", "ready")];
        check(&places, &half, ROLLING, (&[], &[]));
        let broken = [
            pod("a", "a2", "new", "starting"),
            pod("b", "b1", "old", "starting"),
        ];
        check(&places, &broken, ROLLING, (&[], &["b1"]));
    }

    #[test]
    fn surging_updates_make_the_new_pod_first() {
        let places = [("a", Place::Wanted), ("b", Place::Wanted)];
        let old = [pod("a", "a1", "old", "ready"), pod("b", "b1", "old", "ready")];
        check(&places, &old, SURGING, (&["a"], &[]));
        let both = [
            pod("a", "a1", "old", "ready"),
            pod("a", "a2", "new", "starting"),
            pod("b", "b1", "old", "ready"),
        ];
        check(&places, &both, SURGING, (&[], &[]));
        let done = [
            pod("a", "a1", "old", "ready"),
            pod("a", "a2", "new", "ready"),
            pod("b", "b1", "old", "ready"),
        ];
        check(&places, &done, SURGING, (&[], &["a1"]));
    }
}

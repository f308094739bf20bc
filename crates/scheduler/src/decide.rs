//! The decision: where a pod goes, or why nowhere.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::filter::refusals;
use crate::pod_view::PodView;
use crate::score;
use crate::snapshot::Snapshot;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This node.
    Bind(SmolStr),
    /// None, with upstream's message.
    Unschedulable(String),
}

/// Filters, then scores; ties go to the first by name.
pub(crate) fn decide(pod: &PodView, snapshot: &Snapshot) -> Decision {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<(score::Score, &SmolStr)> = None;
    for seat in &snapshot.seats {
        let refused = refusals(pod, seat, snapshot);
        if refused.is_empty() {
            let score = score::of(pod, seat, snapshot);
            let better = best
                .as_ref()
                .is_none_or(|(top, name)| score > *top || (score == *top && seat.node.name < **name));
            if better {
                best = Some((score, &seat.node.name));
            }
        }
        for reason in refused {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    match best {
        Some((_, node)) => Decision::Bind(node.clone()),
        None => Decision::Unschedulable(message(snapshot.seats.len(), &reasons)),
    }
}

fn message(nodes: usize, reasons: &BTreeMap<String, usize>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counted: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    counted.sort_unstable();
    format!("0/{nodes} nodes are available: {}.", counted.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::*;
    use crate::node_view::NodeView;
    use crate::snapshot::Seat;

    fn node(name: &str, zone: &str, extra: Value) -> Seat {
        let mut value = json!({
            "metadata": {"name": name, "labels": {"zone": zone, "kubernetes.io/hostname": name}},
            "spec": {},
            "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "3"}}});
        json_patch_merge(&mut value, &extra);
        Seat::new(Arc::new(NodeView::of(&Object::from_value(&value)).unwrap()))
    }

    fn json_patch_merge(into: &mut Value, from: &Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (key, value) in from {
                    json_patch_merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from.clone(),
        }
    }

    fn pod(name: &str, spec: Value) -> PodView {
        let mut value = json!({
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]}});
        json_patch_merge(&mut value["spec"], &spec);
        PodView::of(&Object::from_value(&value)).unwrap()
    }

    fn place(seat: &mut Seat, pod: PodView) {
        seat.add(Arc::new(pod));
    }

    fn check(spec: Value, seats: Vec<Seat>, expected: &str) {
        let namespaces = vec![("default".to_owned(), json!({"team": "a"}))];
        let decision = decide(&pod("p", spec), &Snapshot { seats, namespaces });
        let text = match decision {
            Decision::Bind(node) => node.to_string(),
            Decision::Unschedulable(why) => why,
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn the_emptier_node_wins() {
        let mut full = node("a", "z1", json!({}));
        place(&mut full, pod("other", json!({})));
        check(json!({}), vec![full, node("b", "z1", json!({}))], "b");
    }

    #[test]
    fn every_reason_is_counted() {
        let tainted = json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}});
        let cordoned = json!({"spec": {"unschedulable": true}});
        check(
            json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}}}]}),
            vec![
                node("a", "z", json!({})),
                node("b", "z", tainted),
                node("c", "z", cordoned),
            ],
            "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable.",
        );
        check(json!({}), vec![], "no nodes available to schedule pods");
    }

    #[test]
    fn a_toleration_opens_a_tainted_node() {
        let tainted = json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}});
        check(
            json!({"tolerations": [{"key": "gpu", "operator": "Exists"}]}),
            vec![node("a", "z", tainted)],
            "a",
        );
    }

    #[test]
    fn selectors_and_affinity_choose_the_node() {
        let two = || vec![node("a", "z1", json!({})), node("b", "z2", json!({}))];
        check(json!({"nodeSelector": {"zone": "z2"}}), two(), "b");
        let term = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}]);
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": term}});
        check(json!({"affinity": {"nodeAffinity": required}}), two(), "b");
        check(
            json!({"nodeSelector": {"zone": "z3"}}),
            two(),
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        );
    }

    #[test]
    fn anti_affinity_keeps_pods_apart() {
        let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}]}}});
        let mut taken = node("a", "z1", json!({}));
        place(&mut taken, pod("other", json!({})));
        check(
            apart.clone(),
            vec![taken.clone(), node("b", "z2", json!({}))],
            "b",
        );
        check(
            apart,
            vec![taken],
            "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
        );
    }

    #[test]
    fn affinity_lets_the_first_of_its_kind_in_and_then_binds_the_rest() {
        let together = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}]}}});
        check(together.clone(), vec![node("a", "z1", json!({}))], "a");
        let mut taken = node("b", "z2", json!({}));
        place(&mut taken, pod("other", json!({})));
        check(together, vec![node("a", "z1", json!({})), taken], "b");
    }

    #[test]
    fn spread_bounds_the_skew() {
        let spread = json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]});
        let mut crowded = node("a", "z1", json!({}));
        place(&mut crowded, pod("one", json!({})));
        let full = json!({"status": {"allocatable": {"cpu": "100m"}}});
        check(
            spread,
            vec![crowded, node("b", "z2", full)],
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints.",
        );
    }

    #[test]
    fn a_host_port_is_taken_once() {
        let port = json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]});
        let mut taken = node("a", "z1", json!({}));
        place(&mut taken, pod("other", port.clone()));
        check(
            port,
            vec![taken],
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
        );
    }
}

//! Where pods may run: node selectors, node affinity, taints and tolerations, as far as controllers decide by them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use warren_apimachinery::Meta;
use warren_apimachinery::selector::{LabelSelector, Operator, Requirement};
use warren_apimachinery::value::ValueExt;

/// Whether a pod spec's `nodeSelector` and required node affinity admit a node.
pub(crate) fn fits_node(spec: &Value, node: &Meta) -> bool {
    let selector = spec.at("/nodeSelector").as_object().into_iter().flatten();
    let selected = selector
        .into_iter()
        .all(|(key, value)| node.label(key) == value.as_str());
    let required = spec.at("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required.items("/nodeSelectorTerms");
    selected && (required.is_null() || terms.iter().any(|term| term_matches(term, node)))
}

/// A term without requirements matches nothing.
fn term_matches(term: &Value, node: &Meta) -> bool {
    let (labels, fields) = (term.items("/matchExpressions"), term.items("/matchFields"));
    let name = |key: &str| (key == "metadata.name").then_some(node.name.as_str());
    !(labels.is_empty() && fields.is_empty())
        && labels
            .iter()
            .all(|r| requirement(r).is_some_and(|r| r.matches(node)))
        && fields
            .iter()
            .all(|r| requirement(r).is_some_and(|r| r.matches_labels(name)))
}

fn requirement(requirement: &Value) -> Option<LabelSelector> {
    let operator = match requirement.text("/operator") {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return None,
    };
    let values = requirement.items("/values").iter().filter_map(Value::as_str);
    let values: BTreeSet<String> = values.map(str::to_owned).collect();
    let requirement = Requirement::new(requirement.text("/key"), operator, values).ok()?;
    Some(LabelSelector::of(vec![requirement]))
}

/// Whether every taint with one of `effects` is tolerated.
pub(crate) fn tolerates(tolerations: &[Value], taints: &[Value], effects: &[&str]) -> bool {
    taints
        .iter()
        .filter(|taint| effects.contains(&taint.text("/effect")))
        .all(|taint| tolerations.iter().any(|toleration| covers(toleration, taint)))
}

/// Whether a toleration covers a taint.
pub(crate) fn covers(toleration: &Value, taint: &Value) -> bool {
    let empty_or_same =
        |field: &str| matches!(toleration.text(field), "") || toleration.text(field) == taint.text(field);
    let same_value = match toleration.text("/operator") {
        "Exists" => true,
        _ => toleration.text("/value") == taint.text("/value"),
    };
    empty_or_same("/effect") && empty_or_same("/key") && same_value
}

/// The tolerations that every pod of a DaemonSet has beyond its template's.
pub(crate) fn daemon_tolerations(host_network: bool) -> Vec<Value> {
    let exists = |key: &str, effect: &str| json!({"key": key, "operator": "Exists", "effect": effect});
    let mut all = vec![
        exists("node.kubernetes.io/not-ready", "NoExecute"),
        exists("node.kubernetes.io/unreachable", "NoExecute"),
        exists("node.kubernetes.io/disk-pressure", "NoSchedule"),
        exists("node.kubernetes.io/memory-pressure", "NoSchedule"),
        exists("node.kubernetes.io/pid-pressure", "NoSchedule"),
        exists("node.kubernetes.io/unschedulable", "NoSchedule"),
    ];
    if host_network {
        all.push(exists("node.kubernetes.io/network-unavailable", "NoSchedule"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_fit_by_selector_and_affinity() {
        let node = Meta::of(&json!({"metadata": {"name": "a", "labels": {"disk": "ssd", "gen": "3"}}}));
        let affinity = |term: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [term]}}}})
        };
        assert!(fits_node(&json!({}), &node));
        assert!(fits_node(&json!({"nodeSelector": {"disk": "ssd"}}), &node));
        assert!(!fits_node(&json!({"nodeSelector": {"disk": "hdd"}}), &node));
        let newer = json!({"matchExpressions": [{"key": "gen", "operator": "Gt", "values": ["2"]}]});
        assert!(fits_node(&affinity(newer), &node));
        let named = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]});
        assert!(!fits_node(&affinity(named), &node));
        assert!(!fits_node(&affinity(json!({})), &node));
    }

    #[test]
    fn taints_need_a_toleration_of_their_effect() {
        let taints = [json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"})];
        let check = |toleration: Value, expect| {
            assert_eq!(
                tolerates(std::slice::from_ref(&toleration), &taints, &["NoSchedule"]),
                expect,
                "{toleration}"
            );
        };
        check(json!({"key": "gpu", "operator": "Exists"}), true);
        check(
            json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"}),
            true,
        );
        check(json!({"key": "gpu", "value": "no"}), false);
        check(json!({"operator": "Exists"}), true);
        check(
            json!({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}),
            false,
        );
        assert!(tolerates(&[], &taints, &["NoExecute"]));
    }
}

//! Node selectors and node affinity, as upstream's `NodeAffinity`.

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};

use crate::node_view::NodeView;
use crate::pod_view::PodView;

pub(crate) fn refusal(pod: &PodView, node: &NodeView) -> Option<&'static str> {
    let selected = pod
        .spec
        .node_selector
        .iter()
        .flatten()
        .all(|(key, value)| node.label(key) == Some(value.as_str()));
    let required = pod
        .affinity()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| {
            affinity
                .required_during_scheduling_ignored_during_execution
                .as_ref()
        });
    let affine = required.is_none_or(|selector| {
        selector
            .node_selector_terms
            .iter()
            .any(|term| matches(term, node))
    });
    (!(selected && affine)).then_some("node(s) didn't match Pod's node affinity/selector")
}

/// The sum of the weights of preferred terms that match.
pub(crate) fn preference(pod: &PodView, node: &NodeView) -> i64 {
    pod.affinity()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .into_iter()
        .flat_map(|affinity| {
            affinity
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
        })
        .filter(|term| matches(&term.preference, node))
        .map(|term| i64::from(term.weight))
        .sum()
}

/// An empty term matches nothing.
fn matches(term: &NodeSelectorTerm, node: &NodeView) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    expressions
        .iter()
        .all(|requirement| fits(requirement, node.label(&requirement.key)))
        && fields.iter().all(|requirement| {
            fits(
                requirement,
                (requirement.key == "metadata.name").then_some(node.name.as_str()),
            )
        })
}

fn fits(requirement: &NodeSelectorRequirement, actual: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = || actual.is_some_and(|actual| values.iter().any(|value| value == actual));
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = values.first().and_then(|value| number(value));
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        "Gt" => actual
            .and_then(number)
            .zip(bound)
            .is_some_and(|(actual, bound)| actual > bound),
        "Lt" => actual
            .and_then(number)
            .zip(bound)
            .is_some_and(|(actual, bound)| actual < bound),
        _ => false,
    }
}

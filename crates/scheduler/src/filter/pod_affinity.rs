//! Affinity and anti-affinity between pods, as upstream's `InterPodAffinity`.

use k8s_openapi::api::core::v1::PodAffinityTerm;
use warren_apimachinery::selector::LabelSelector;

use crate::node_view::NodeView;
use crate::pod_view::PodView;
use crate::snapshot::{Seat, Snapshot};

pub(crate) fn refusal(pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> Option<&'static str> {
    if required(pod).any(|term| !attracted(term, pod, seat, snapshot)) {
        return Some("node(s) didn't match pod affinity rules");
    }
    if repelling(pod).any(|term| near(term, pod, &seat.node, snapshot)) {
        return Some("node(s) didn't match pod anti-affinity rules");
    }
    let existing_object = snapshot.pods().any(|(other_seat, placed)| {
        repelling(placed).any(|term| {
            same_domain(&term.topology_key, &seat.node, &other_seat.node)
                && selects(term, placed, pod, snapshot)
        })
    });
    existing_object.then_some("node(s) didn't satisfy existing pods anti-affinity rules")
}

/// The weights of preferred terms that hold on this node, anti-affinity counting against it.
pub(crate) fn preference(pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> i64 {
    let Some(affinity) = pod.affinity() else { return 0 };
    let sum = |terms: Option<&Vec<k8s_openapi::api::core::v1::WeightedPodAffinityTerm>>| -> i64 {
        terms
            .into_iter()
            .flatten()
            .filter(|term| near(&term.pod_affinity_term, pod, &seat.node, snapshot))
            .map(|term| i64::from(term.weight))
            .sum()
    };
    let towards = affinity
        .pod_affinity
        .as_ref()
        .and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref());
    let away = affinity
        .pod_anti_affinity
        .as_ref()
        .and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref());
    sum(towards) - sum(away)
}

fn required(pod: &PodView) -> impl Iterator<Item = &PodAffinityTerm> {
    pod.affinity()
        .and_then(|affinity| affinity.pod_affinity.as_ref())
        .into_iter()
        .flat_map(|affinity| {
            affinity
                .required_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
        })
}

fn repelling(pod: &PodView) -> impl Iterator<Item = &PodAffinityTerm> {
    pod.affinity()
        .and_then(|affinity| affinity.pod_anti_affinity.as_ref())
        .into_iter()
        .flat_map(|affinity| {
            affinity
                .required_during_scheduling_ignored_during_execution
                .iter()
                .flatten()
        })
}

/// A pod that matches its own term may be the first of its kind.
fn attracted(term: &PodAffinityTerm, pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> bool {
    if near(term, pod, &seat.node, snapshot) {
        return true;
    }
    let anywhere = snapshot
        .pods()
        .any(|(_, placed)| selects(term, pod, placed, snapshot));
    !anywhere && seat.node.label(&term.topology_key).is_some() && selects(term, pod, pod, snapshot)
}

fn near(term: &PodAffinityTerm, pod: &PodView, node: &NodeView, snapshot: &Snapshot) -> bool {
    snapshot.pods().any(|(seat, placed)| {
        same_domain(&term.topology_key, node, &seat.node) && selects(term, pod, placed, snapshot)
    })
}

fn same_domain(key: &str, one: &NodeView, other: &NodeView) -> bool {
    one.label(key)
        .is_some_and(|value| other.label(key) == Some(value))
}

/// Whether a term of `owner` selects `other`.
fn selects(term: &PodAffinityTerm, owner: &PodView, other: &PodView, snapshot: &Snapshot) -> bool {
    let names = term.namespaces.as_deref().unwrap_or_default();
    let named = if names.is_empty() && term.namespace_selector.is_none() {
        other.key.namespace == owner.key.namespace
    } else {
        names.iter().any(|name| *name == other.key.namespace)
    };
    let in_namespace = named
        || term.namespace_selector.as_ref().is_some_and(|selector| {
            let Ok(selector) = serde_json::to_value(selector) else {
                return false;
            };
            let selector = LabelSelector::from_json(&selector);
            let labels = snapshot
                .namespaces
                .iter()
                .find(|(name, _)| *name == other.key.namespace);
            selector.is_ok_and(|selector| {
                selector.matches_labels(|key| labels.and_then(|(_, labels)| labels.get(key)?.as_str()))
            })
        });
    in_namespace && selected(term.label_selector.as_ref(), other)
}

/// Whether a label selector selects a pod; a missing one selects none.
pub(crate) fn selected(
    selector: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    pod: &PodView,
) -> bool {
    let Some(Ok(selector)) = selector.map(serde_json::to_value) else {
        return false;
    };
    LabelSelector::from_json(&selector).is_ok_and(|selector| selector.matches_labels(|key| pod.label(key)))
}

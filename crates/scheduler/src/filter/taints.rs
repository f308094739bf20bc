//! Taints and tolerations, as upstream's `TaintToleration` and `NodeUnschedulable`.

use k8s_openapi::api::core::v1::{Taint, Toleration};

use crate::node_view::NodeView;
use crate::pod_view::PodView;

const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

pub(crate) fn refusal(pod: &PodView, node: &NodeView) -> Option<String> {
    let taint = node
        .taints
        .iter()
        .filter(|taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute")
        .find(|taint| !tolerated(pod, taint))?;
    let value = taint.value.as_deref().unwrap_or_default();
    Some(format!(
        "node(s) had untolerated taint {{{}: {value}}}",
        taint.key
    ))
}

/// How many `PreferNoSchedule` taints the pod does not tolerate.
pub(crate) fn disliked(pod: &PodView, node: &NodeView) -> usize {
    let soft = node
        .taints
        .iter()
        .filter(|taint| taint.effect == "PreferNoSchedule");
    soft.filter(|taint| !tolerated(pod, taint)).count()
}

pub(crate) fn tolerates_unschedulable(pod: &PodView) -> bool {
    let taint = Taint {
        key: UNSCHEDULABLE.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    };
    tolerated(pod, &taint)
}

fn tolerated(pod: &PodView, taint: &Taint) -> bool {
    pod.spec
        .tolerations
        .iter()
        .flatten()
        .any(|toleration| tolerates(toleration, taint))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let same_effect = toleration
        .effect
        .as_deref()
        .is_none_or(|e| e.is_empty() || e == taint.effect);
    let key = toleration.key.as_deref().unwrap_or_default();
    let same_key = key.is_empty() || key == taint.key;
    let value_fits = match toleration.operator.as_deref().unwrap_or("Equal") {
        "Exists" => true,
        "" | "Equal" => {
            !key.is_empty()
                && toleration.value.as_deref().unwrap_or_default()
                    == taint.value.as_deref().unwrap_or_default()
        }
        _ => false,
    };
    same_effect && same_key && value_fits
}

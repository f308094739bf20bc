//! Which pods and claims a quota with scopes is about.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

/// What scopes ask of an object.
#[derive(Debug)]
pub(super) enum Facts {
    Pod {
        /// Whether it ends by itself.
        ends: bool,
        best_effort: bool,
        priority_class: String,
        /// Whether its affinity looks into other namespaces.
        crosses: bool,
    },
    /// The classes of attributes that a claim for a volume has, had or is to have.
    Claim(BTreeSet<String>),
    None,
}

impl Facts {
    pub(super) fn of_pod(pod: &Value) -> Self {
        Self::Pod {
            ends: ends(pod),
            best_effort: is_best_effort(pod),
            priority_class: pod.text("/spec/priorityClassName").to_owned(),
            crosses: crosses_namespaces(pod),
        }
    }

    pub(super) fn of_claim(claim: &Value) -> Self {
        let classes = [
            "/spec/volumeAttributesClassName",
            "/status/currentVolumeAttributesClassName",
            "/status/modifyVolumeStatus/targetVolumeAttributesClassName",
        ];
        let names = classes
            .iter()
            .map(|field| claim.text(field))
            .filter(|name| !name.is_empty());
        Self::Claim(names.map(str::to_owned).collect())
    }

    /// Whether a scope, given as `scopeName`, `operator` and `values`, is of the object.
    pub(super) fn are_in(&self, selector: &Value) -> bool {
        match (self, selector.text("/scopeName")) {
            (Self::Pod { ends, .. }, "Terminating") => *ends,
            (Self::Pod { ends, .. }, "NotTerminating") => !ends,
            (Self::Pod { best_effort, .. }, "BestEffort") => *best_effort,
            (Self::Pod { best_effort, .. }, "NotBestEffort") => !best_effort,
            (Self::Pod { crosses, .. }, "CrossNamespacePodAffinity") => *crosses,
            (Self::Pod { priority_class, .. }, "PriorityClass") => selects(selector, priority_class),
            (Self::Claim(classes), "VolumeAttributesClass") => match classes.is_empty() {
                true => selects(selector, ""),
                false => classes.iter().any(|class| selects(selector, class)),
            },
            _ => false,
        }
    }
}

fn selects(selector: &Value, name: &str) -> bool {
    let is_listed = || selector.items("/values").iter().any(|value| value == name);
    match selector.text("/operator") {
        "In" => !name.is_empty() && is_listed(),
        "NotIn" => name.is_empty() || !is_listed(),
        "DoesNotExist" => name.is_empty(),
        _ => !name.is_empty(),
    }
}

/// The scopes of a quota, all in the longer form.
pub(super) fn selectors(quota: &Value) -> Vec<Value> {
    let by_name = quota.items("/spec/scopes").iter();
    let by_name = by_name.map(|scope| json!({"scopeName": scope, "operator": "Exists"}));
    let expressions = quota
        .items("/spec/scopeSelector/matchExpressions")
        .iter()
        .cloned();
    by_name.chain(expressions).collect()
}

/// Whether the pod ends by itself.
pub(super) fn ends(pod: &Value) -> bool {
    pod.int("/spec/activeDeadlineSeconds")
        .is_some_and(|seconds| seconds >= 0)
}

/// Whether the pod is of the class of service `BestEffort`: it asks for no CPU and no memory, or for none of it.
pub(in super::super) fn is_best_effort(pod: &Value) -> bool {
    let known = pod.text("/status/qosClass");
    if !known.is_empty() {
        return known == "BestEffort";
    }
    let asks = |of: &Value| {
        ["/resources/requests", "/resources/limits"].iter().any(|list| {
            ["cpu", "memory"].iter().any(|name| {
                let amount = Quantity::from_json(of.at(list).field(name));
                amount.is_ok_and(|amount| amount.sign() > 0)
            })
        })
    };
    let spec = pod.at("/spec");
    if spec.at("/resources").is_object() {
        return !asks(spec);
    }
    let containers = ["/containers", "/initContainers"]
        .iter()
        .flat_map(|list| spec.items(list));
    !containers.into_iter().any(asks)
}

fn crosses_namespaces(pod: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = pod.at("/spec/affinity").field(kind);
        let required = affinity
            .items("/requiredDuringSchedulingIgnoredDuringExecution")
            .iter();
        let preferred = affinity
            .items("/preferredDuringSchedulingIgnoredDuringExecution")
            .iter();
        required
            .chain(preferred.map(|term| term.at("/podAffinityTerm")))
            .any(|term| !term.items("/namespaces").is_empty() || !term.at("/namespaceSelector").is_null())
    })
}

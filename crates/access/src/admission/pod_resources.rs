//! What a pod asks for and may use, summed over its containers as upstream's quota and scheduler do.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

/// Quantities by resource name.
pub(super) type Amounts = BTreeMap<String, Quantity>;

/// Whether what a node granted counts beside what is asked for, as it does while a pod is resized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    Spec,
    SpecAndStatus,
}

/// The quantities of a resource list; what cannot be read is left out.
pub(super) fn amounts(list: &Value) -> Amounts {
    let read = |(name, value): (&String, &Value)| Some((name.clone(), Quantity::from_json(value).ok()?));
    list.as_object()
        .map(|map| map.iter().filter_map(read).collect())
        .unwrap_or_default()
}

/// Adds up.
pub(super) fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, quantity) in more {
        *sum.entry(name.clone()).or_default() += *quantity;
    }
}

fn raise(floor: &mut Amounts, to: &Amounts) {
    for (name, quantity) in to {
        let held = floor.entry(name.clone()).or_default();
        *held = (*held).max(*quantity);
    }
}

/// Whether a pod can ask for it as a whole.
fn is_for_pods(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// Whether a pod asks for something as a whole.
pub(super) fn has_own(pod: &Value) -> bool {
    ["/spec/resources/requests", "/spec/resources/limits"]
        .iter()
        .any(|list| {
            let mut names = pod.at(list).as_object().into_iter().flatten();
            names.any(|(name, _)| is_for_pods(name))
        })
}

/// `requests` or `limits` of a pod: containers and sidecars together, or the largest init container if that is
/// more; what is said for the pod as a whole goes before.
pub(super) fn of_pod(pod: &Value, which: &str, basis: Basis) -> Amounts {
    let mut sum = without_overhead(pod, which, basis);
    for (name, quantity) in amounts(pod.at("/spec/overhead")) {
        if which == "requests" || sum.get(&name).is_some_and(|held| !held.is_zero()) {
            *sum.entry(name).or_default() += quantity;
        }
    }
    sum
}

/// The same without what the runtime takes for itself.
pub(super) fn without_overhead(pod: &Value, which: &str, basis: Basis) -> Amounts {
    let mut sum = of_containers(pod, which, basis);
    let granted = pod.at("/status/resources");
    let own = match basis {
        Basis::SpecAndStatus if granted.is_object() => {
            effective(pod, which, pod.at("/spec"), pod.at("/status"))
        }
        _ => amounts(pod.at("/spec/resources").field(which)),
    };
    sum.extend(own.into_iter().filter(|(name, _)| is_for_pods(name)));
    sum
}

/// The same without what is said for the pod as a whole, and without its overhead.
fn of_containers(pod: &Value, which: &str, basis: Basis) -> Amounts {
    let of = |container: &Value, statuses: &str| {
        let spec = || amounts(container.at("/resources").field(which));
        if basis == Basis::Spec {
            return spec();
        }
        let name = container.text("/name");
        let mut statuses = pod.items(statuses).iter();
        match statuses.find(|status| status.text("/name") == name && status.at("/resources").is_object()) {
            Some(status) => effective(pod, which, container, status),
            None => spec(),
        }
    };
    let mut sum = Amounts::new();
    for container in pod.items("/spec/containers") {
        add(&mut sum, &of(container, "/status/containerStatuses"));
    }
    let mut sidecars = Amounts::new();
    let mut largest = Amounts::new();
    for container in pod.items("/spec/initContainers") {
        let mut here;
        if container.text("/restartPolicy") == "Always" {
            here = of(container, "/status/initContainerStatuses");
            add(&mut sum, &here);
            add(&mut sidecars, &here);
            here = sidecars.clone();
        } else {
            here = amounts(container.at("/resources").field(which));
            add(&mut here, &sidecars);
        }
        raise(&mut largest, &here);
    }
    raise(&mut sum, &largest);
    sum
}

/// The most of what is asked for, what the node set aside and what it gives; a node that cannot give what is asked
/// for is not waited for.
fn effective(pod: &Value, which: &str, asked: &Value, granted: &Value) -> Amounts {
    let mut conditions = pod.items("/status/conditions").iter();
    let pending = conditions.find(|condition| condition.text("/type") == "PodResizePending");
    let is_infeasible = pending.is_some_and(|condition| condition.text("/reason") == "Infeasible");
    let mut most = amounts(granted.at("/resources").field(which));
    if which == "requests" {
        raise(&mut most, &amounts(granted.at("/allocatedResources")));
    }
    if !is_infeasible {
        raise(&mut most, &amounts(asked.at("/resources").field(which)));
    }
    most
}

//! What a pod asks for and may use, summed over its containers as upstream's quota and scheduler do.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

/// Quantities by resource name.
pub(super) type Amounts = BTreeMap<String, Quantity>;

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

/// `requests` or `limits` of a pod: containers and sidecars together, or the largest init container if that is
/// more; what is said for the pod as a whole goes before.
pub(super) fn of_pod(pod: &Value, which: &str) -> Amounts {
    let of = |container: &Value| amounts(container.at("/resources").field(which));
    let mut sum = Amounts::new();
    pod.items("/spec/containers")
        .iter()
        .for_each(|container| add(&mut sum, &of(container)));
    let mut sidecars = Amounts::new();
    let mut largest = Amounts::new();
    for container in pod.items("/spec/initContainers") {
        let mut here = of(container);
        if container.text("/restartPolicy") == "Always" {
            add(&mut sum, &here);
            add(&mut sidecars, &here);
            here = sidecars.clone();
        } else {
            add(&mut here, &sidecars);
        }
        raise(&mut largest, &here);
    }
    raise(&mut sum, &largest);
    sum.extend(of(pod.at("/spec")));
    for (name, quantity) in amounts(pod.at("/spec/overhead")) {
        if which == "requests" || sum.contains_key(&name) {
            *sum.entry(name).or_default() += quantity;
        }
    }
    sum
}

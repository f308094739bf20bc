//! Which endpoints belong into which slices: pure. An endpoint stays in the slice it is in, so that little is written.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

/// The most endpoints of a slice.
const FULL: usize = 100;

/// What a slice is of: endpoints of one kind of address that serve the same ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) address_type: &'static str,
    /// The ports as they will be written, in their text form.
    pub(super) ports: String,
}

/// The endpoints of a Service by group.
pub(super) type Desired = BTreeMap<Group, Vec<Value>>;

/// What to write.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Slices with new endpoints, as they are to be.
    pub(super) update: Vec<Value>,
    /// Address type, ports and endpoints of new slices.
    pub(super) create: Vec<(&'static str, Value, Vec<Value>)>,
    /// Slices without endpoints.
    pub(super) delete: Vec<Value>,
}

/// Brings the slices that exist to what is desired; `address_types` are those the Service has, each of which keeps at
/// least one slice.
pub(super) fn plan(mut desired: Desired, existing: Vec<Value>, address_types: &[&'static str]) -> Plan {
    let mut plan = Plan::default();
    let mut by_group: BTreeMap<Group, Vec<Value>> = BTreeMap::new();
    let mut empty: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    for slice in existing {
        let Some(address_type) = address_types
            .iter()
            .find(|known| **known == slice.text("/addressType"))
        else {
            plan.delete.push(slice);
            continue;
        };
        let group = Group {
            address_type,
            ports: ports_text(slice.items("/ports")),
        };
        if desired.contains_key(&group) {
            by_group.entry(group).or_default().push(slice);
        } else {
            empty.entry(address_type).or_default().push(slice);
        }
    }
    for address_type in address_types {
        if !desired.keys().any(|group| group.address_type == *address_type) {
            keep_one_empty(
                &mut plan,
                address_type,
                empty.remove(address_type).unwrap_or_default(),
            );
        }
    }
    plan.delete.extend(empty.into_values().flatten());
    for (group, slices) in by_group {
        let endpoints = desired.remove(&group).unwrap_or_default();
        fill(&mut plan, &group, slices, endpoints);
    }
    for (group, endpoints) in desired {
        add(&mut plan, &group, endpoints);
    }
    plan
}

/// A Service without endpoints has one slice that says so.
fn keep_one_empty(plan: &mut Plan, address_type: &'static str, slices: Vec<Value>) {
    let mut slices = slices.into_iter();
    match slices.next() {
        None => plan.create.push((address_type, json!([]), Vec::new())),
        Some(mut kept) => {
            if !kept.items("/endpoints").is_empty() || !kept.items("/ports").is_empty() {
                kept.set("/endpoints", json!([]));
                kept.set("/ports", json!([]));
                plan.update.push(kept);
            }
        }
    }
    plan.delete.extend(slices);
}

fn fill(plan: &mut Plan, group: &Group, slices: Vec<Value>, mut endpoints: Vec<Value>) {
    let mut kept: Vec<(Value, Vec<Value>)> = Vec::with_capacity(slices.len());
    for slice in slices {
        let mut stay = Vec::new();
        for old in slice.items("/endpoints") {
            let found = endpoints.iter().position(|new| identity(new) == identity(old));
            stay.extend(found.map(|at| endpoints.swap_remove(at)));
        }
        kept.push((slice, stay));
    }
    // What is new goes into the first slices with room.
    endpoints.sort_by(|a, b| identity(b).cmp(&identity(a)));
    for (_, stay) in &mut kept {
        while stay.len() < FULL {
            let Some(endpoint) = endpoints.pop() else {
                break;
            };
            stay.push(endpoint);
        }
    }
    endpoints.reverse();
    for (mut slice, stay) in kept {
        if stay.is_empty() {
            plan.delete.push(slice);
        } else if slice.items("/endpoints") != stay {
            slice.set("/endpoints", stay);
            plan.update.push(slice);
        }
    }
    add(plan, group, endpoints);
}

fn add(plan: &mut Plan, group: &Group, mut endpoints: Vec<Value>) {
    endpoints.sort_by(|a, b| identity(a).cmp(&identity(b)));
    let ports: Value = serde_json::from_str(&group.ports).unwrap_or_default();
    for chunk in endpoints.chunks(FULL) {
        plan.create
            .push((group.address_type, ports.clone(), chunk.to_vec()));
    }
}

/// The pod behind an endpoint, or its address.
fn identity(endpoint: &Value) -> (&str, &str) {
    (endpoint.text("/targetRef/uid"), endpoint.text("/addresses/0"))
}

/// Ports as text that is equal when they are.
pub(super) fn ports_text(ports: &[Value]) -> String {
    let written: Vec<Value> = ports
        .iter()
        .map(|port| {
            let mut kept = json!({"name": port.text("/name"), "port": port.at("/port"),
                "protocol": port.text("/protocol")});
            if !port.text("/appProtocol").is_empty() {
                kept.set("/appProtocol", port.text("/appProtocol"));
            }
            kept
        })
        .collect();
    Value::Array(written).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Plan {
        fn is_empty(&self) -> bool {
            self.update.is_empty() && self.create.is_empty() && self.delete.is_empty()
        }
    }

    fn endpoint(name: usize) -> Value {
        json!({"addresses": [format!("10.0.0.{name:03}")], "targetRef": {"uid": format!("{name:03}")}})
    }

    fn desired(count: usize) -> Desired {
        let ports = ports_text(&[json!({"port": 80, "protocol": "TCP"})]);
        Desired::from([(
            Group {
                address_type: "IPv4",
                ports,
            },
            (0..count).map(endpoint).collect(),
        )])
    }

    fn slice(name: &str, endpoints: std::ops::Range<usize>) -> Value {
        json!({"metadata": {"name": name}, "addressType": "IPv4",
            "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
            "endpoints": endpoints.map(endpoint).collect::<Vec<_>>()})
    }

    #[test]
    fn slices_hold_a_hundred_endpoints() {
        let sizes = |plan: &Plan| {
            plan.create
                .iter()
                .map(|(_, _, all)| all.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&plan(desired(250), Vec::new(), &["IPv4"])), [100, 100, 50]);
        let grown = plan(desired(150), vec![slice("a", 0..90)], &["IPv4"]);
        assert_eq!(grown.update[0].items("/endpoints").len(), 100);
        assert_eq!(sizes(&grown), [50]);
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        assert!(plan(desired(90), vec![slice("a", 0..90)], &["IPv4"]).is_empty());
        let none = json!({"addressType": "IPv4", "endpoints": [], "ports": []});
        assert!(plan(Desired::new(), vec![none], &["IPv4"]).is_empty());
    }

    #[test]
    fn a_service_without_endpoints_keeps_one_empty_slice() {
        assert_eq!(plan(Desired::new(), Vec::new(), &["IPv4"]).create.len(), 1);
        let emptied = plan(
            Desired::new(),
            vec![slice("a", 0..2), slice("b", 2..3)],
            &["IPv4"],
        );
        assert_eq!((emptied.update.len(), emptied.delete.len()), (1, 1));
    }

    #[test]
    fn an_emptied_slice_goes_and_another_family_too() {
        let other = json!({"addressType": "IPv6", "endpoints": []});
        let plan = plan(
            desired(2),
            vec![slice("a", 0..2), slice("b", 5..6), other],
            &["IPv4"],
        );
        assert_eq!(
            (plan.update.len(), plan.delete.len(), plan.create.len()),
            (0, 2, 0)
        );
    }
}

//! Reconciling the bootstrap objects of a cluster that was made by another version, or that somebody changed.

use serde_json::Value;
use warren_apimachinery::resource::{CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};
use warren_rbac::{Rule, breakdown, covers};
use warren_storage::Snapshot;

use super::{BootstrapObject, FLOW_SCHEMAS, PRIORITY_LEVELS};

const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
const AUTO_UPDATE_SPEC: &str = "apf.kubernetes.io/autoupdate-spec";

/// What is to be written so that a cluster has what it should.
#[derive(Clone, Debug, PartialEq)]
pub enum Correction {
    /// It is missing.
    Create(BootstrapObject),
    /// It lacks something: the present object with that added, `resourceVersion` included.
    Update(BootstrapObject),
    /// A binding of another role: to be deleted and made anew, as upstream does, for its role cannot change.
    Replace(BootstrapObject),
}

/// Compares what `wanted` says with a cluster. Missing objects are made; roles and bindings get back what they lack,
/// unless their annotation `rbac.authorization.kubernetes.io/autoupdate` is `false`; what was added is left alone,
/// as upstream does. Pure: the caller writes.
pub fn reconcile(wanted: impl IntoIterator<Item = BootstrapObject>, cluster: &Snapshot) -> Vec<Correction> {
    let wanted = wanted.into_iter();
    wanted.filter_map(|object| correction(&object, cluster)).collect()
}

fn correction(wanted: &BootstrapObject, cluster: &Snapshot) -> Option<Correction> {
    let value = &wanted.value;
    let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
    let Some(present) = cluster.get(&wanted.resource.group_resource(), &key) else {
        return Some(Correction::Create(wanted.clone()));
    };
    let is_one_of = |some: &[Resource]| some.contains(&wanted.resource);
    if is_one_of(&[FLOW_SCHEMAS, PRIORITY_LEVELS]) {
        return flow_control(wanted, present.to_value());
    }
    if !is_one_of(&[CLUSTER_ROLES, ROLES, CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS]) {
        return None;
    }
    let present = present.to_value();
    if present.at("/metadata/annotations").field(AUTO_UPDATE) == "false" {
        return None;
    }
    let mut merged = present.clone();
    add_missing_keys(&mut merged, value, "/metadata/labels");
    add_missing_keys(&mut merged, value, "/metadata/annotations");
    if is_one_of(&[CLUSTER_ROLES, ROLES]) {
        add_missing_rules(&mut merged, value);
    } else if merged.at("/roleRef") != value.at("/roleRef") {
        return Some(Correction::Replace(wanted.clone()));
    } else {
        add_missing_items(&mut merged, value, "/subjects");
    }
    let is_changed = merged != present;
    let update = Correction::Update(BootstrapObject {
        resource: wanted.resource,
        value: merged,
    });
    is_changed.then_some(update)
}

/// Flow schemas and priority levels that nobody took over get back their whole spec; the mandatory ones always do.
fn flow_control(wanted: &BootstrapObject, mut present: Value) -> Option<Correction> {
    let said = present.at("/metadata/annotations").field(AUTO_UPDATE_SPEC);
    let is_ours = match said.as_str() {
        _ if is_mandatory(&wanted.value) => true,
        Some("true") => true,
        Some("false") => false,
        // Nobody but us ever wrote it.
        _ => present.int("/metadata/generation") == Some(1),
    };
    let before = present.clone();
    if is_ours && present.at("/spec") != wanted.value.at("/spec") {
        present.set("/spec", wanted.value.at("/spec").clone());
    }
    if let Some(annotations) = present.object_at("/metadata/annotations")
        && annotations.get(AUTO_UPDATE_SPEC).and_then(Value::as_str)
            != Some(if is_ours { "true" } else { "false" })
    {
        annotations.insert(AUTO_UPDATE_SPEC.to_owned(), is_ours.to_string().into());
    }
    let is_changed = present != before;
    let update = Correction::Update(BootstrapObject {
        resource: wanted.resource,
        value: present,
    });
    is_changed.then_some(update)
}

/// What upstream cannot do without.
fn is_mandatory(object: &Value) -> bool {
    matches!(object.text("/metadata/name"), "exempt" | "catch-all")
}

fn add_missing_keys(into: &mut Value, from: &Value, pointer: &str) {
    for (key, value) in from.at(pointer).as_object().into_iter().flatten() {
        if into.at(pointer).field(key).is_null()
            && let Some(map) = into.object_at(pointer)
        {
            map.insert(key.clone(), value.clone());
        }
    }
}

fn add_missing_items(into: &mut Value, from: &Value, pointer: &str) {
    let held = into.items(pointer);
    let mut items = held.to_vec();
    items.extend(
        from.items(pointer)
            .iter()
            .filter(|item| !held.contains(item))
            .cloned(),
    );
    if items.len() > held.len() {
        into.set(pointer, items);
    }
}

/// Rules of an aggregating role are its controller's; only its selectors are looked after.
fn add_missing_rules(into: &mut Value, from: &Value) {
    if from.at("/aggregationRule").is_object() {
        add_missing_items(into, from, "/aggregationRule/clusterRoleSelectors");
        return;
    }
    let missing: Vec<Rule> = from
        .items("/rules")
        .iter()
        .map(Rule::parse)
        .filter(|rule| !breakdown(rule).is_empty())
        .collect();
    let missing = covers(&Rule::of_role(into), &missing);
    if !missing.is_empty() {
        let mut rules = into.items("/rules").to_vec();
        rules.extend(warren_rbac::compact(&missing).iter().map(Rule::to_value));
        into.set("/rules", rules);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bootstrap::objects;
    use crate::testing::snapshot;

    fn check(change: impl Fn(&str, &mut Value) -> bool, expect: impl Fn(&[Correction])) {
        let wanted: Vec<_> = objects().collect();
        let mut held = Vec::new();
        for object in &wanted {
            let mut value = object.value.clone();
            if change(value.clone().text("/metadata/name"), &mut value) {
                held.push((object.resource.group_resource().to_string(), value));
            }
        }
        let held: Vec<(&str, Value)> = held.iter().map(|(r, v)| (r.as_str(), v.clone())).collect();
        expect(&reconcile(wanted, &snapshot(&held)));
    }

    #[test]
    fn a_cluster_as_it_should_be_needs_nothing() {
        check(|_, _| true, |found| assert_eq!(found, []));
    }

    #[test]
    fn missing_objects_are_made() {
        check(
            |name, _| name != "system:node",
            |found| {
                assert_eq!(found.len(), 2);
                assert!(found.iter().all(|one| matches!(one, Correction::Create(_))));
            },
        );
    }

    #[test]
    fn roles_and_bindings_get_back_what_they_lack_and_keep_what_was_added() {
        let extra = json!({"verbs": ["get"], "apiGroups": ["x"], "resources": ["y"]});
        check(
            |name, value| {
                if name == "system:basic-user" {
                    value.set(
                        if value["kind"] == "ClusterRole" {
                            "/rules"
                        } else {
                            "/subjects"
                        },
                        vec![extra.clone()],
                    );
                }
                true
            },
            |found| {
                let [Correction::Update(role), Correction::Update(binding)] = found else {
                    panic!("{found:?}")
                };
                assert_eq!(role.value.items("/rules").len(), 4, "{}", role.value);
                assert_eq!(binding.value.items("/subjects").len(), 2);
            },
        );
    }

    #[test]
    fn flow_control_gets_back_what_nobody_took_over() {
        let mark = "/metadata/annotations/apf.kubernetes.io~1autoupdate-spec";
        check(
            |name, value| {
                let shares = "/spec/limited/nominalConcurrencyShares";
                if value["kind"] == "PriorityLevelConfiguration" {
                    match name {
                        "workload-low" => value.set(shares, 7),
                        "workload-high" => {
                            value.set(shares, 7);
                            value.set(mark, "false");
                        }
                        // Mandatory: whatever the annotation says.
                        "catch-all" => {
                            value.set(shares, 7);
                            value.set(mark, "false");
                        }
                        _ => {}
                    }
                }
                name != "service-accounts"
            },
            |found| {
                let names: Vec<&str> = found
                    .iter()
                    .map(|correction| match correction {
                        Correction::Update(one) | Correction::Create(one) | Correction::Replace(one) => {
                            one.value.text("/metadata/name")
                        }
                    })
                    .collect();
                assert_eq!(names, ["catch-all", "workload-low", "service-accounts"]);
            },
        );
    }

    #[test]
    fn who_opted_out_is_left_alone_and_a_foreign_role_ref_is_replaced() {
        check(
            |name, value| {
                if name == "system:basic-user" && value["kind"] == "ClusterRole" {
                    value.set(
                        "/metadata/annotations/rbac.authorization.kubernetes.io~1autoupdate",
                        "false",
                    );
                    value.set("/rules", json!([]));
                }
                if name == "system:node" && value["kind"] == "ClusterRoleBinding" {
                    value.set("/roleRef/name", "other");
                }
                true
            },
            |found| {
                assert!(
                    matches!(found, [Correction::Replace(one)] if one.value.text("/metadata/name") == "system:node")
                )
            },
        );
    }
}

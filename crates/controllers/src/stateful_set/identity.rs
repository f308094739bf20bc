//! What makes the pods of a StatefulSet distinct: names, labels, host names and claims of their own.

use serde_json::{Map, Value, json};
use warren_apimachinery::resource::STATEFUL_SETS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object};

use crate::controller_revision::{REVISION_LABEL, Revision};
use crate::owner::controller_reference;
use crate::pod_control;

/// The ordinal of a pod that belongs to the set by its name; `None` for others.
pub(super) fn ordinal(set: &str, pod: &str) -> Option<i64> {
    let digits = pod.strip_prefix(set)?.strip_prefix('-')?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty();
    digits.parse().ok().filter(|_| canonical)
}

/// The pod of an ordinal, of the template that a revision keeps.
pub(super) fn pod(set: &Object, revision: &Revision, ordinal: i64) -> Value {
    let value = set.to_value();
    let name = format!("{}-{ordinal}", set.meta().name);
    let mut pod = pod_control::from_template(&STATEFUL_SETS, set, &revision.template());
    pod.set("/metadata/name", name.as_str());
    pod.set(
        "/metadata/labels/statefulset.kubernetes.io~1pod-name",
        name.as_str(),
    );
    pod.set(
        "/metadata/labels/apps.kubernetes.io~1pod-index",
        ordinal.to_string(),
    );
    pod.set(&format!("/metadata/labels/{REVISION_LABEL}"), revision.name());
    pod.set("/spec/hostname", name.as_str());
    let service = value.text("/spec/serviceName");
    if !service.is_empty() {
        pod.set("/spec/subdomain", service);
    }
    add_volumes(&mut pod, &value, ordinal);
    pod
}

/// A volume per claim template, in place of the template's own of that name.
fn add_volumes(pod: &mut Value, set: &Value, ordinal: i64) {
    let templates = set.items("/spec/volumeClaimTemplates");
    if templates.is_empty() {
        return;
    }
    let names: Vec<&str> = templates
        .iter()
        .map(|claim| claim.text("/metadata/name"))
        .collect();
    let mut volumes: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": claim_name(set, name, ordinal)}}))
        .collect();
    let others = pod.items("/spec/volumes").iter();
    volumes.extend(
        others
            .filter(|volume| !names.contains(&volume.text("/name")))
            .cloned(),
    );
    pod.set("/spec/volumes", volumes);
}

fn claim_name(set: &Value, template: &str, ordinal: i64) -> String {
    format!("{template}-{}-{ordinal}", set.text("/metadata/name"))
}

/// The claims of an ordinal.
pub(super) fn claims(set: &Object, ordinal: i64) -> Vec<Value> {
    let value = set.to_value();
    let selected = value
        .at("/spec/selector/matchLabels")
        .as_object()
        .cloned()
        .unwrap_or_default();
    let templates = value.items("/spec/volumeClaimTemplates").iter();
    templates
        .map(|template| {
            let mut labels = template
                .at("/metadata/labels")
                .as_object()
                .cloned()
                .unwrap_or_default();
            labels.extend(selected.clone());
            let mut metadata = Map::new();
            metadata.insert(
                "name".into(),
                claim_name(&value, template.text("/metadata/name"), ordinal).into(),
            );
            metadata.insert("namespace".into(), set.meta().namespace.as_str().into());
            metadata.insert("labels".into(), Value::Object(labels));
            for kept in ["annotations", "finalizers"] {
                let field = template.at("/metadata").field(kept);
                if !field.is_null() {
                    metadata.insert(kept.into(), field.clone());
                }
            }
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata,
                "spec": template.at("/spec")})
        })
        .collect()
}

/// `spec.persistentVolumeClaimRetentionPolicy`, `true` for `Delete`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Retention {
    pub(super) delete_when_deleted: bool,
    pub(super) delete_when_scaled: bool,
}

/// Whether the pod of a claim is wanted, or one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Wanted,
    Condemned,
}

/// The owner references that a claim should have, in place of those to set and pod that it has: what goes takes the
/// claim along.
pub(super) fn claim_owners(
    retention: Retention,
    place: Place,
    (set, pod): (&Meta, Option<&Meta>),
    current: &[Value],
) -> Vec<Value> {
    let ours = |reference: &Value| {
        reference.text("/uid") == set.uid || pod.is_some_and(|pod| reference.text("/uid") == pod.uid)
    };
    let mut owners: Vec<Value> = current
        .iter()
        .filter(|reference| !ours(reference))
        .cloned()
        .collect();
    if retention.delete_when_scaled && place == Place::Condemned {
        owners.extend(
            pod.map(|pod| json!({"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid})),
        );
    } else if retention.delete_when_deleted {
        owners.push(controller_reference(&STATEFUL_SETS, set));
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_set_and_a_number_are_members() {
        assert_eq!(ordinal("web", "web-0"), Some(0));
        assert_eq!(ordinal("web", "web-12"), Some(12));
        assert_eq!(ordinal("web", "web-a-0"), None);
        assert_eq!(ordinal("web", "web-"), None);
        assert_eq!(ordinal("web-a", "web-a-3"), Some(3));
        assert_eq!(ordinal("web", "web-+1"), None);
    }

    #[test]
    fn claims_follow_what_the_retention_policy_deletes() {
        let set = Meta::of(&json!({"metadata": {"name": "web", "uid": "s"}}));
        let pod = Meta::of(&json!({"metadata": {"name": "web-1", "uid": "p"}}));
        let check = |deleted, scaled, place, expect: &[&str]| {
            let retention = Retention {
                delete_when_deleted: deleted,
                delete_when_scaled: scaled,
            };
            let current = [json!({"uid": "s"}), json!({"uid": "p"}), json!({"uid": "x"})];
            let owners = claim_owners(retention, place, (&set, Some(&pod)), &current);
            let uids: Vec<_> = owners.iter().map(|owner| owner.text("/uid")).collect();
            assert_eq!(uids, expect);
        };
        check(false, false, Place::Condemned, &["x"]);
        check(true, false, Place::Condemned, &["x", "s"]);
        check(false, true, Place::Condemned, &["x", "p"]);
        check(false, true, Place::Wanted, &["x"]);
        check(true, true, Place::Wanted, &["x", "s"]);
        check(true, true, Place::Condemned, &["x", "p"]);
    }
}

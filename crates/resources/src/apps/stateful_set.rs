//! Stateful sets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use super::workload::{self, Words};
use crate::check::{self, Errors};
use crate::core::persistent_volume_claim;
use crate::go_literal::go_literal;
use crate::pod_template::{
    always_restarted, default_template, drop_disabled_of_template, elements, template, template_metadata,
    workload_warnings,
};
use crate::table::{age, columns, containers_and_images, name};

const WORDS: Words = Words {
    selector: "statefulset",
    template: "StatefulSet",
};
/// Waits for a feature that is off by default.
const UNAVAILABLE: &str = "/spec/updateStrategy/rollingUpdate/maxUnavailable";
/// What an update may change.
const MUTABLE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// The strategy of stateful sets.
pub(crate) struct StatefulSet;

impl Strategy for StatefulSet {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            name: NameRule::DnsLabel,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/template");
        const PARTITION: &str = "/spec/updateStrategy/rollingUpdate/partition";
        if object.text("/spec/updateStrategy/type") == "RollingUpdate" && object.at(PARTITION).is_null() {
            object.set(PARTITION, 0);
        }
        for claim in elements(object, "/spec/volumeClaimTemplates") {
            claim.set("/apiVersion", "v1");
            claim.set("/kind", "PersistentVolumeClaim");
        }
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        drop_disabled_of_template(new, "/spec/template");
        new.take_at(UNAVAILABLE);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_disabled_of_template(object, "/spec/template");
        object.take_at(UNAVAILABLE);
        object.set("/status", json!({"replicas": 0, "availableReplicas": 0}));
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate_spec(&mut errors, &Path::new("spec"), object.field("spec"), Claims::New);
        errors
    }

    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate_spec(&mut errors, &Path::new("spec"), new.field("spec"), Claims::Kept);
        errors.extend(self.validate_update(new, old));
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let service = object.text("/spec/serviceName");
        if !service.is_empty() {
            check::dns_label(&mut errors, &Path::new("spec.serviceName"), service);
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let fixed = |object: &Value| {
            let mut spec = object.field("spec").clone();
            for field in MUTABLE {
                spec.take_at(&format!("/{field}"));
            }
            // The status of a claim template means nothing and older writers left it out.
            for claim in elements(&mut spec, "/volumeClaimTemplates") {
                claim.take_at("/status");
            }
            spec
        };
        if check::same(&fixed(new), &fixed(old)) {
            return Vec::new();
        }
        vec![Error::forbidden(
            &Path::new("spec"),
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        )]
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, status) = (Path::new("status"), new.field("status"));
        workload::counts(
            &mut errors,
            &path,
            status,
            &[
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ],
        );
        let more = "cannot be greater than status.replicas";
        workload::bounded(
            &mut errors,
            &path,
            status,
            &[
                ("readyReplicas", "replicas", more),
                ("currentReplicas", "replicas", more),
                ("updatedReplicas", "replicas", more),
                ("availableReplicas", "replicas", more),
                (
                    "availableReplicas",
                    "readyReplicas",
                    "cannot be greater than status.readyReplicas",
                ),
            ],
        );
        workload::collisions_only_rise(&mut errors, new, old);
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = workload_warnings("spec.template", new, old);
        if new
            .int("/spec/revisionHistoryLimit")
            .is_some_and(|limit| limit < 0)
        {
            warnings.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                    .to_owned(),
            );
        }
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("statefulsets.apps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let count = |pointer: &str| object.int(pointer).unwrap_or_default();
        let (containers, images) = containers_and_images(object.at("/spec/template/spec"));
        vec![
            name(object),
            format!("{}/{}", count("/status/readyReplicas"), count("/spec/replicas")).into(),
            age(object, now),
            containers.into(),
            images.into(),
        ]
    }
}

/// Templates of claims are checked once: they cannot change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claims {
    New,
    Kept,
}

fn validate_spec(errors: &mut Errors, path: &Path, spec: &Value, claims: Claims) {
    let policy_path = path.child("podManagementPolicy");
    match spec.text("/podManagementPolicy") {
        "" => errors.push(Error::required(&policy_path, "")),
        "OrderedReady" | "Parallel" => {}
        other => errors.push(Error::invalid(
            &policy_path,
            other,
            "must be 'OrderedReady' or 'Parallel'",
        )),
    }
    update_strategy(
        errors,
        &path.child("updateStrategy"),
        spec.field("updateStrategy"),
    );
    let retention = spec.field("persistentVolumeClaimRetentionPolicy");
    if !retention.is_null() {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        for field in ["whenDeleted", "whenScaled"] {
            let policy = retention.field(field).as_str().unwrap_or_default();
            check::one_of(errors, &path.child(field), policy, &["Retain", "Delete"]);
        }
    }
    if claims == Claims::New {
        for (at, claim) in spec.items("/volumeClaimTemplates").iter().enumerate() {
            let path = path.child("volumeClaimTemplates").index(at).child("spec");
            persistent_volume_claim::validate_spec(errors, &path, claim.field("spec"));
        }
    }
    workload::counts(errors, path, spec, &["replicas", "minReadySeconds"]);
    check::not_negative(errors, &path.child("ordinals.start"), spec.at("/ordinals/start"));
    workload::selector(errors, path, spec, WORDS);
    let (value, template_path) = (spec.field("template"), path.child("template"));
    if LabelSelector::from_json(spec.field("selector")).is_err() {
        errors.push(workload::invalid_selector(path, spec, ""));
    } else {
        workload::selects(errors, &template_path, spec);
        // Claims become volumes of the pods, so mounts may name them.
        let mut with_claims = value.clone();
        add_claim_volumes(&mut with_claims, spec.items("/volumeClaimTemplates"));
        // The controller gives both to each pod.
        for field in ["/spec/hostname", "/spec/subdomain"] {
            with_claims.take_at(field);
        }
        template(errors, &template_path, &with_claims);
        template_metadata(errors, &template_path, &with_claims);
    }
    always_restarted(errors, &template_path, value, WORDS.template);
}

/// As the controller will: a claim's volume replaces one of the same name in the template.
fn add_claim_volumes(template: &mut Value, claims: &[Value]) {
    let named = |claim: &Value| claim.text("/metadata/name").to_owned();
    let names: BTreeSet<String> = claims.iter().map(named).collect();
    let is_own = |volume: &&Value| !names.contains(volume.text("/name"));
    let of_claim = |name: &String| json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
    let mut volumes: Vec<Value> = names.iter().map(of_claim).collect();
    volumes.extend(template.items("/spec/volumes").iter().filter(is_own).cloned());
    if !volumes.is_empty() {
        template.set("/spec/volumes", volumes);
    }
}

fn update_strategy(errors: &mut Errors, path: &Path, strategy: &Value) {
    let rolling = strategy.field("rollingUpdate");
    let rolling_path = path.child("rollingUpdate");
    match strategy.text("/type") {
        "" => errors.push(Error::required(path, "")),
        "OnDelete" if rolling.is_null() => {}
        "OnDelete" => errors.push(
            Error::invalid(
                &rolling_path,
                rolling.clone(),
                "only allowed for updateStrategy 'RollingUpdate'",
            )
            .shown_as(go_literal("RollingUpdateStatefulSetStrategy", rolling)),
        ),
        "RollingUpdate" => {
            check::not_negative(
                errors,
                &rolling_path.child("partition"),
                rolling.field("partition"),
            );
        }
        _ => errors.push(
            Error::invalid(path, strategy.clone(), "must be 'RollingUpdate' or 'OnDelete'")
                .shown_as(go_literal("StatefulSetUpdateStrategy", strategy)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_fields_may_change() {
        let old = json!({"spec": {"replicas": 1, "serviceName": "a", "template": {}}});
        let mut new = old.clone();
        new.set("/spec/replicas", 3);
        new.set("/spec/template/metadata/labels/x", "y");
        assert!(StatefulSet.validate_update(&new, &old).is_empty());
        new.set("/spec/serviceName", "b");
        assert_eq!(StatefulSet.validate_update(&new, &old).len(), 1);
    }
}

//! Persistent volumes.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::persistent_volume_claim::{
    VOLUME_MODES, access_modes, annotation_warning, or_unset, positive_quantity, storage_class,
    validate_access_modes,
};
use crate::check::{self, Errors, same};
use crate::diff::diff;
use crate::pod_template::{hosted_sources, node_selector, volume_warnings};
use crate::table::{age, columns, name};

/// The sources of a volume, in the order in which upstream looks at them.
const SOURCES: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

/// The strategy of persistent volumes.
pub(crate) struct PersistentVolume;

impl Strategy for PersistentVolume {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        let mut status = json!({"phase": "Pending"});
        let created = object.at("/metadata/creationTimestamp");
        if !created.is_null() {
            status.set("/lastPhaseTransitionTime", created.clone());
        }
        object.set("/status", status);
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate_spec(&mut errors, object.field("spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update(&mut errors, new.field("spec"), old.field("spec"));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings: Vec<String> = annotation_warning(new).into_iter().collect();
        if new.text("/spec/persistentVolumeReclaimPolicy") == "Recycle" {
            warnings.push(
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
                    .to_owned(),
            );
        }
        warnings.extend(volume_warnings(&Path::new("spec"), new.field("spec")));
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("persistentvolumes")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let claim = object.at("/spec/claimRef");
        let claim = if claim.is_null() {
            String::new()
        } else {
            format!("{}/{}", claim.text("/namespace"), claim.text("/name"))
        };
        let deleting = !object.at("/metadata/deletionTimestamp").is_null();
        let phase = if deleting {
            "Terminating"
        } else {
            object.text("/status/phase")
        };
        vec![
            name(object),
            object.text("/spec/capacity/storage").into(),
            access_modes(object.items("/spec/accessModes")).into(),
            object.text("/spec/persistentVolumeReclaimPolicy").into(),
            phase.into(),
            claim.into(),
            storage_class(object).into(),
            or_unset(object.text("/spec/volumeAttributesClassName")),
            object.text("/status/reason").into(),
            age(object, now),
            or_unset(object.text("/spec/volumeMode")),
        ]
    }
}

fn validate_spec(errors: &mut Errors, spec: &Value) {
    let path = Path::new("spec");
    let modes = spec.items("/accessModes");
    if modes.is_empty() {
        errors.push(Error::required(&path.child("accessModes"), ""));
    }
    validate_access_modes(errors, &path.child("accessModes"), modes);
    capacity(errors, &path.child("capacity"), spec.field("capacity"));
    let policy = spec.text("/persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        check::one_of(
            errors,
            &path.child("persistentVolumeReclaimPolicy"),
            policy,
            &["Delete", "Recycle", "Retain"],
        );
    }
    let affinity = spec.field("nodeAffinity");
    let affinity_path = path.child("nodeAffinity");
    if !affinity.is_null() {
        let required = affinity_path.child("required");
        match affinity.field("required") {
            Value::Null => errors.push(Error::required(
                &required,
                "must specify required node constraints",
            )),
            selector => node_selector(errors, &required, selector),
        }
    }
    hosted_sources(errors, &path, spec, SOURCES);
    if !spec.field("local").is_null() && affinity.is_null() {
        errors.push(Error::required(
            &affinity_path,
            "Local volume requires node affinity",
        ));
    }
    if policy == "Recycle"
        && spec.text("/hostPath/path").trim_end_matches('/').is_empty()
        && !spec.field("hostPath").is_null()
    {
        errors.push(Error::forbidden(
            &path.child("persistentVolumeReclaimPolicy"),
            "may not be 'recycle' for a hostPath mount of '/'",
        ));
    }
    let class = spec.text("/storageClassName");
    if !class.is_empty() {
        check::dns_subdomain(errors, &path.child("storageClassName"), class);
    }
    if let Some(mode) = spec.field("volumeMode").as_str() {
        check::one_of(errors, &path.child("volumeMode"), mode, VOLUME_MODES);
    }
    attributes_class(errors, &path, spec);
}

fn capacity(errors: &mut Errors, path: &Path, capacity: &Value) {
    let entries = capacity.as_object();
    let count = entries.map_or(0, serde_json::Map::len);
    if count == 0 {
        errors.push(Error::required(path, ""));
    }
    if capacity.field("storage").is_null() || count > 1 {
        errors.push(Error::not_supported(path, capacity.clone(), &["storage"]));
    }
    for (resource, amount) in entries.into_iter().flatten() {
        positive_quantity(errors, &path.key(resource), amount);
    }
}

fn attributes_class(errors: &mut Errors, path: &Path, spec: &Value) {
    let Some(class) = spec.field("volumeAttributesClassName").as_str() else {
        return;
    };
    let at = path.child("volumeAttributesClassName");
    if class.is_empty() {
        errors.push(Error::required(&at, "an empty string is disallowed"));
    } else {
        check::dns_subdomain(errors, &at, class);
    }
    if spec.field("csi").is_null() {
        errors.push(Error::required(
            &path.child("csi"),
            "has to be specified when using volumeAttributesClassName",
        ));
    }
}

fn update(errors: &mut Errors, new: &Value, old: &Value) {
    let sources = |spec: &Value| -> Value {
        SOURCES
            .iter()
            .filter(|kind| !spec.field(kind).is_null())
            .map(|kind| ((*kind).to_owned(), spec.field(kind).clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let (mut now, was) = (sources(new), sources(old));
    // Whoever expands a volume may add the secret for it.
    const EXPAND: &str = "/csi/controllerExpandSecretRef";
    if was.at(EXPAND).is_null() && !was.field("csi").is_null() {
        now.take_at(EXPAND);
    }
    if !same(&now, &was) {
        let difference = diff("PersistentVolumeSource", &was, &now);
        errors.push(Error::forbidden(
            &Path::new("spec.persistentvolumesource"),
            format!("spec.persistentvolumesource is immutable after creation\n{difference}"),
        ));
    }
    check::immutable(
        errors,
        &Path::new("volumeMode"),
        new.field("volumeMode"),
        old.field("volumeMode"),
    );
    let (affinity, old_affinity) = (new.field("nodeAffinity"), old.field("nodeAffinity"));
    if !old_affinity.is_null() && !same(affinity, old_affinity) {
        errors.push(Error::invalid(
            &Path::new("nodeAffinity"),
            affinity.clone(),
            "field is immutable, except for updating from beta label to GA",
        ));
    }
    let class = "volumeAttributesClassName";
    if !old.field(class).is_null() && new.field(class).is_null() {
        errors.push(Error::forbidden(
            &Path::new("spec").child(class),
            "update from non-nil value to nil is forbidden",
        ));
    }
}

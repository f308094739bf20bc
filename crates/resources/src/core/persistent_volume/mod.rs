//! Persistent volumes.

mod sources;

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use self::sources::{SOURCES, source};
use super::persistent_volume_claim::{
    VOLUME_MODES, access_modes, annotation_warning, not_below_zero, or_unset, positive_quantity,
    storage_class, validate_access_modes,
};
use crate::check::{self, Errors, same};
use crate::diff::diff;
use crate::go_literal::go_literal;
use crate::pod_template::{node_selector, term_labels, volume_warnings};
use crate::table::{age, columns, name};

const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";
/// Sources whose volumes may have mount options by annotation.
const WITH_MOUNT_OPTIONS: &[&str] = &[
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
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
        validate_spec(&mut errors, &Path::new("spec"), object.field("spec"), Place::Own);
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        mount_options(&mut errors, object);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update(&mut errors, new.field("spec"), old.field("spec"));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings: Vec<String> = annotation_warning(new).into_iter().collect();
        if !new.at("/metadata/annotations").field(MOUNT_OPTIONS).is_null() {
            warnings.push(format!(
                "metadata.annotations[{MOUNT_OPTIONS}]: deprecated since v1.31; use \"mountOptions\" attribute instead"
            ));
        }
        if new.text("/spec/persistentVolumeReclaimPolicy") == "Recycle" {
            warnings.push(
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
                    .to_owned(),
            );
        }
        let terms = new.items("/spec/nodeAffinity/required/nodeSelectorTerms");
        let path = Path::new("spec.nodeAffinity.required.nodeSelectorTerms");
        for (at, term) in terms.iter().enumerate() {
            term_labels(&mut warnings, &path.index(at), term);
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

/// The annotation is older than the field, and known to some sources only.
fn mount_options(errors: &mut Errors, volume: &Value) {
    let given = !volume.at("/metadata/annotations").field(MOUNT_OPTIONS).is_null();
    if given
        && !WITH_MOUNT_OPTIONS
            .iter()
            .any(|kind| !volume.field("spec").field(kind).is_null())
    {
        errors.push(Error::forbidden(
            &Path::new("metadata.annotations").child(MOUNT_OPTIONS),
            "may not specify mount options for this volume type",
        ));
    }
}

/// Whether a specification is a volume's own, or stands in an attachment.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Own,
    Inline,
}

const NOT_INLINE: &str = "may not be specified in the context of inline volumes";

/// Checks the volume that an attachment carries itself.
pub(crate) fn inline_volume(errors: &mut Errors, path: &Path, spec: &Value) {
    for field in ["claimRef", "capacity"] {
        if !check::same(spec.field(field), &Value::Null) {
            errors.push(Error::forbidden(&path.child(field), NOT_INLINE));
        }
    }
    if spec.field("csi").is_null() {
        errors.push(Error::required(
            &path.child("csi"),
            "has to be specified in the context of inline volumes",
        ));
    }
    validate_spec(errors, path, spec, Place::Inline);
}

fn validate_spec(errors: &mut Errors, path: &Path, spec: &Value, place: Place) {
    let modes = spec.items("/accessModes");
    if modes.is_empty() {
        errors.push(Error::required(&path.child("accessModes"), ""));
    }
    validate_access_modes(errors, &path.child("accessModes"), modes);
    if place == Place::Own {
        capacity(errors, &path.child("capacity"), spec.field("capacity"));
    }
    reclaim_policy(errors, &path.child("persistentVolumeReclaimPolicy"), spec, place);
    affinity(
        errors,
        &path.child("nodeAffinity"),
        spec.field("nodeAffinity"),
        place,
    );
    source(errors, path, spec);
    if !spec.field("local").is_null() && spec.field("nodeAffinity").is_null() {
        errors.push(Error::required(
            &path.child("nodeAffinity"),
            "Local volume requires node affinity",
        ));
    }
    let is_root =
        !spec.field("hostPath").is_null() && spec.text("/hostPath/path").trim_end_matches('/').is_empty();
    if is_root && spec.text("/persistentVolumeReclaimPolicy") == "Recycle" {
        errors.push(Error::forbidden(
            &path.child("persistentVolumeReclaimPolicy"),
            "may not be 'recycle' for a hostPath mount of '/'",
        ));
    }
    let (class, class_path) = (spec.text("/storageClassName"), path.child("storageClassName"));
    match place {
        _ if class.is_empty() => {}
        Place::Inline => errors.push(Error::forbidden(&class_path, NOT_INLINE)),
        Place::Own => check::dns_subdomain(errors, &class_path, class),
    }
    let mode_path = path.child("volumeMode");
    match (spec.field("volumeMode").as_str(), place) {
        (None, _) | (Some("Filesystem"), Place::Inline) => {}
        (Some(_), Place::Inline) => errors.push(Error::forbidden(
            &mode_path,
            "may not specify volumeMode other than Filesystem in the context of inline volumes",
        )),
        (Some(mode), Place::Own) => check::one_of(errors, &mode_path, mode, VOLUME_MODES),
    }
    if place == Place::Own {
        attributes_class(errors, path, spec);
    }
}

fn reclaim_policy(errors: &mut Errors, path: &Path, spec: &Value, place: Place) {
    match (spec.text("/persistentVolumeReclaimPolicy"), place) {
        ("", _) | ("Retain", Place::Inline) => {}
        (_, Place::Inline) => errors.push(Error::forbidden(
            path,
            "may only be Retain in the context of inline volumes",
        )),
        (policy, Place::Own) => check::one_of(errors, path, policy, &["Delete", "Recycle", "Retain"]),
    }
}

fn affinity(errors: &mut Errors, path: &Path, affinity: &Value, place: Place) {
    if affinity.is_null() {
        return;
    }
    if place == Place::Inline {
        errors.push(Error::forbidden(path, NOT_INLINE));
        return;
    }
    let required = path.child("required");
    match affinity.field("required") {
        Value::Null => errors.push(Error::required(
            &required,
            "must specify required node constraints",
        )),
        selector => node_selector(errors, &required, selector),
    }
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
        not_below_zero(errors, &path.key(resource), amount);
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
        let why = "field is immutable, except for updating from beta label to GA";
        errors.push(
            Error::invalid(&Path::new("nodeAffinity"), Value::Null, why)
                .shown_as(go_literal("*VolumeNodeAffinity", affinity)),
        );
    }
    let class = "volumeAttributesClassName";
    if !old.field(class).is_null() && new.field(class).is_null() {
        errors.push(Error::forbidden(
            &Path::new("spec").child(class),
            "update from non-nil value to nil is forbidden",
        ));
    }
}

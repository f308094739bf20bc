//! Volumes: exactly one source each, and what every source needs.

use std::collections::HashMap;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{label, name};

use super::paths::{descending_path, no_backsteps};
use super::projected::{downward_file, keys, mode, projected};
use super::resources::quantity;
use super::sources;
use super::spec::Of;
use crate::check::{self, Errors};
use crate::core::persistent_volume_claim;

const HOST_PATH_TYPES: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// The sources of a pod's volume, in the order in which upstream looks at them.
const SOURCES: &[&str] = &[
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// Fields that a source must have: text that is not empty, or lists with something in them.
const REQUIRED: &[(&str, &[&str])] = &[
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("glusterfs", &["endpoints", "path"]),
    ("rbd", &["monitors", "image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &["monitors"]),
    ("flexVolume", &["driver"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &["volumeName"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("secret", &["secretName"]),
    ("configMap", &["name"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("local", &["path"]),
];

/// Metadata that the template of a claim may not have, in the order of upstream's struct.
const NOT_IN_TEMPLATES: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Checks a pod's volumes; answers those that are well-formed, by name.
pub(super) fn volumes<'a>(
    errors: &mut Errors,
    path: &Path,
    volumes: &'a [Value],
    of: Of<'_>,
) -> HashMap<&'a str, &'a Value> {
    let mut known = HashMap::new();
    for (at, volume) in volumes.iter().enumerate() {
        let (at, name) = (path.index(at), volume.text("/name"));
        let before = errors.len();
        one_source(errors, &at, volume, SOURCES, of);
        let name_path = at.child("name");
        if check::required(errors, &name_path, name) {
            check::dns_label(errors, &name_path, name);
        }
        if known.contains_key(name) {
            errors.push(Error::duplicate(&name_path, name));
        }
        if errors.len() == before {
            known.insert(name, volume);
        }
        own_claim(errors, &at, volume, volumes, of);
    }
    known
}

/// A claim that the pod gets for an ephemeral volume cannot be one that it uses by name.
fn own_claim(errors: &mut Errors, path: &Path, volume: &Value, volumes: &[Value], of: Of<'_>) {
    let (claim, pod) = (volume.text("/persistentVolumeClaim/claimName"), of.pod_name());
    let Some(own) = claim.strip_prefix(pod).and_then(|rest| rest.strip_prefix('-')) else {
        return;
    };
    let is_own = |other: &Value| other.text("/name") == own && !other.field("ephemeral").is_null();
    if !pod.is_empty() && volumes.iter().any(is_own) {
        errors.push(Error::invalid(
            &path.child("persistentVolumeClaim.claimName"),
            claim,
            "must not reference a PVC that gets created for an ephemeral volume",
        ));
    }
}

/// Checks that exactly one of `sources` is given, and that one; used by persistent volumes too.
pub(crate) fn hosted_sources(errors: &mut Errors, path: &Path, spec: &Value, sources: &[&str]) {
    one_source(errors, path, spec, sources, Of::Template);
}

fn one_source(errors: &mut Errors, path: &Path, volume: &Value, sources: &[&str], of: Of<'_>) {
    let mut found = false;
    for kind in sources {
        let source = volume.field(kind);
        if source.is_null() {
            continue;
        }
        if found {
            // Upstream's own spelling of these two.
            let shown = match *kind {
                "cephfs" => "cephFS",
                "downwardAPI" => "downwarAPI",
                other => other,
            };
            errors.push(Error::forbidden(
                &path.child(shown),
                "may not specify more than 1 volume type",
            ));
            continue;
        }
        found = true;
        let shown = if *kind == "gcePersistentDisk" {
            "persistentDisk"
        } else {
            kind
        };
        one(errors, &path.child(shown), kind, source);
        if *kind == "ephemeral" {
            claim_name(errors, path, of.pod_name(), volume.text("/name"));
        }
        if *kind == "image" && matches!(of, Of::Pod(_)) {
            let reference = source.text("/reference");
            check::required(errors, &path.child("image.reference"), reference);
        }
    }
    if !found {
        errors.push(Error::required(path, "must specify a volume type"));
    }
}

fn one(errors: &mut Errors, path: &Path, kind: &str, source: &Value) {
    let required = REQUIRED.iter().find(|(known, _)| *known == kind);
    for field in required.map(|(_, fields)| *fields).unwrap_or_default() {
        let value = source.field(field);
        let is_empty = value.as_str().is_none_or(str::is_empty) && value.as_array().is_none_or(Vec::is_empty);
        if is_empty {
            errors.push(Error::required(&path.child(field), ""));
        }
    }
    match kind {
        "emptyDir" if quantity(source.field("sizeLimit")) < Quantity::ZERO => {
            errors.push(Error::forbidden(
                &path.child("sizeLimit"),
                "SizeLimit field must be a valid resource quantity",
            ));
        }
        "hostPath" => host_path(errors, path, source),
        "local" => no_backsteps(errors, &path.child("path"), source.text("/path")),
        "gitRepo" => descending_path(errors, &path.child("directory"), source.text("/directory")),
        "nfs" if !source.text("/path").starts_with('/') => errors.push(Error::invalid(
            &path.child("path"),
            source.text("/path"),
            "must be an absolute path",
        )),
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            let partition = source.int("/partition").unwrap_or_default();
            if !(0..=255).contains(&partition) {
                // Upstream's words name a range that begins one later than what it accepts.
                errors.push(Error::invalid(
                    &path.child("partition"),
                    partition,
                    "must be between 1 and 255, inclusive",
                ));
            }
        }
        "secret" | "configMap" => {
            mode(errors, &path.child("defaultMode"), source.field("defaultMode"));
            keys(errors, &path.child("items"), source.items("/items"));
        }
        "downwardAPI" => {
            mode(errors, &path.child("defaultMode"), source.field("defaultMode"));
            for file in source.items("/items") {
                downward_file(errors, path, file);
            }
        }
        "projected" => projected(errors, path, source),
        "csi" => csi(errors, path, source),
        "iscsi" => sources::iscsi(errors, path, source),
        "fc" => sources::fc(errors, path, source),
        "flocker" => sources::flocker(errors, path, source),
        "flexVolume" => sources::flex(errors, path, source),
        "quobyte" => sources::quobyte(errors, path, source),
        "azureDisk" => sources::azure_disk(errors, path, source),
        "storageos" => sources::storage_os(errors, path, source),
        "cinder" => sources::secret_ref(errors, path, source),
        "ephemeral" => ephemeral(errors, path, source),
        "image" => {
            if let Some(policy) = source.field("pullPolicy").as_str() {
                check::one_of(
                    errors,
                    &path.child("pullPolicy"),
                    policy,
                    &["Always", "IfNotPresent", "Never"],
                );
            }
        }
        _ => {}
    }
}

fn host_path(errors: &mut Errors, path: &Path, source: &Value) {
    let host_path = source.text("/path");
    if !check::required(errors, &path.child("path"), host_path) {
        return;
    }
    no_backsteps(errors, &path.child("path"), host_path);
    if let Some(kind) = source.field("type").as_str() {
        check::one_of(errors, &path.child("type"), kind, HOST_PATH_TYPES);
    }
}

fn csi(errors: &mut Errors, path: &Path, source: &Value) {
    csi_driver(errors, &path.child("driver"), source.text("/driver"));
    let secret = source.field("nodePublishSecretRef");
    if !secret.is_null() {
        let name = secret.text("/name");
        if check::required(errors, &path.child("nodePublishSecretRef.name"), name) {
            check::dns_subdomain(errors, &path.child("name"), name);
        }
    }
}

/// Checks the name of a CSI driver.
fn csi_driver(errors: &mut Errors, path: &Path, driver: &str) {
    if !check::required(errors, path, driver) {
        return;
    }
    if driver.len() > name::LABEL_MAX {
        errors.push(Error::too_long(path, name::LABEL_MAX));
    }
    check::text(
        errors,
        path,
        driver,
        name::dns1123_subdomain(&driver.to_lowercase()),
    );
}

fn ephemeral(errors: &mut Errors, path: &Path, source: &Value) {
    let (template, path) = (
        source.field("volumeClaimTemplate"),
        path.child("volumeClaimTemplate"),
    );
    if template.is_null() {
        errors.push(Error::required(&path, ""));
        return;
    }
    let metadata_path = path.child("metadata");
    let metadata = template.field("metadata");
    errors.extend(label::validate_annotations(
        metadata.field("annotations"),
        &metadata_path.child("annotations"),
    ));
    errors.extend(label::validate(
        metadata.field("labels"),
        &metadata_path.child("labels"),
    ));
    for field in NOT_IN_TEMPLATES {
        if !check::same(metadata.field(field), &Value::Null) {
            errors.push(Error::forbidden(&metadata_path.child(field), "cannot be set"));
        }
    }
    persistent_volume_claim::validate_spec(errors, &path.child("spec"), template.field("spec"));
}

/// The claim that an ephemeral volume of a pod will have must have a possible name.
fn claim_name(errors: &mut Errors, path: &Path, pod: &str, volume: &str) {
    if pod.is_empty() || volume.is_empty() {
        return;
    }
    let claim = format!("{pod}-{volume}");
    for message in name::dns1123_subdomain(&claim) {
        errors.push(Error::invalid(
            &path.child("name"),
            volume,
            format!("PVC name {claim:?}: {message}"),
        ));
    }
}

//! Volumes: exactly one source each, and what every source needs.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{label, name};

use super::env::{Place, field_ref, resource_field_ref};
use super::resources::quantity;
use super::spec::Of;
use crate::check::{self, Errors};
use crate::core::persistent_volume_claim;

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
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
    ("quobyte", &["registry", "volume"]),
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
    }
    known
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
        if *kind == "ephemeral"
            && let Of::Pod(pod) = of
        {
            claim_name(errors, path, pod, volume.text("/name"));
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
    check::required(errors, path, driver);
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
    for (field, value) in metadata.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "annotations" | "labels") && !value.is_null() {
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

fn mode(errors: &mut Errors, path: &Path, mode: &Value) {
    if let Some(bits) = mode.as_i64().filter(|bits| !(0..=0o777).contains(bits)) {
        errors.push(Error::invalid(path, bits, FILE_MODE));
    }
}

fn keys(errors: &mut Errors, path: &Path, items: &[Value]) {
    for (at, item) in items.iter().enumerate() {
        let path = path.index(at);
        check::required(errors, &path.child("key"), item.text("/key"));
        check::required(errors, &path.child("path"), item.text("/path"));
        unreserved_path(errors, &path.child("path"), item.text("/path"));
        mode(errors, &path.child("mode"), item.field("mode"));
    }
}

fn downward_file(errors: &mut Errors, path: &Path, file: &Value) {
    check::required(errors, &path.child("path"), file.text("/path"));
    unreserved_path(errors, &path.child("path"), file.text("/path"));
    let (field, resource) = (file.field("fieldRef"), file.field("resourceFieldRef"));
    match (field.is_null(), resource.is_null()) {
        (false, _) => {
            field_ref(errors, &path.child("fieldRef"), field, Place::Volume);
            if !resource.is_null() {
                errors.push(Error::invalid(
                    path,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                ));
            }
        }
        (true, false) => resource_field_ref(errors, &path.child("resourceFieldRef"), resource, Place::Volume),
        (true, true) => errors.push(Error::required(
            path,
            "one of fieldRef and resourceFieldRef is required",
        )),
    }
    mode(errors, &path.child("mode"), file.field("mode"));
}

fn projected(errors: &mut Errors, path: &Path, source: &Value) {
    mode(errors, &path.child("defaultMode"), source.field("defaultMode"));
    let mut paths = HashSet::new();
    for (at, source) in source.items("/sources").iter().enumerate() {
        let source_path = path.child("sources").index(at);
        for kind in ["secret", "configMap"] {
            let (keyed, at) = (source.field(kind), source_path.child(kind));
            if keyed.is_null() {
                continue;
            }
            let name = keyed.text("/name");
            check::required(errors, &at.child("name"), name);
            keys(errors, &at.child("items"), keyed.items("/items"));
            for item in keyed.items("/items") {
                unique_path(errors, path, &mut paths, item.text("/path"), name);
            }
        }
        let downward = source.field("downwardAPI");
        for file in downward.items("/items") {
            downward_file(errors, &source_path.child("downwardAPI"), file);
            let file = file.text("/path");
            unique_path(errors, path, &mut paths, file, file);
        }
        let token = source.field("serviceAccountToken");
        if !token.is_null() {
            token_source(errors, path, &source_path.child("serviceAccountToken"), token);
        }
        let bundle = source.field("clusterTrustBundle");
        if !bundle.is_null() {
            let file = bundle.text("/path");
            trust_bundle(errors, &source_path.child("clusterTrustBundle"), bundle);
            unique_path(errors, path, &mut paths, file, file);
        }
        let given = source
            .as_object()
            .map_or(0, |map| map.values().filter(|value| !value.is_null()).count());
        if given > 1 {
            errors.push(Error::forbidden(
                &source_path,
                "may not specify more than 1 volume type per source",
            ));
        }
    }
}

fn unique_path<'a>(
    errors: &mut Errors,
    path: &Path,
    seen: &mut HashSet<&'a str>,
    file: &'a str,
    shown: &str,
) {
    if !file.is_empty() && !seen.insert(file) {
        errors.push(Error::invalid(path, shown, "conflicting duplicate paths"));
    }
}

fn token_source(errors: &mut Errors, volume: &Path, path: &Path, token: &Value) {
    let seconds = token.int("/expirationSeconds").unwrap_or_default();
    let expiration = path.child("expirationSeconds");
    if seconds < 600 {
        errors.push(Error::invalid(
            &expiration,
            seconds,
            "may not specify a duration less than 10 minutes",
        ));
    }
    if seconds > 1 << 32 {
        errors.push(Error::invalid(
            &expiration,
            seconds,
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    // Upstream reports the path at the volume, not at the source.
    let file = token.text("/path");
    if check::required(errors, &volume.child("path"), file) {
        unreserved_path(errors, &volume.child("path"), file);
    }
}

fn trust_bundle(errors: &mut Errors, path: &Path, bundle: &Value) {
    let (name, signer) = (bundle.field("name"), bundle.field("signerName"));
    match (name.is_null(), signer.is_null()) {
        (false, false) => errors.push(Error::invalid(
            path,
            bundle.clone(),
            "only one of name and signerName may be used",
        )),
        (true, true) => errors.push(Error::required(
            path,
            "either name or signerName must be specified",
        )),
        _ => {}
    }
    check::required(errors, &path.child("path"), bundle.text("/path"));
    unreserved_path(errors, &path.child("path"), bundle.text("/path"));
}

/// Whether a path climbs.
pub(super) fn has_backstep(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

fn no_backsteps(errors: &mut Errors, path: &Path, value: &str) {
    if has_backstep(value) {
        errors.push(Error::invalid(path, value, "must not contain '..'"));
    }
}

/// A relative path that does not climb.
pub(super) fn descending_path(errors: &mut Errors, path: &Path, value: &str) {
    if value.starts_with('/') {
        errors.push(Error::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(errors, path, value);
}

/// A descending path whose first part is not kept for the kubelet.
fn unreserved_path(errors: &mut Errors, path: &Path, value: &str) {
    descending_path(errors, path, value);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(Error::invalid(path, value, "must not start with '..'"));
    }
}

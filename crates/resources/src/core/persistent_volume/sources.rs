//! Where a persistent volume lies: one source, with what a volume needs beyond the source of a pod's volume, because it
//! has no namespace of its own.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::pod_template::hosted_sources;
use crate::storage::driver;

/// The sources of a volume, in the order in which upstream looks at them.
pub(super) const SOURCES: &[&str] = &[
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
/// Secrets of a CSI driver that upstream looks at.
const CSI_SECRETS: &[&str] = &[
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
];

/// Checks the source of a volume.
pub(super) fn source(errors: &mut Errors, path: &Path, spec: &Value) {
    let mut found = Errors::new();
    hosted_sources(&mut found, path, spec, SOURCES);
    let kind = SOURCES.iter().find(|kind| !spec.field(kind).is_null());
    if let Some(kind) = kind {
        own_rules(&mut found, &path.child(kind), kind, spec.field(kind));
    }
    errors.append(&mut found);
}

fn own_rules(errors: &mut Errors, path: &Path, kind: &str, source: &Value) {
    match kind {
        "csi" => {
            errors.retain(|error| !error.path.as_str().starts_with(path.as_str()));
            csi(errors, path, source);
        }
        "cinder" | "storageos" if !source.field("secretRef").is_null() => {
            let namespace = source.text("/secretRef/namespace");
            check::required(errors, &path.child("secretRef.namespace"), namespace);
        }
        "azureFile" if source.field("secretNamespace").as_str() == Some("") => {
            errors.push(Error::required(&path.child("secretNamespace"), ""));
        }
        "glusterfs" => match source.field("endpointsNamespace").as_str() {
            None => {}
            Some("") => errors.push(Error::invalid(
                &path.child("endpointsNamespace"),
                "",
                "if the endpointnamespace is set, it must be a valid namespace name",
            )),
            Some(namespace) => check::dns_label(errors, &path.child("endpointsNamespace"), namespace),
        },
        "iscsi" => iscsi(errors, path, source),
        _ => {}
    }
}

/// Upstream words this shorter than in pods, and the secret has a name.
fn iscsi(errors: &mut Errors, path: &Path, iscsi: &Value) {
    for error in errors.iter_mut() {
        if error.detail.starts_with("must be valid format") {
            "must be valid format".clone_into(&mut error.detail);
        }
    }
    let name_path = path.child("secretRef.name");
    let is_known = errors.iter().any(|error| error.path == name_path);
    let secret = iscsi.field("secretRef");
    if !secret.is_null() && secret.text("/name").is_empty() && !is_known {
        let initiator = path.child("initiatorname");
        let before = errors.iter().position(|error| error.path == initiator);
        errors.insert(before.unwrap_or(errors.len()), Error::required(&name_path, ""));
    }
}

fn csi(errors: &mut Errors, path: &Path, csi: &Value) {
    driver(errors, &path.child("driver"), csi.text("/driver"));
    check::required(errors, &path.child("volumeHandle"), csi.text("/volumeHandle"));
    for field in CSI_SECRETS {
        let (path, secret) = (path.child(field), csi.field(field));
        if secret.is_null() {
            continue;
        }
        let (name, namespace) = (secret.text("/name"), secret.text("/namespace"));
        if check::required(errors, &path.child("name"), name) {
            check::dns_subdomain(errors, &path.child("name"), name);
        }
        if check::required(errors, &path.child("namespace"), namespace) {
            check::dns_label(errors, &path.child("namespace"), namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_driver_finds_its_secrets_by_name_and_namespace() {
        let mut errors = Errors::new();
        let spec = json!({"csi": {"driver": "a.b", "nodePublishSecretRef": {"name": "s"}}});
        source(&mut errors, &Path::new("spec"), &spec);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.csi.volumeHandle: Required value",
                "spec.csi.nodePublishSecretRef.namespace: Required value",
            ]
        );
    }
}

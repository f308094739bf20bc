//! Which other objects a pod names.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// All lists of containers.
const CONTAINERS: [&str; 3] = [
    "/spec/initContainers",
    "/spec/containers",
    "/spec/ephemeralContainers",
];
/// Kinds of volumes with a secret of their own, and where its name stands.
const VOLUME_SECRETS: [&str; 10] = [
    "/azureFile/secretName",
    "/cephfs/secretRef/name",
    "/cinder/secretRef/name",
    "/flexVolume/secretRef/name",
    "/rbd/secretRef/name",
    "/secret/secretName",
    "/scaleIO/secretRef/name",
    "/iscsi/secretRef/name",
    "/storageos/secretRef/name",
    "/csi/nodePublishSecretRef/name",
];
/// Kinds of volumes that name nothing of the API.
const PLAIN: [&str; 22] = [
    "awsElasticBlockStore",
    "azureDisk",
    "cephfs",
    "cinder",
    "downwardAPI",
    "emptyDir",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];
/// Other kinds of volumes, and what they lead to.
const VOLUMES: [(&str, &str); 7] = [
    ("configMap", "configmaps (via configmap volumes)"),
    ("secret", "secrets (via secret volumes)"),
    ("csi", "csidrivers (via CSI volumes)"),
    ("glusterfs", "endpoints (via glusterFS volumes)"),
    ("persistentVolumeClaim", "persistentvolumeclaims"),
    ("ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ("azureFile", "secrets (via azureFile volumes)"),
];
/// Sources of projected volumes, and what they lead to.
const SOURCES: [(&str, &str); 5] = [
    ("configMap", "configmaps (via projected volumes)"),
    ("secret", "secrets (via projected volumes)"),
    ("serviceAccountToken", "serviceaccounts (via projected volumes)"),
    ("clusterTrustBundle", "clustertrustbundles"),
    ("podCertificate", "podcertificates"),
];

/// The names of the secrets of a pod's namespace that it names.
pub(crate) fn secrets(pod: &Value) -> impl Iterator<Item = &str> {
    let pull = pod
        .items("/spec/imagePullSecrets")
        .iter()
        .map(|secret| secret.text("/name"));
    let volumes = pod.items("/spec/volumes").iter();
    let volumes = volumes.flat_map(|volume| VOLUME_SECRETS.iter().map(|field| volume.text(field)));
    let all = pull
        .chain(in_containers(pod, "secret"))
        .chain(volumes)
        .chain(projected(pod, "/secret/name"));
    all.filter(|name| !name.is_empty())
}

/// The names of its config maps.
pub(crate) fn config_maps(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod
        .items("/spec/volumes")
        .iter()
        .map(|volume| volume.text("/configMap/name"));
    let all = in_containers(pod, "configMap")
        .chain(volumes)
        .chain(projected(pod, "/configMap/name"));
    all.filter(|name| !name.is_empty())
}

/// The names of its volume claims; those that are made for it carry its name.
pub(crate) fn claims(pod: &Value) -> impl Iterator<Item = String> {
    pod.items("/spec/volumes").iter().filter_map(|volume| {
        let claim = volume.text("/persistentVolumeClaim/claimName");
        if !claim.is_empty() {
            return Some(claim.to_owned());
        }
        let is_ephemeral = volume.at("/ephemeral").is_object();
        is_ephemeral.then(|| ephemeral_claim(pod, volume))
    })
}

/// The claim that is made for a volume.
pub(crate) fn ephemeral_claim(pod: &Value, volume: &Value) -> String {
    format!("{}-{}", pod.text("/metadata/name"), volume.text("/name"))
}

/// The names of its device claims, as far as they are made.
pub(crate) fn device_claims(pod: &Value) -> impl Iterator<Item = &str> {
    let made = pod.items("/status/resourceClaimStatuses").iter();
    let made = made.map(|status| status.text("/resourceClaimName"));
    let named = pod.items("/spec/resourceClaims").iter();
    let named = named.map(|claim| claim.text("/resourceClaimName"));
    let extended = pod.text("/status/extendedResourceClaimStatus/resourceClaimName");
    let all = made.chain(named).chain(std::iter::once(extended));
    all.filter(|name| !name.is_empty())
}

/// What of the API a pod depends on, in upstream's words, if anything; `Err` for what is not known.
pub(crate) fn any(pod: &Value) -> Result<Option<&'static str>, String> {
    let in_spec = [
        (
            !pod.text("/spec/serviceAccountName").is_empty(),
            "serviceaccounts",
        ),
        (secrets(pod).next().is_some(), "secrets"),
        (config_maps(pod).next().is_some(), "configmaps"),
        (!pod.items("/spec/resourceClaims").is_empty(), "resourceclaims"),
    ];
    if let Some((_, what)) = in_spec.into_iter().find(|(is_there, _)| *is_there) {
        return Ok(Some(what));
    }
    for volume in pod.items("/spec/volumes") {
        let has = |field: &str| !volume.field(field).is_null();
        if PLAIN.iter().any(|field| has(field)) {
            continue;
        }
        if let Some((_, what)) = VOLUMES.iter().find(|(field, _)| has(field)) {
            return Ok(Some(what));
        }
        if volume.at("/projected").is_null() {
            return Err(format!(
                "unknown volume type for volume  {:?}",
                volume.text("/name")
            ));
        }
        for source in volume.items("/projected/sources") {
            if let Some((_, what)) = SOURCES.iter().find(|(field, _)| !source.field(field).is_null()) {
                return Ok(Some(what));
            }
            if source.at("/downwardAPI").is_null() {
                return Err(format!(
                    "unknown source for projected volume {:?}",
                    volume.text("/name")
                ));
            }
        }
    }
    Ok(None)
}

fn in_containers<'v>(pod: &'v Value, kind: &'static str) -> impl Iterator<Item = &'v str> {
    let containers = CONTAINERS.into_iter().flat_map(|list| pod.items(list));
    containers.flat_map(move |container| {
        let from = container.items("/envFrom").iter();
        let from = from.map(move |from| from.field(&format!("{kind}Ref")).text("/name"));
        let env = container.items("/env").iter();
        let env = env.map(move |env| env.at("/valueFrom").field(&format!("{kind}KeyRef")).text("/name"));
        from.chain(env)
    })
}

fn projected<'v>(pod: &'v Value, field: &'static str) -> impl Iterator<Item = &'v str> {
    let volumes = pod.items("/spec/volumes").iter();
    let sources = volumes.flat_map(|volume| volume.items("/projected/sources"));
    sources.map(move |source| source.text(field))
}

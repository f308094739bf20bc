//! Claims of a pod: bound ones are fine, immediate ones must be bound first, the rest wait for a node.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PodSpec};
use k8s_openapi::api::storage::v1::StorageClass;
use warren_apimachinery::{ObjectKey, resource};
use warren_reconciler::Cluster;

/// The annotation that tells the volume binder which node a claim's first pod goes to.
pub(crate) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// What a pod's claims say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claims {
    /// All bound (or there are none).
    Bound,
    /// These wait for the choice of a node.
    WaitForNode(Vec<ObjectKey>),
    /// The pod cannot run yet, with upstream's reason.
    Refused(String),
}

/// Looks at every claim of a pod, those of ephemeral volumes included.
pub(crate) fn look(cluster: &dyn Cluster, pod: &ObjectKey, spec: &PodSpec) -> Claims {
    let mut waiting = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        let name = match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(claim), _) => claim.claim_name.clone(),
            (None, Some(_)) => format!("{}-{}", pod.name, volume.name),
            (None, None) => continue,
        };
        let key = ObjectKey::namespaced(pod.namespace.clone(), name);
        let claim = cluster.get(&resource::PERSISTENT_VOLUME_CLAIMS, &key);
        let Some(claim) = claim.and_then(|object| object.view::<PersistentVolumeClaim>().ok()) else {
            return Claims::Refused(format!("persistentvolumeclaim \"{}\" not found", key.name));
        };
        if claim.metadata.deletion_timestamp.is_some() {
            return Claims::Refused(format!("persistentvolumeclaim \"{}\" is being deleted", key.name));
        }
        let bound = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
        if bound {
            continue;
        }
        if !waits_for_node(cluster, &claim) {
            return Claims::Refused("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        waiting.push(key);
    }
    if waiting.is_empty() {
        Claims::Bound
    } else {
        Claims::WaitForNode(waiting)
    }
}

fn waits_for_node(cluster: &dyn Cluster, claim: &PersistentVolumeClaim) -> bool {
    let annotated = claim
        .metadata
        .annotations
        .as_ref()
        .and_then(|all| all.get("volume.beta.kubernetes.io/storage-class"));
    let class = annotated.or(claim
        .spec
        .as_ref()
        .and_then(|spec| spec.storage_class_name.as_ref()));
    let Some(class) = class.filter(|class| !class.is_empty()) else {
        return false;
    };
    cluster
        .get(&resource::STORAGE_CLASSES, &ObjectKey::cluster(class.as_str()))
        .and_then(|object| object.view::<StorageClass>().ok())
        .and_then(|class| class.volume_binding_mode)
        .is_some_and(|mode| mode == "WaitForFirstConsumer")
}

//! The claims of pods' ephemeral volumes: made from the template in the pod, owned by it.

use async_trait::async_trait;
use serde_json::json;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::owner::{self, controller_reference};
use crate::pod::Pod;

const RECORDER: Recorder = Recorder {
    component: "ephemeral_volume",
};

/// The controller.
pub(crate) struct EphemeralVolumes;

#[async_trait]
impl Reconciler for EphemeralVolumes {
    fn name(&self) -> &'static str {
        "ephemeral-volume"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PODS, PERSISTENT_VOLUME_CLAIMS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if PODS.is(&change.resource) {
            if change.previous.is_none() && !change.deleted {
                out.add(change.object.key());
            }
        } else if change.deleted
            && let Some(pod) = owner::controller_key(change.object.meta(), &PODS)
        {
            out.add(pod);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(pod) = cx.cluster.get(&PODS, key).map(Pod::of) else {
            return Ok(Next::Wait);
        };
        if !pod.is_active() {
            return Ok(Next::Wait);
        }
        for volume in &pod.spec.volumes {
            let Some(ephemeral) = &volume.ephemeral else {
                continue;
            };
            let name = format!("{}-{}", pod.name(), volume.name);
            let claim = ObjectKey::namespaced(key.namespace.clone(), name.as_str());
            match cx.cluster.get(&PERSISTENT_VOLUME_CLAIMS, &claim) {
                Some(existing) if owner::is_controlled_by(existing.meta(), pod.meta()) => continue,
                Some(_) => {
                    let message = format!("PVC {claim} was not created for pod {key} (pod is not owner)");
                    return Err(ReconcileError::Retry(message));
                }
                None => {}
            }
            let template = ephemeral.at("/volumeClaimTemplate");
            let mut metadata = template.at("/metadata").as_object().cloned().unwrap_or_default();
            metadata.retain(|field, _| matches!(field.as_str(), "labels" | "annotations"));
            metadata.insert("name".into(), name.into());
            metadata.insert("namespace".into(), key.namespace.as_str().into());
            metadata.insert(
                "ownerReferences".into(),
                json!([controller_reference(&PODS, pod.meta())]),
            );
            let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata,
                "spec": template.at("/spec")});
            match cx.cluster.create(&PERSISTENT_VOLUME_CLAIMS, claim).await {
                Err(status) if status.is(StatusReason::AlreadyExists) => {}
                Err(status) => {
                    let message = format!("ephemeral volume {}: {status}", volume.name);
                    RECORDER
                        .about(cx, &PODS, &pod.object)
                        .warning("FailedBinding", message)
                        .await;
                    return Err(status.into());
                }
                Ok(_) => {}
            }
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW};

    #[tokio::test]
    async fn an_ephemeral_volume_gets_a_claim_of_its_pod() {
        let cluster = FakeCluster::new();
        cluster.put(
            &PODS,
            json!({"metadata": {"name": "p", "uid": "p"}, "spec": {"volumes": [{"name": "scratch",
            "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}}]}}),
        );
        cluster.settle(&[&EphemeralVolumes], NOW).await;
        let claim = cluster.value(&PERSISTENT_VOLUME_CLAIMS, "default/p-scratch");
        assert_eq!(claim.text("/spec/storageClassName"), "fast");
        assert_eq!(claim.text("/metadata/ownerReferences/0/uid"), "p");
    }
}

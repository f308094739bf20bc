//! Host → virtual: the node, the status, and the end of a pod whose host pod is gone.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Status, StatusReason};
use warren_reconciler::{Part, ReconcileError};

use super::{PODS, Pass, references, status, token};
use crate::applied::Applied;
use crate::difference::difference;
use crate::mirrored::Report;
use crate::patches::{self, Scene};
use crate::sides::Sides;
use crate::wording::Wording;

impl Pass<'_> {
    /// The node first, then the status.
    pub(super) async fn report(&self, host: &Value) -> Result<(), ReconcileError> {
        let node = host.text("/spec/nodeName");
        let bound = match node.is_empty() || self.object.meta().deleting {
            true => None,
            false if self.pod.text("/spec/nodeName").is_empty() => self.bind(node, host).await?,
            false => None,
        };
        let pod = bound.as_ref().unwrap_or(&self.pod);
        let wording = || pod_wording(&self.sides, &self.object, &self.pod, host.text("/metadata/uid"));
        let wanted = status::virtual_status(pod, host, &Applied::read(host), wording);
        let wanted = self.patched(pod, host, wanted).await?;
        self.write_status(pod, wanted).await
    }

    /// What the configuration changes on the way back.
    async fn patched(&self, pod: &Value, host: &Value, status: Value) -> Result<Value, ReconcileError> {
        let patches = &self.sides.binding.spec.sync.to_host.pods.patches;
        if patches.is_empty() {
            return Ok(status);
        }
        let scene = Scene {
            binding: &self.sides.binding,
            virtual_object: pod,
            host_object: host,
        };
        let mut report = Report {
            main: Value::Null,
            status,
        };
        if let Err(why) = patches::to_virtual(patches, &scene, &mut report) {
            return Err(self.refuse(why).await);
        }
        if !report.main.is_null() {
            let (key, cluster) = (self.object.key(), self.sides.virtual_cluster);
            cluster.merge_patch(&PODS, &key, Part::Main, report.main).await?;
        }
        Ok(report.status)
    }

    /// Binds the virtual pod to the host pod's node. Answers the pod as it is then.
    async fn bind(&self, node: &str, host: &Value) -> Result<Option<Value>, ReconcileError> {
        let (key, cluster) = (self.object.key(), self.sides.virtual_cluster);
        let labels = status::topology_labels(&self.pod, host);
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": self.object.meta().uid, "labels": labels},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
        cluster.post(&PODS, &key, "binding", binding).await?;
        Ok(cluster.get(&PODS, &key).map(|object| object.to_value()))
    }

    /// What a newer host says and the virtual cluster refuses stays behind; the rest is told.
    async fn write_status(&self, pod: &Value, mut wanted: Value) -> Result<(), ReconcileError> {
        match self.patch_status(pod, &wanted).await {
            Err(refused) if refused.is(StatusReason::Invalid) => {
                status::keep_refused(pod, &refused, &mut wanted);
                tracing::debug!(pod = %self.object.key(), %refused, "part of a status is not told");
                Ok(self.patch_status(pod, &wanted).await?)
            }
            written => Ok(written?),
        }
    }

    async fn patch_status(&self, pod: &Value, wanted: &Value) -> Result<(), Status> {
        let Some(patch) = difference(pod.at("/status"), wanted) else {
            return Ok(());
        };
        let (key, cluster) = (self.object.key(), self.sides.virtual_cluster);
        let version = pod.text("/metadata/resourceVersion");
        let patch = json!({"metadata": {"resourceVersion": version}, "status": patch});
        match cluster.merge_patch(&PODS, &key, Part::Status, patch).await {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status),
            _ => Ok(()),
        }
    }

    /// The host pod is gone, and nobody will say any more how the pod ended.
    pub(super) async fn tell_the_end(&self) -> Result<(), ReconcileError> {
        match status::of_lost(&self.pod, self.sides.cx.now) {
            Some(status) => Ok(self.patch_status(&self.pod, &status).await?),
            None => Ok(()),
        }
    }
}

/// How the host speaks of a pod and of what it refers to.
pub(crate) fn pod_wording(sides: &Sides<'_>, object: &Object, pod: &Value, host_uid: &str) -> Wording {
    let mut wording = sides.wording(&PODS, object);
    wording.replace(host_uid, &object.meta().uid);
    for (resource, name) in references::references(pod.at("/spec")) {
        wording.name(&sides.binding, resource, &name);
    }
    let tokens = token::secret_key(&sides.binding.tenant, &object.key(), &object.meta().uid);
    wording.replace(&tokens.name, "service-account-tokens");
    wording
}

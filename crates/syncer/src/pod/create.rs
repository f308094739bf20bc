//! The first way of a pod to the host: after its policies passed, with what it refers to already there.

use std::time::Duration;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_reconciler::{Next, ReconcileError};

use super::surroundings::surroundings;
use super::{PODS, Pass, enforced, follow, guard, host_pod, needs, next, references, token};
use crate::catalogue::MIRRORED;
use crate::from_host::is_ours;
use crate::patches::{self, Scene};
use crate::{config_map, mirrored, secret};

/// How often a pod that waits for something is looked at, should nobody tell that it came.
const WAIT: Duration = Duration::from_secs(30);

impl Pass<'_> {
    /// Makes the host pod, and the Secret of its tokens.
    pub(super) async fn create(&self) -> Result<Next, ReconcileError> {
        self.check().await?;
        let config = &self.sides.binding.spec;
        let node = self.pod.text("/spec/nodeName");
        if enforced::is_scheduled_by_tenant(config, self.pod.at("/spec")) && node.is_empty() {
            return Ok(Next::Wait);
        }
        if !self.may_use_node(node).await {
            return Ok(Next::After(WAIT));
        }
        let missing = needs::missing(&self.sides, &self.pod);
        if !missing.is_empty() {
            for (reason, message) in missing.iter().filter_map(needs::Need::event) {
                self.sides.tell(&PODS, &self.object, reason, &message).await;
            }
            return Ok(Next::After(WAIT));
        }
        self.ensure_references(&self.pod).await?;
        let host = self.host_pod().await?;
        let tokens = token::plan(&self.sides, &self.object, &self.pod).await?;
        // The two go out together: no kubelet is as quick as that.
        let (kept, made) = futures_util::future::join(
            token::write(&self.sides, &self.object, &tokens),
            self.sides.create_host(&PODS, &self.object, host),
        )
        .await;
        made?;
        Ok(next(kept?))
    }

    /// The host pod as it is sent.
    async fn host_pod(&self) -> Result<Value, ReconcileError> {
        let binding = &self.sides.binding;
        let around = surroundings(&self.sides, &self.pod)?;
        let mut host = host_pod::host_pod(binding, &self.pod, &around);
        let placed = match self.pod.items("/spec/schedulingGates") {
            [] => &Value::Null,
            _ => host.at("/spec"),
        };
        let parts = follow::parts(binding, &self.pod, host.at("/metadata"), placed);
        host_pod::finish(&mut host, &parts);
        let scene = Scene {
            binding,
            virtual_object: &self.pod,
            host_object: &Value::Null,
        };
        match patches::to_host(&binding.spec.sync.to_host.pods.patches, &scene, &mut host) {
            Ok(()) => Ok(host),
            Err(why) => Err(self.refuse(why).await),
        }
    }

    /// The last word on what may go to the host.
    async fn check(&self) -> Result<(), ReconcileError> {
        let spec = self.pod.at("/spec");
        for (fields, why) in [
            (
                guard::forbidden(&self.sides.binding, spec),
                "is not allowed on the host cluster",
            ),
            (
                guard::unsupported(&self.sides.binding.spec, spec),
                "is not supported",
            ),
        ] {
            if !fields.is_empty() {
                let why = format!("The pod cannot run: {} {why}", fields.join(", "));
                return Err(self.refuse(why).await);
            }
        }
        let class = spec.text("/runtimeClassName");
        if self.sides.binding.spec.sync.from_host.runtime_classes.enabled && !class.is_empty() {
            let there = self
                .sides
                .virtual_cluster
                .get(&resource::RUNTIME_CLASSES, &ObjectKey::cluster(class));
            if !there.is_some_and(|class| is_ours(&class)) {
                let why = format!(
                    "The pod cannot run: the runtime class {class:?} is not one of the host cluster's"
                );
                return Err(self.refuse(why).await);
            }
        }
        Ok(())
    }

    pub(super) async fn refuse(&self, why: String) -> ReconcileError {
        self.sides.warn(&PODS, &self.object, &why).await;
        ReconcileError::Never(why)
    }

    /// Where only some nodes are for the tenant, a pod may name none but those.
    async fn may_use_node(&self, node: &str) -> bool {
        let labels = &self.sides.binding.spec.sync.from_host.nodes.selector.labels;
        if node.is_empty() || labels.is_empty() {
            return true;
        }
        let there = self
            .sides
            .virtual_cluster
            .get(&resource::NODES, &ObjectKey::cluster(node));
        if there.is_none() {
            let message = format!("Given nodeName {node} does not exist in virtual cluster");
            self.sides
                .tell(&PODS, &self.object, "SyncWarning", &message)
                .await;
        }
        there.is_some()
    }

    /// What a pod (or an ephemeral container, as the spec of one) refers to is on the host before it is, so that the
    /// host's kubelet finds it at once.
    pub(super) async fn ensure_references(&self, pod: &Value) -> Result<(), ReconcileError> {
        for (resource, name) in references::references(pod.at("/spec")) {
            self.ensure(resource, &name).await?;
        }
        let volumes = pod.items("/spec/volumes").iter();
        for volume in volumes.filter(|volume| !volume.field("ephemeral").is_null()) {
            let claim = needs::ephemeral_claim(&self.pod, volume);
            self.ensure(&resource::PERSISTENT_VOLUME_CLAIMS, &claim).await?;
        }
        if self.sides.binding.spec.sync.to_host.service_accounts.enabled {
            let account = host_pod::pod_account(&self.pod).to_owned();
            self.ensure(&resource::SERVICE_ACCOUNTS, &account).await?;
        }
        Ok(())
    }

    async fn ensure(&self, resource: &Resource, name: &str) -> Result<(), ReconcileError> {
        let key = ObjectKey::namespaced(self.object.meta().namespace.clone(), name);
        match resource.plural {
            "configmaps" => config_map::ensure(&self.sides, &key).await,
            "secrets" => secret::ensure(&self.sides, &key).await,
            _ => match MIRRORED.iter().find(|row| row.resource == *resource) {
                Some(row) => mirrored::ensure(row, &self.sides, &key).await,
                None => Ok(()),
            },
        }
    }
}

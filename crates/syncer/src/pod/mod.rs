//! Pods: what makes a virtual cluster run anything. Owns the shell; `decide` says what is to be done, `host_pod` what
//! the host pod looks like, `follow` what later changes make of it, `status` what comes back.

mod decide;
mod dns;
mod downward;
mod env;
mod follow;
mod guard;
mod host_pod;
pub(crate) mod references;
mod scheduling;
mod status;
mod surroundings;
pub(crate) mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::applied::{APPLIED, Applied};
use crate::binding::Bindings;
use crate::difference::difference;
use crate::sides::{ACTOR, Claim, Sides, trigger};
use crate::wording::Wording;
use crate::{config_map, secret};

use decide::{HostPod, Step, decide};
use surroundings::surroundings;

const PODS: Resource = resource::PODS;

const RETRY_TAKEN: Duration = Duration::from_secs(30);

/// The rule.
pub(crate) struct Pods {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for Pods {
    fn name(&self) -> &'static str {
        "sync-pods"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[PODS, resource::NAMESPACES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if !resource::NAMESPACES.is(&change.resource) {
            return trigger(self.bindings.as_ref(), &PODS, change, out);
        }
        // Host pods carry the labels of their virtual namespace.
        let relabelled = change
            .previous
            .as_ref()
            .is_some_and(|previous| previous.meta().labels != change.object.meta().labels);
        if relabelled && self.bindings.of_virtual(&change.cluster).is_some() {
            for pod in cluster.list(&PODS, Some(&change.object.meta().name)) {
                out.add(pod.key());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if !sides.binding.spec.sync.to_host.pods.enabled {
            return Ok(Next::Wait);
        }
        let object = cx.cluster.get(&PODS, key);
        let claim = sides.claim(&PODS, key);
        let pod = object.as_ref().map(|object| object.to_value());
        let host = match &claim {
            Claim::Ours { object, .. } => object.to_value(),
            _ => Value::Null,
        };
        let host_pod = match &claim {
            Claim::Absent => HostPod::Absent,
            Claim::Foreign => HostPod::Foreign,
            Claim::Ours { uid, .. } => HostPod::Ours(&host, uid),
        };
        let step = decide(pod.as_ref(), host_pod);
        let pass = match (object, pod) {
            (Some(object), Some(pod)) => Pass { sides, object, pod },
            _ => {
                if let (Step::DeleteHost(grace), Claim::Ours { object, .. }) = (step, &claim) {
                    sides.delete_host(&PODS, object, grace).await?;
                }
                return Ok(Next::Wait);
            }
        };
        pass.take(step, &claim, &host).await
    }
}

/// A pass over a virtual pod that is there.
struct Pass<'a> {
    sides: Sides<'a>,
    object: Arc<Object>,
    pod: Value,
}

impl Pass<'_> {
    async fn take(&self, step: Step, claim: &Claim, host: &Value) -> Result<Next, ReconcileError> {
        match (step, claim) {
            (Step::Create, _) => return self.create().await,
            (Step::Taken, _) => {
                self.sides.taken(&PODS, &self.object).await;
                // Nobody tells us when a foreign object goes.
                return Ok(Next::After(RETRY_TAKEN));
            }
            (Step::DeleteHost(grace), Claim::Ours { object, .. }) => {
                self.sides.delete_host(&PODS, object, grace).await?;
            }
            (Step::DeleteVirtual(grace), Claim::Ours { .. }) => {
                self.report(host).await?;
                self.sides.delete_virtual(&PODS, &self.object, grace).await?;
            }
            (Step::DeleteVirtual(grace), _) => {
                self.sides.delete_virtual(&PODS, &self.object, grace).await?;
            }
            (Step::Watch, _) => self.report(host).await?,
            (Step::Follow, _) => return self.both(host).await,
            (Step::Nothing | Step::DeleteHost(_), _) => {}
        }
        Ok(Next::Wait)
    }

    async fn create(&self) -> Result<Next, ReconcileError> {
        let spec = self.pod.at("/spec");
        for (fields, why) in [
            (guard::forbidden(spec), "is not allowed on the host cluster"),
            (guard::unsupported(spec), "is not supported"),
        ] {
            if !fields.is_empty() {
                let message = format!("The pod cannot run: {} {why}", fields.join(", "));
                self.sides.warn(&PODS, &self.object, &message).await;
                return Err(ReconcileError::Never(message));
            }
        }
        let around = surroundings(&self.sides, &self.pod)?;
        let young = token::keep(&self.sides, &self.object, &self.pod).await?;
        for (resource, name) in references::references(spec) {
            self.ensure(resource, &name).await?;
        }
        let mut host = host_pod::host_pod(&self.sides.binding, &self.pod, &around);
        let parts = follow::parts(&self.pod, host.at("/metadata"), host.at("/spec"));
        host_pod::finish(&mut host, &parts);
        self.sides.create_host(&PODS, &self.object, host).await?;
        Ok(next(young))
    }

    /// What a pod refers to is on the host before the pod is, so that the host's kubelet finds it at once. What is
    /// missing in the virtual cluster is left missing: the kubelet says so, and its words come back.
    async fn ensure(&self, resource: &Resource, name: &str) -> Result<(), ReconcileError> {
        let key = ObjectKey::namespaced(self.object.meta().namespace.clone(), name);
        match resource.plural {
            "configmaps" => config_map::ensure(&self.sides, &key).await,
            "secrets" => secret::ensure(&self.sides, &key).await,
            _ => Ok(()),
        }
    }

    async fn both(&self, host: &Value) -> Result<Next, ReconcileError> {
        let running = !matches!(host.text("/status/phase"), "Succeeded" | "Failed");
        let young = match running {
            true => token::keep(&self.sides, &self.object, &self.pod).await?,
            false => None,
        };
        let written = self.follow(host).await?;
        // What the host says counts for what it has now.
        self.report(written.as_ref().unwrap_or(host)).await?;
        Ok(next(young))
    }

    /// Virtual → host. Answers the host pod if it was written.
    async fn follow(&self, host: &Value) -> Result<Option<Value>, ReconcileError> {
        let labels = surroundings::namespace_labels(&self.sides, &self.object.meta().namespace);
        let (metadata, spec) = self.wanted(host, &labels);
        let parts = follow::parts(&self.pod, &metadata, &spec);
        let changes = follow::changes(&self.pod, host, &Applied::read(host), &parts);
        let new: Vec<&Value> = follow::new_ephemeral_containers(&self.pod, host).collect();
        let mut written = None;
        if !new.is_empty() {
            let patch = self.ephemeral_patch(host, &new).await?;
            written = Some(
                self.patch_host(host, Part::Sub("ephemeralcontainers"), patch)
                    .await?,
            );
        }
        for (part, patch) in [
            (Part::Sub("resize"), changes.resize),
            (Part::Status, changes.status),
        ] {
            if let Some(patch) = patch {
                let current = written.as_ref().unwrap_or(host);
                written = Some(self.patch_host(current, part, patch).await?);
            }
        }
        if changes.main.is_some() || changes.base {
            let base = Applied::of(&parts).to_text();
            let main = match &written {
                None => changes.main,
                Some(host) => follow::changes(&self.pod, host, &Applied::read(host), &parts).main,
            };
            let mut patch = main.unwrap_or_else(|| json!({}));
            if let Some(annotations) = patch.object_at("/metadata/annotations") {
                annotations.insert(APPLIED.to_owned(), base.into());
            }
            let current = written.as_ref().unwrap_or(host);
            written = Some(self.patch_host(current, Part::Main, patch).await?);
        }
        Ok(written)
    }

    /// The metadata and spec that the host pod would have now, as far as parts of them may still change.
    fn wanted(&self, host: &Value, labels: &[(String, String)]) -> (Value, Value) {
        let mut metadata = host_pod::metadata(&self.sides.binding, &self.pod, labels);
        let mut spec = self.pod.at("/spec").clone();
        for (key, value) in downward::translate(&self.sides.binding.tenant, &self.pod, &mut spec) {
            metadata.set(&format!("/annotations/{}", key.replace('/', "~1")), value);
        }
        if !host.items("/spec/schedulingGates").is_empty() || !spec.at("/affinity").is_null() {
            let namespaces = surroundings::namespaces(&self.sides, &self.pod);
            scheduling::translate(&self.sides.binding.tenant, &self.pod, &mut spec, &namespaces);
        }
        (metadata, spec)
    }

    async fn ephemeral_patch(&self, host: &Value, new: &[&Value]) -> Result<Value, ReconcileError> {
        let spec = json!({"ephemeralContainers": new});
        let refused = guard::forbidden(&spec);
        if !refused.is_empty() {
            let message = format!(
                "The container cannot run: {} is not allowed on the host cluster",
                refused.join(", ")
            );
            self.sides.warn(&PODS, &self.object, &message).await;
            return Err(ReconcileError::Never(message));
        }
        for (resource, name) in references::references(&spec) {
            self.ensure(resource, &name).await?;
        }
        let around = surroundings(&self.sides, &self.pod)?;
        let mut all = host.items("/spec/ephemeralContainers").to_vec();
        let tenant = &self.sides.binding.tenant;
        all.extend(
            new.iter()
                .map(|one| host_pod::ephemeral_container(tenant, &self.pod, one, &around)),
        );
        Ok(json!({"spec": {"ephemeralContainers": all}}))
    }

    /// Lists are replaced as a whole, so only what was looked at is patched.
    async fn patch_host(&self, host: &Value, part: Part, mut patch: Value) -> Result<Value, ReconcileError> {
        let key = host_pod::pod_key(host);
        patch.set(
            "/metadata/resourceVersion",
            host.text("/metadata/resourceVersion"),
        );
        match self.sides.host.merge_patch(&PODS, &key, part, patch).await {
            Ok(written) => Ok(written.to_value()),
            Err(status) => Err(self.sides.refused(&PODS, &self.object, status).await),
        }
    }

    /// Host → virtual: the node first, then the status.
    async fn report(&self, host: &Value) -> Result<(), ReconcileError> {
        let key = self.object.key();
        let cluster = self.sides.virtual_cluster;
        let node = host.text("/spec/nodeName");
        let mut pod = None;
        if !node.is_empty() && self.pod.text("/spec/nodeName").is_empty() && !self.object.meta().deleting {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding",
                "metadata": {"name": key.name, "namespace": key.namespace, "uid": self.object.meta().uid},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
            cluster.post(&PODS, &key, "binding", binding).await?;
            pod = cluster.get(&PODS, &key).map(|object| object.to_value());
        }
        let pod = pod.as_ref().unwrap_or(&self.pod);
        let wording = self.wording(host);
        let wanted = status::virtual_status(pod, host, &Applied::read(host), &wording);
        let Some(patch) = difference(pod.at("/status"), &wanted) else {
            return Ok(());
        };
        let patch =
            json!({"metadata": {"resourceVersion": pod.text("/metadata/resourceVersion")}, "status": patch});
        match cluster.merge_patch(&PODS, &key, Part::Status, patch).await {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(()),
        }
    }

    /// How the host speaks of this pod.
    fn wording(&self, host: &Value) -> Wording {
        pod_wording(&self.sides, &self.object, &self.pod, host.text("/metadata/uid"))
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

fn next(after: Option<Duration>) -> Next {
    after.map_or(Next::Wait, Next::After)
}

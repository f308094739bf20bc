//! Carries the steps of a plan out: claims and pods come, pods go, claims get the owners that the retention policy says.

use serde_json::{Value, json};
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, StatusReason};
use warren_reconciler::{DeleteOptions, ReconcileError};

use super::identity::{self, Place, Retention};
use super::plan::{Action, Member};
use super::{Pass, RECORDER};
use crate::owner;
use crate::pod::Pod;
use crate::pod_control::namespace_is_terminating;

impl Pass<'_> {
    pub(super) async fn take(
        &self,
        actions: &[Action<'_>],
        members: &[Member],
    ) -> Result<(), ReconcileError> {
        for action in actions {
            match action {
                Action::Create(ordinal) => self.create(*ordinal).await?,
                Action::EnsureClaims(ordinal) => {
                    self.ensure_claims(*ordinal).await?;
                }
                Action::Replace(pod) => {
                    self.tell_replacement(pod).await;
                    self.delete(pod).await?;
                }
                Action::Delete(pod) => {
                    self.own_claims_of(pod, members).await?;
                    self.delete(pod).await?;
                }
            }
        }
        Ok(())
    }

    async fn create(&self, ordinal: i64) -> Result<(), ReconcileError> {
        let set = &self.object.meta().name;
        if !self.ensure_claims(ordinal).await? {
            return Ok(());
        }
        let pod = identity::pod(&self.object, self.revision_of(ordinal), ordinal);
        let name = pod.text("/metadata/name").to_owned();
        match self.cx.cluster.create(&PODS, pod).await {
            Ok(_) => {
                let message = format!("create Pod {name} in StatefulSet {set} successful");
                self.about().normal("SuccessfulCreate", message).await;
                Ok(())
            }
            Err(status) if status.is(StatusReason::AlreadyExists) => Err(ReconcileError::Retry(format!(
                "pod {name} exists and is not the set's"
            ))),
            Err(status) if namespace_is_terminating(&status) => Ok(()),
            Err(status) => {
                let message = format!("create Pod {name} in StatefulSet {set} failed error: {status}");
                self.about().warning("FailedCreate", message).await;
                Err(ReconcileError::Retry(status.to_string()))
            }
        }
    }

    /// Makes the claims of an ordinal. `false` while an old one is still going.
    async fn ensure_claims(&self, ordinal: i64) -> Result<bool, ReconcileError> {
        let mut usable = true;
        for claim in identity::claims(&self.object, ordinal) {
            let name = claim.text("/metadata/name").to_owned();
            let key = ObjectKey::namespaced(self.object.meta().namespace.clone(), name.as_str());
            match self.cx.cluster.get(&PERSISTENT_VOLUME_CLAIMS, &key) {
                Some(existing) => usable &= !existing.meta().deleting,
                None => self.create_claim(claim, &name, ordinal).await?,
            }
        }
        Ok(usable)
    }

    async fn create_claim(&self, mut claim: Value, name: &str, ordinal: i64) -> Result<(), ReconcileError> {
        let meta = self.object.meta();
        let owners = identity::claim_owners(self.retention(), Place::Wanted, (meta, None), &[]);
        if !owners.is_empty() {
            claim.set("/metadata/ownerReferences", owners);
        }
        let what = format!(
            "create Claim {name} Pod {}-{ordinal} in StatefulSet {}",
            meta.name, meta.name
        );
        match self.cx.cluster.create(&PERSISTENT_VOLUME_CLAIMS, claim).await {
            Ok(_) => {
                self.about()
                    .normal("SuccessfulCreate", format!("{what} success"))
                    .await;
                Ok(())
            }
            Err(status) if status.is(StatusReason::AlreadyExists) => Ok(()),
            Err(status) => {
                let message = format!("{what} failed error: {status}");
                self.about().warning("FailedCreate", message).await;
                Err(ReconcileError::Retry(status.to_string()))
            }
        }
    }

    async fn delete(&self, pod: &Pod) -> Result<(), ReconcileError> {
        let options = DeleteOptions {
            uid: Some(pod.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        let (name, set) = (pod.name(), &self.object.meta().name);
        match self.cx.cluster.delete(&PODS, &pod.object.key(), options).await {
            Ok(()) => {
                let message = format!("delete Pod {name} in StatefulSet {set} successful");
                self.about().normal("SuccessfulDelete", message).await;
                Ok(())
            }
            Err(status) if status.is(StatusReason::NotFound) => Ok(()),
            Err(status) => {
                let message = format!("delete Pod {name} in StatefulSet {set} failed error: {status}");
                self.about().warning("FailedDelete", message).await;
                Err(ReconcileError::Retry(status.to_string()))
            }
        }
    }

    async fn tell_replacement(&self, pod: &Pod) {
        let meta = self.object.meta();
        let set = format!("StatefulSet {}/{}", meta.namespace, meta.name);
        if pod.is_failed() {
            let message = format!("{set} is recreating failed Pod {}", pod.name());
            self.about().warning("RecreatingFailedPod", message).await;
        } else {
            let message = format!("{set} is recreating terminated Pod {}", pod.name());
            self.about().normal("RecreatingTerminatedPod", message).await;
        }
    }

    fn about(&self) -> warren_reconciler::event::About<'_> {
        RECORDER.about(self.cx, &STATEFUL_SETS, &self.object)
    }

    fn retention(&self) -> Retention {
        let policy = self.set.spec.persistent_volume_claim_retention_policy.as_ref();
        let deletes = |when: Option<&String>| when.is_some_and(|when| when == "Delete");
        Retention {
            delete_when_deleted: deletes(policy.and_then(|policy| policy.when_deleted.as_ref())),
            delete_when_scaled: deletes(policy.and_then(|policy| policy.when_scaled.as_ref())),
        }
    }

    /// Before a pod goes for good, its claims get the owner that takes them along.
    async fn own_claims_of(&self, pod: &Pod, members: &[Member]) -> Result<(), ReconcileError> {
        match members.iter().find(|member| member.pod.name() == pod.name()) {
            Some(member) => self.keep_owners_of(member).await,
            None => Ok(()),
        }
    }

    /// Gives all claims the owners that the retention policy says.
    pub(super) async fn keep_claim_owners(&self, members: &[Member]) -> Result<(), ReconcileError> {
        for member in members {
            self.keep_owners_of(member).await?;
        }
        Ok(())
    }

    async fn keep_owners_of(&self, member: &Member) -> Result<(), ReconcileError> {
        let meta = self.object.meta();
        let desired = self.desired();
        let wanted = desired.start..desired.start + desired.replicas;
        let place = if wanted.contains(&member.ordinal) {
            Place::Wanted
        } else {
            Place::Condemned
        };
        for claim in identity::claims(&self.object, member.ordinal) {
            let key = ObjectKey::namespaced(meta.namespace.clone(), claim.text("/metadata/name"));
            let Some(existing) = self.cx.cluster.get(&PERSISTENT_VOLUME_CLAIMS, &key) else {
                continue;
            };
            let value = existing.to_value();
            let current = value.items("/metadata/ownerReferences");
            let pod = Some(member.pod.meta());
            let owners = identity::claim_owners(self.retention(), place, (meta, pod), current);
            let uids =
                |owners: &[Value]| -> Vec<Value> { owners.iter().map(|o| json!(o.text("/uid"))).collect() };
            if uids(&owners) != uids(current) {
                let cluster = self.cx.cluster.as_ref();
                owner::write_references(cluster, &PERSISTENT_VOLUME_CLAIMS, &existing, owners).await?;
            }
        }
        Ok(())
    }
}

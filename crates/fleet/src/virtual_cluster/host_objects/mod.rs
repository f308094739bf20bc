//! What a virtual cluster has on the host beside what its tenant makes: the Service of its API, the admin's kubeconfig,
//! the account that its pods run as, and what limits its host namespace.
//!
//! All of it carries the label `warren.dev/managed-by` (the remote port watches nothing else) and, in the virtual
//! cluster's own host namespace, an owner, so that it goes with it. What somebody else made under such a name is left
//! alone.

mod account;
mod difference;
mod dns;
mod ingress;
mod kubeconfig;
mod network_policies;
mod quota;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason, resource};
use warren_config::VirtualCluster;
use warren_reconciler::{Cluster, DeleteOptions, Part};
use warren_translate::MANAGED_BY;

pub(crate) use account::account;
pub(crate) use dns::{dns_endpoints, dns_service};
pub(crate) use ingress::ingress;
pub(crate) use kubeconfig::{FROM, Served, secrets};
pub(crate) use network_policies::{Whereabouts, network_policies};
pub(crate) use quota::quota;
pub(crate) use service::{Port, endpoints};
pub(crate) use service::{names, service};

/// Where the host objects of one virtual cluster are made, and in whose name.
pub(crate) struct Place<'a> {
    /// The host.
    pub(crate) host: &'a dyn Cluster,
    /// The virtual cluster.
    pub(crate) wanted: &'a VirtualCluster,
    /// The entry of `metadata.ownerReferences` of all of them.
    pub(crate) owner: &'a Value,
}

/// What became of a host object.
pub(crate) enum Kept {
    /// It is there as it is wanted.
    Ours(Arc<Object>),
    /// The name is taken by something that is not ours.
    Foreign,
}

/// Texts by name: labels or annotations.
type Texts = BTreeMap<String, String>;

impl Place<'_> {
    /// The metadata of an object beside the virtual cluster: our labels win over configured ones.
    pub(crate) fn metadata(&self, name: &str, labels: &Texts, annotations: &Texts) -> Value {
        let key = &self.wanted.key;
        let mut all: Texts = labels.clone();
        for (label, value) in [("app", "warren"), ("release", &key.name), (MANAGED_BY, &key.name)] {
            all.insert(label.to_owned(), value.to_owned());
        }
        let mut metadata = json!({"name": name, "namespace": key.namespace, "labels": all,
            "ownerReferences": [self.owner]});
        let mut said = self
            .wanted
            .spec
            .control_plane
            .advanced
            .global_metadata
            .annotations
            .clone();
        said.extend(annotations.clone());
        if !said.is_empty() {
            metadata.set("/annotations", json!(said));
        }
        metadata
    }

    /// Sees to it that an object is there as it is wanted. `whole` names the parts in which nothing else may stand.
    pub(crate) async fn keep(
        &self,
        resource: &Resource,
        wanted: Value,
        whole: &[&str],
    ) -> Result<Kept, Status> {
        let key = ObjectKey::namespaced(wanted.text("/metadata/namespace"), wanted.text("/metadata/name"));
        let Some(found) = self.host.get(resource, &key) else {
            return match self.host.create(resource, wanted).await {
                Err(status) if status.is(StatusReason::AlreadyExists) => Ok(Kept::Foreign),
                made => made.map(Kept::Ours),
            };
        };
        if !self.is_ours(&found) {
            return Ok(Kept::Foreign);
        }
        match difference::patch(&found.to_value(), &wanted, whole) {
            None => Ok(Kept::Ours(found)),
            Some(patch) => {
                let patched = self.host.merge_patch(resource, &key, Part::Main, patch).await;
                patched.map(Kept::Ours)
            }
        }
    }

    /// Sees to it that an object of ours is not there.
    pub(crate) async fn drop(&self, resource: &Resource, name: &str) -> Result<(), Status> {
        let key = ObjectKey::namespaced(self.wanted.key.namespace.clone(), name);
        match self.host.get(resource, &key) {
            Some(found) if self.is_ours(&found) && !found.meta().deleting => {
                delete(self.host, resource, &found).await
            }
            _ => Ok(()),
        }
    }

    /// Whether an object is this virtual cluster's: its owner says so, or, where an owner cannot reach, its labels.
    fn is_ours(&self, object: &Object) -> bool {
        let meta = object.meta();
        if meta.namespace == self.wanted.key.namespace {
            return meta
                .owners
                .iter()
                .any(|owner| owner.uid == self.owner.text("/uid"));
        }
        meta.label(MANAGED_BY) == Some(self.wanted.key.name.as_str())
            && meta.label(kubeconfig::FROM) == Some(self.wanted.key.namespace.as_str())
    }
}

/// Deletes this very object; one that is gone or another by now is no failure.
async fn delete(host: &dyn Cluster, resource: &Resource, object: &Object) -> Result<(), Status> {
    let options = DeleteOptions {
        uid: Some(object.meta().uid.to_string()),
        ..DeleteOptions::default()
    };
    match host.delete(resource, &object.key(), options).await {
        Err(status) if status.is(StatusReason::NotFound) || status.is(StatusReason::Conflict) => Ok(()),
        deleted => deleted,
    }
}

/// Removes what no owner reference takes along: Secrets in other namespaces than the virtual cluster's.
pub(super) async fn remove_elsewhere(host: &dyn Cluster, key: &ObjectKey) -> Result<(), Status> {
    for secret in host.list(&resource::SECRETS, None) {
        let meta = secret.meta();
        let ours = meta.label(MANAGED_BY) == Some(key.name.as_str())
            && meta.label(kubeconfig::FROM) == Some(key.namespace.as_str());
        if ours && meta.namespace != key.namespace {
            delete(host, &resource::SECRETS, &secret).await?;
        }
    }
    Ok(())
}

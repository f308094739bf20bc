//! What every namespace is given: its `default` ServiceAccount and the `kube-root-ca.crt` ConfigMap.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::authority::Authority;
use crate::pod_control::namespace_is_terminating;

const DEFAULT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// Keeps a ServiceAccount `default` in every namespace.
pub(crate) struct DefaultServiceAccounts;

/// Keeps the cluster's CA certificates in every namespace.
pub(crate) struct RootCaPublisher {
    pub(crate) authority: Arc<dyn Authority>,
}

/// A change of a namespace, or of an object called `name` in it.
fn trigger(change: &Change, name: &str, out: &mut Triggers<'_>) {
    let meta = change.object.meta();
    if NAMESPACES.is(&change.resource) {
        out.add(change.object.key());
    } else if meta.name == name {
        out.add(ObjectKey::cluster(meta.namespace.clone()));
    }
}

fn is_active(cluster: &dyn Cluster, namespace: &ObjectKey) -> bool {
    cluster
        .get(&NAMESPACES, namespace)
        .is_some_and(|namespace| !namespace.meta().deleting)
}

async fn create(cluster: &dyn Cluster, resource: &Resource, object: Value) -> Result<(), Status> {
    match cluster.create(resource, object).await {
        Err(status) if status.is(StatusReason::AlreadyExists) || namespace_is_terminating(&status) => Ok(()),
        other => other.map(|_| ()),
    }
}

#[async_trait]
impl Reconciler for DefaultServiceAccounts {
    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    fn watches(&self) -> &'static [Resource] {
        &[NAMESPACES, SERVICE_ACCOUNTS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        trigger(change, DEFAULT, out);
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let account = ObjectKey::namespaced(key.name.clone(), DEFAULT);
        if is_active(cluster, key) && cluster.get(&SERVICE_ACCOUNTS, &account).is_none() {
            let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": DEFAULT, "namespace": key.name}});
            create(cluster, &SERVICE_ACCOUNTS, object).await?;
        }
        Ok(Next::Wait)
    }
}

#[async_trait]
impl Reconciler for RootCaPublisher {
    fn name(&self) -> &'static str {
        "root-ca-certificate-publisher"
    }

    fn watches(&self) -> &'static [Resource] {
        &[NAMESPACES, CONFIG_MAPS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        trigger(change, ROOT_CA, out);
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(pem) = self
            .authority
            .root_ca(cluster.id())
            .filter(|_| is_active(cluster, key))
        else {
            return Ok(Next::Wait);
        };
        let map = ObjectKey::namespaced(key.name.clone(), ROOT_CA);
        let data = json!({"ca.crt": pem});
        let annotations = json!({"kubernetes.io/description": DESCRIPTION});
        match cluster.get(&CONFIG_MAPS, &map) {
            None => {
                let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
                    {"name": ROOT_CA, "namespace": key.name, "annotations": annotations}, "data": data});
                create(cluster, &CONFIG_MAPS, object).await?;
            }
            Some(existing) => {
                let mut value = existing.to_value();
                if value.at("/data") != &data || value.at("/metadata/annotations") != &annotations {
                    value.set("/data", data);
                    value.set("/metadata/annotations", annotations);
                    cluster.update(&CONFIG_MAPS, Part::Main, value).await?;
                }
            }
        }
        Ok(Next::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeAuthority, FakeCluster, NOW};

    #[tokio::test]
    async fn every_namespace_gets_its_account_and_certificates_back() {
        let cluster = FakeCluster::new();
        let publisher = RootCaPublisher {
            authority: Arc::new(FakeAuthority),
        };
        cluster.put(&NAMESPACES, json!({"metadata": {"name": "a"}}));
        cluster.put(
            &NAMESPACES,
            json!({"metadata": {"name": "b", "deletionTimestamp": NOW}}),
        );
        cluster.settle(&[&DefaultServiceAccounts, &publisher], NOW).await;
        assert_eq!(cluster.values(&SERVICE_ACCOUNTS).len(), 1);
        assert_eq!(
            cluster.value(&CONFIG_MAPS, "a/kube-root-ca.crt").at("/data"),
            &json!({"ca.crt": "PEM of test"})
        );
        cluster.change(&CONFIG_MAPS, "a/kube-root-ca.crt", |map| {
            map.set("/data", json!({"x": "y"}))
        });
        cluster.remove(&SERVICE_ACCOUNTS, "a/default");
        cluster.settle(&[&DefaultServiceAccounts, &publisher], NOW).await;
        assert_eq!(
            cluster.value(&CONFIG_MAPS, "a/kube-root-ca.crt").at("/data"),
            &json!({"ca.crt": "PEM of test"})
        );
        assert!(cluster.find(&SERVICE_ACCOUNTS, "a/default").is_some());
    }
}

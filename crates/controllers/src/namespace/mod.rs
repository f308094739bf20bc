//! Namespaces that are going: their content is deleted, pods first, and the `kubernetes` finalizer removed at the end.
//! Owns the shell; `conditions` says how far it got.

mod conditions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::resource::{NAMESPACES, PODS, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, Propagation, ReconcileError, Reconciler, Triggers,
};

use conditions::Findings;

/// The finalizer in `spec.finalizers` that stands for this controller.
const KUBERNETES: &str = "kubernetes";
/// How soon to look again for what holds finalizers.
const AGAIN: Duration = Duration::from_millis(500);

/// The controller.
pub(crate) struct Namespaces;

#[async_trait]
impl Reconciler for Namespaces {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn watches(&self) -> &'static [Resource] {
        &[NAMESPACES, PODS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if NAMESPACES.is(&change.resource) {
            if change.object.meta().deleting {
                out.add(change.object.key());
            }
            return;
        }
        let key = ObjectKey::cluster(change.object.meta().namespace.clone());
        let going = || {
            cluster
                .get(&NAMESPACES, &key)
                .is_some_and(|namespace| namespace.meta().deleting)
        };
        if change.deleted && going() {
            out.add(key);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(namespace) = cx.cluster.get(&NAMESPACES, key) else {
            return Ok(Next::Wait);
        };
        let value = namespace.to_value();
        let held = value
            .items("/spec/finalizers")
            .iter()
            .any(|finalizer| finalizer == KUBERNETES);
        if !namespace.meta().deleting || !held {
            return Ok(Next::Wait);
        }
        let cluster = cx.cluster.as_ref();
        let findings = delete_content(cluster, &key.name).await;
        let namespace = tell(cx, &namespace, &findings).await?;
        if !findings.is_empty() {
            return Ok(Next::After(AGAIN));
        }
        let mut value = namespace.to_value();
        let mut finalizers = value.items("/spec/finalizers").to_vec();
        finalizers.retain(|finalizer| finalizer != KUBERNETES);
        value.set("/spec/finalizers", finalizers);
        match cluster.update(&NAMESPACES, Part::Sub("finalize"), value).await {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(Next::Wait),
        }
    }
}

/// Deletes what is there: while there are pods, only them.
async fn delete_content(cluster: &dyn Cluster, namespace: &str) -> Findings {
    let mut findings = Findings::default();
    let pods = PODS.group_resource();
    delete_all(cluster, &pods, namespace, &mut findings).await;
    if !findings.is_empty() {
        return findings;
    }
    let mut resources: Vec<GroupResource> = cluster
        .resources()
        .into_iter()
        .filter(|served| served.scope == Scope::Namespaced)
        .filter(|served| {
            ["list", "delete"]
                .iter()
                .all(|verb| served.verbs.iter().any(|v| v == verb))
        })
        .map(|served| served.resource)
        .filter(|resource| *resource != pods)
        .collect();
    resources.sort_unstable();
    resources.dedup();
    for resource in &resources {
        delete_all(cluster, resource, namespace, &mut findings).await;
    }
    findings
}

/// Deletes the objects of one resource, as a collection: the first that cannot be deleted ends it, so that a webhook
/// that does not answer is waited for once and not for each object.
async fn delete_all(
    cluster: &dyn Cluster,
    resource: &GroupResource,
    namespace: &str,
    findings: &mut Findings,
) {
    for object in cluster.list_any(resource, Some(namespace)) {
        if object.meta().deleting {
            continue;
        }
        if let Err(status) = delete(cluster, resource, &object.key()).await {
            findings.failures.push(status.to_string());
            return;
        }
    }
    let left = cluster.list_any(resource, Some(namespace));
    if !left.is_empty() {
        findings.remaining.insert(resource.clone(), left.len());
    }
    for finalizer in left.iter().flat_map(|object| object.meta().finalizers.iter()) {
        *findings.finalizers.entry(finalizer.to_string()).or_default() += 1;
    }
}

async fn delete(cluster: &dyn Cluster, resource: &GroupResource, key: &ObjectKey) -> Result<(), Status> {
    let options = DeleteOptions {
        propagation: Some(Propagation::Background),
        ..DeleteOptions::default()
    };
    match cluster.delete_any(resource, key, options).await {
        Err(status) if status.is(StatusReason::NotFound) || status.is(StatusReason::MethodNotAllowed) => {
            Ok(())
        }
        other => other,
    }
}

/// Writes phase and conditions. An empty namespace goes without a word.
async fn tell(cx: &Context, namespace: &Arc<Object>, findings: &Findings) -> Result<Arc<Object>, Status> {
    let mut status = namespace.to_value().at("/status").clone();
    let told: Vec<Value> = status.items("/conditions").to_vec();
    status.set("/phase", "Terminating");
    if !findings.is_empty() || !told.is_empty() {
        status.set("/conditions", conditions::decide(&told, findings, cx.now));
    }
    crate::status::write(cx.cluster.as_ref(), &NAMESPACES, namespace, status).await
}

#[cfg(test)]
mod tests;

//! Endpoints: the addresses behind a Service, in the form of old. Owns the shell; `subsets` decides what they are.
//!
//! Unlike upstream it writes no `endpoints.kubernetes.io/last-change-trigger-time`, and does not cut lists beyond 1,000.

mod subsets;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{ENDPOINTS, PODS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::event::Recorder;
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::pod_control::namespace_is_terminating;
use crate::service_pods::{self, Service};

const RECORDER: Recorder = Recorder {
    component: "endpoint-controller",
};
const HEADLESS: &str = "service.kubernetes.io/headless";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";

/// The controller.
pub(crate) struct Endpoints;

#[async_trait]
impl Reconciler for Endpoints {
    fn name(&self) -> &'static str {
        "endpoint"
    }

    fn watches(&self) -> &'static [Resource] {
        &[SERVICES, PODS, ENDPOINTS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if PODS.is(&change.resource) {
            service_pods::trigger(change, cluster, out);
        } else {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let existing = cluster.get(&ENDPOINTS, key);
        if cluster.get(&SERVICES, key).is_none() {
            // Only our own go with their Service; others (such as lock objects) have none.
            if existing.is_some_and(|endpoints| endpoints.meta().label(MANAGED_BY).is_some()) {
                remove(cluster, key).await?;
            }
            return Ok(Next::Wait);
        }
        let Some(service) = service_pods::service(cluster, key)? else {
            return Ok(Next::Wait);
        };
        let desired = desired(&service, cluster);
        match existing {
            Some(existing) => update(cluster, &existing, desired).await?,
            None => create(cx, &service, desired).await?,
        }
        Ok(Next::Wait)
    }
}

async fn remove(cluster: &dyn Cluster, key: &ObjectKey) -> Result<(), Status> {
    match cluster.delete(&ENDPOINTS, key, DeleteOptions::default()).await {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status),
        _ => Ok(()),
    }
}

fn desired(service: &Service, cluster: &dyn Cluster) -> Value {
    let meta = service.object.meta();
    let mut labels = service.object.to_value().at("/metadata/labels").clone();
    labels.set(
        &format!("/{}", MANAGED_BY.replace('/', "~1")),
        "endpoint-controller",
    );
    if service.is_headless() {
        labels.set(&format!("/{}", HEADLESS.replace('/', "~1")), "");
    }
    let mut endpoints = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": meta.name, "namespace": meta.namespace, "labels": labels},
    });
    let subsets = subsets::subsets(service, &service.pods(cluster));
    if !subsets.is_empty() {
        endpoints.set("/subsets", subsets);
    }
    endpoints
}

async fn update(cluster: &dyn Cluster, existing: &Object, desired: Value) -> Result<(), Status> {
    let mut value = existing.to_value();
    let same = value.items("/subsets") == desired.items("/subsets")
        && value.at("/metadata/labels") == desired.at("/metadata/labels");
    if same {
        return Ok(());
    }
    value.set("/metadata/labels", desired.at("/metadata/labels").clone());
    value.take_at("/subsets");
    if !desired.items("/subsets").is_empty() {
        value.set("/subsets", desired.items("/subsets").to_vec());
    }
    cluster.update(&ENDPOINTS, Part::Main, value).await?;
    Ok(())
}

async fn create(cx: &Context, service: &Service, desired: Value) -> Result<(), ReconcileError> {
    match cx.cluster.create(&ENDPOINTS, desired).await {
        Ok(_) => Ok(()),
        Err(status) if namespace_is_terminating(&status) => Ok(()),
        Err(status) => {
            let meta = service.object.meta();
            let message = format!(
                "Failed to create endpoint for service {}/{}: {status}",
                meta.namespace, meta.name
            );
            let about = RECORDER.about(cx, &SERVICES, &service.object);
            about.warning("FailedToCreateEndpoint", message).await;
            Err(status.into())
        }
    }
}

#[cfg(test)]
mod tests;

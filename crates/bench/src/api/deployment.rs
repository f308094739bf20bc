//! Patches of a Deployment as people have them: three containers, each with ports, probes, resources and an
//! environment.

use std::time::Instant;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::load::Measured;
use crate::connection::Target;
use crate::latency::Latencies;

/// One Deployment without replicas, so that no controller has much to do with it.
pub(crate) struct Deployment {
    collection: String,
}

impl Deployment {
    /// In this namespace.
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            collection: format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        }
    }

    /// Makes it by an apply, and measures so many strategic merge patches and applies, one after another. Each changes
    /// the image of a container.
    pub(super) async fn measure(
        &self,
        target: &Target,
        patches: u32,
    ) -> anyhow::Result<(Measured, Measured)> {
        let apply = format!("{}/patched?fieldManager=warren-bench&force=true", self.collection);
        let mut connection = target.connect().await?;
        connection.patch(&apply, APPLY, bytes(&configuration(0))).await?;
        let strategic = format!("{}/patched", self.collection);
        let merges = sequence(target, patches, &strategic, STRATEGIC, merge).await?;
        let applies = sequence(target, patches, &apply, APPLY, configuration).await?;
        connection.call(Method::DELETE, &strategic, Bytes::new()).await?;
        Ok((merges, applies))
    }
}

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

async fn sequence(
    target: &Target,
    patches: u32,
    path: &str,
    content_type: &'static str,
    body: impl Fn(u32) -> Value,
) -> anyhow::Result<Measured> {
    let mut connection = target.connect().await?;
    let mut latencies = Latencies::new()?;
    let started = Instant::now();
    for number in 1..=patches {
        let body = bytes(&body(number));
        let sent = Instant::now();
        connection.patch(path, content_type, body).await?;
        latencies.record(sent.elapsed());
    }
    Ok(Measured {
        latencies,
        failures: 0,
        failure: None,
        took: started.elapsed(),
        per_client: Vec::new(),
    })
}

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// As `kubectl apply` patches: one container, and the order of all.
fn merge(number: u32) -> Value {
    json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "c0"}, {"name": "c1"}, {"name": "c2"}],
        "containers": [{"name": "c1", "image": format!("example.com/app:{number}")}]}}}})
}

fn configuration(number: u32) -> Value {
    let container = |index: u32| {
        let environment: Vec<Value> = (0..15)
            .map(|at| json!({"name": format!("VARIABLE_{at}"), "value": format!("value {at}")}))
            .collect();
        json!({"name": format!("c{index}"), "image": format!("example.com/app:{}", number * (index % 2)),
            "env": environment, "args": ["--verbose", "--listen=:8080"],
            "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 8443, "name": "https"}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "config", "mountPath": "/config"}]})
    };
    let volumes = json!([{"name": "data", "emptyDir": {}}, {"name": "config", "configMap": {"name": "app"}}]);
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "patched", "labels": {"app.kubernetes.io/name": "patched"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "patched"}}, "template": {
            "metadata": {"labels": {"app": "patched"}},
            "spec": {"containers": [container(0), container(1), container(2)], "volumes": volumes}}}})
}

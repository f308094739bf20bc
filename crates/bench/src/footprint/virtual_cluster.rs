//! One more virtual cluster, by way of its object on the host.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use warren_remote::Endpoint;

use crate::connection::{Protocol, Target};

const PATIENCE: Duration = Duration::from_secs(30);

/// Creates virtual cluster `number` and answers how long it took from sending the object until `/readyz` of the new API
/// said ok.
pub(super) async fn create(host: &Target, number: u32) -> anyhow::Result<Duration> {
    let namespace = format!("warren-more-{number}");
    let mut control = host.connect().await?;
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    control
        .call(
            Method::POST,
            "/api/v1/namespaces",
            Bytes::from(object.to_string()),
        )
        .await?;
    let collection = format!("/apis/warren.dev/v1alpha1/namespaces/{namespace}/virtualclusters");
    let mut watching = host.connect().await?;
    let mut events = watching.stream(&format!("{collection}?watch=true")).await?;
    let object = json!({"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster",
        "metadata": {"name": format!("more-{number}")}, "spec": {}});
    let started = Instant::now();
    let made = control.call(Method::POST, &collection, Bytes::from(object.to_string()));
    made.await.context("the VirtualCluster object")?;
    let mut text = Vec::new();
    let server = loop {
        let frame = timeout(PATIENCE, events.frame())
            .await
            .context("it did not become ready")?;
        let Some(frame) = frame else {
            bail!("the watch ended before it was ready");
        };
        if let Some(data) = frame?.data_ref() {
            text.extend_from_slice(data);
        }
        if let Some(server) = ready(&mut text)? {
            break server;
        }
    };
    let endpoint = Endpoint {
        server,
        insecure: true,
        ..Endpoint::default()
    };
    let mut connection = Target::new(&endpoint, Protocol::Http1)?.connect().await?;
    connection.call(Method::GET, "/readyz", Bytes::new()).await?;
    Ok(started.elapsed())
}

/// Takes whole lines out of what was read; the server, once an event says that it is ready.
fn ready(text: &mut Vec<u8>) -> anyhow::Result<Option<String>> {
    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = text.drain(..=end).collect();
        let event: Value = serde_json::from_slice(&line)?;
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match at("/object/status/phase") {
            "Ready" => return Ok(Some(at("/object/status/endpoint").to_owned())),
            "Failed" => bail!("it failed: {event}"),
            _ => {}
        }
    }
    Ok(None)
}

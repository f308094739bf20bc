//! Connect requests: what is validated before the tunnel is asked.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, Response};
use serde_json::json;
use warren_apimachinery::Status;
use warren_apiserver::{Body, Connect, Tunnel};

use crate::client::{Client, Reply};

/// Says what it was asked.
struct Mirror;

#[async_trait]
impl Tunnel for Mirror {
    async fn connect(&self, connect: Connect) -> Result<Response<Body>, Status> {
        assert!(connect.subresource != "attach", "a tunnel that is broken");
        let said = format!(
            "{} {} {} {} {:?} {}",
            connect.resource,
            connect.key,
            connect.subresource,
            connect.container,
            connect.target,
            connect.user.name
        );
        Ok(Response::new(Body::full(said)))
    }
}

async fn with_pods() -> Client {
    let client = Client::with_tunnel(Arc::new(Mirror));
    let containers = |names: &[&str]| -> Vec<_> {
        names
            .iter()
            .map(|name| json!({"name": name, "image": "i"}))
            .collect()
    };
    for (name, node, names) in [
        ("one", "n", &["a"][..]),
        ("two", "n", &["a", "b"]),
        ("idle", "", &["a"]),
    ] {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": containers(names)}});
        let reply = client.post("/api/v1/namespaces/default/pods", &pod).await;
        assert_eq!(reply.status.as_u16(), 201, "{}", reply.text());
    }
    client
}

async fn ask(client: &Client, method: Method, path: &str) -> Reply {
    client
        .call(method, &format!("/api/v1/namespaces/default/{path}"), "", "")
        .await
}

#[tokio::test]
async fn what_is_valid_reaches_the_tunnel() {
    let client = with_pods().await;
    let logs = ask(&client, Method::GET, "pods/one/log?tailLines=3").await;
    assert!(
        logs.text().starts_with("pods default/one log a "),
        "{}",
        logs.text()
    );
    let exec = ask(&client, Method::POST, "pods/two/exec?container=b&command=ls").await;
    assert!(
        exec.text().starts_with("pods default/two exec b "),
        "{}",
        exec.text()
    );
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}]}});
    client.post("/api/v1/namespaces/default/services", &service).await;
    let proxy = ask(&client, Method::GET, "services/https:web:443/proxy/a/b").await;
    assert!(
        proxy
            .text()
            .contains(r#"ProxyTarget { scheme: "https", port: "443", path: "/a/b" }"#),
        "{}",
        proxy.text()
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_as_upstream_does() {
    let client = with_pods().await;
    for (path, code, message) in [
        ("pods/none/log", 404, "pods \"none\" not found"),
        (
            "pods/two/log",
            400,
            "a container name must be specified for pod two, choose one of: [a b]",
        ),
        (
            "pods/one/log?container=x",
            400,
            "container x is not valid for pod one",
        ),
        (
            "pods/one/log?tailLines=-1",
            422,
            "PodLogOptions \"one\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "pods/idle/exec?command=ls",
            400,
            "pod idle does not have a host assigned",
        ),
    ] {
        let reply = ask(&client, Method::GET, path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["message"].as_str()),
            (code, Some(message)),
            "{path}"
        );
    }
    assert_eq!(ask(&client, Method::GET, "pods/idle/log").await.text(), "");
}

#[tokio::test]
async fn a_panic_ends_its_request_alone() {
    let client = with_pods().await;
    let broken = ask(&client, Method::POST, "pods/one/attach").await;
    assert_eq!(
        (broken.status.as_u16(), broken.json()["message"].as_str()),
        (
            500,
            Some("Internal error occurred: the request could not be answered")
        )
    );
    assert_eq!(ask(&client, Method::GET, "pods/one").await.status.as_u16(), 200);
}

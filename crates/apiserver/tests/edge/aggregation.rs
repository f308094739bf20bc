//! Aggregated APIs: what goes to another server, what it is told, and what discovery says of it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use warren_access::{Destination, Place, Trust};
use warren_apimachinery::ClusterId;
use warren_apiserver::{Backends, Body, Forwarded, Published, RemoteVersion, aggregated_resources};

use crate::client::Client;

/// Answers with the method, path and body that it was sent.
#[derive(Default)]
struct Elsewhere {
    users: Mutex<Vec<String>>,
}

#[async_trait]
impl Backends for Elsewhere {
    async fn forward(
        &self,
        _: &ClusterId,
        to: &Destination,
        request: Request<Body>,
    ) -> Result<Forwarded, String> {
        let Place::Service { name, .. } = &to.place else {
            return Err("no such server".to_owned());
        };
        if name == "down" {
            return Err("dial tcp 10.96.0.9:443: connect: connection refused".to_owned());
        }
        if name == "moved" {
            let moved = Response::builder().status(307).header("location", "/elsewhere");
            return Ok(Forwarded {
                response: moved.body(Body::empty()).unwrap(),
                upgrade: None,
            });
        }
        let user = request.headers().get("x-remote-user").unwrap().to_str().unwrap();
        self.users.lock().unwrap().push(user.to_owned());
        let head = format!("{} {} ", request.method(), request.uri());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut answer = head.into_bytes();
        answer.extend(body);
        Ok(Forwarded {
            response: Response::new(Body::full(answer)),
            upgrade: None,
        })
    }
}

fn known(service: &str, available: bool, resources: Option<Value>) -> RemoteVersion {
    RemoteVersion {
        group: "metrics.k8s.io".into(),
        version: "v1beta1".into(),
        group_priority: 100,
        version_priority: 100,
        destination: Destination {
            place: Place::Service {
                namespace: "kube-system".into(),
                name: service.into(),
                port: 443,
                path: String::new(),
            },
            trust: Trust::Anyone,
        },
        available,
        failures: 0,
        resources,
        published: None,
    }
}

fn scene(known: RemoteVersion) -> (Client, Arc<Elsewhere>) {
    let elsewhere = Arc::new(Elsewhere::default());
    let client = Client::beside(Arc::clone(&elsewhere) as _);
    let aggregation = client.cluster.api.aggregation();
    aggregation.set("metrics.k8s.io", "v1beta1", Some(known));
    (client, elsewhere)
}

const NODES: &str = "/apis/metrics.k8s.io/v1beta1/nodes";

#[tokio::test]
async fn requests_for_its_group_go_to_the_server_with_the_users_name() {
    let (client, elsewhere) = scene(known("up", true, None));
    let reply = client.get(&format!("{NODES}?limit=3")).await;
    assert_eq!(
        (reply.status, reply.text()),
        (StatusCode::OK, format!("GET {NODES}?limit=3 "))
    );
    let reply = client
        .call(Method::POST, NODES, "text/plain", "what it is sent")
        .await;
    assert_eq!(reply.text(), format!("POST {NODES} what it is sent"));
    let reply = client.get("/apis/metrics.k8s.io/v1beta1").await;
    assert_eq!(reply.text(), "GET /apis/metrics.k8s.io/v1beta1 ");
    assert_eq!(*elsewhere.users.lock().unwrap(), ["admin"; 3]);
}

#[tokio::test]
async fn a_server_that_is_away_is_told_of_in_plain_text() {
    for known in [known("up", false, None), known("down", true, None)] {
        let reply = scene(known).0.get(NODES).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(reply.header("content-type").starts_with("text/plain"));
    }
}

#[tokio::test]
async fn discovery_tells_of_it_after_the_clusters_own_groups() {
    let list = json!({"resources": [{"name": "nodes", "kind": "NodeMetrics", "namespaced": false, "verbs": ["get"]}]});
    let (client, _) = scene(known("up", true, Some(aggregated_resources(&list))));
    let legacy = client.get("/apis").await.json();
    let last = legacy["groups"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["name"], &last["preferredVersion"]["version"]),
        (&json!("metrics.k8s.io"), &json!("v1beta1"))
    );
    let group = client.get("/apis/metrics.k8s.io").await.json();
    assert_eq!(group["versions"][0]["groupVersion"], "metrics.k8s.io/v1beta1");
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = client.read_as("/apis", aggregated).await.json();
    let last = all["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["versions"][0]["resources"][0]["resource"], "nodes");
    assert_eq!(last["versions"][0]["freshness"], "Current");
    let stale = scene(known("up", false, None))
        .0
        .read_as("/apis", aggregated)
        .await
        .json();
    let last = stale["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        last["versions"][0],
        json!({"version": "v1beta1", "freshness": "Stale"})
    );
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let reply = scene(known("moved", true, None)).0.get(NODES).await;
    assert_eq!(
        (reply.status, reply.text().as_str()),
        (
            StatusCode::BAD_GATEWAY,
            "the backend attempted to redirect this request, which is not permitted"
        )
    );
}

#[tokio::test]
async fn what_a_server_served_and_published_last_is_kept_while_it_is_away() {
    let list = json!({"resources": [{"name": "nodes", "kind": "NodeMetrics", "namespaced": false, "verbs": ["get"]}]});
    let path = "/apis/metrics.k8s.io/v1beta1/nodes";
    let part = json!({
        "paths": {path: {"get": {"operationId": "listNodes", "schema": {"$ref": "#/definitions/io.example.NodeMetrics"}}}},
        "definitions": {"io.example.NodeMetrics": {"type": "object"}},
    });
    let away = RemoteVersion {
        published: Some(Arc::new(Published {
            v3: vec![("apis/metrics.k8s.io/v1beta1".to_owned(), "ABC".to_owned())],
            v2: Some(part.clone()),
            etag: "\"1\"".to_owned(),
        })),
        ..known("down", false, Some(aggregated_resources(&list)))
    };
    let (client, _) = scene(away);
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = client.read_as("/apis", aggregated).await.json();
    let last = all["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["versions"][0]["freshness"], "Stale");
    assert_eq!(last["versions"][0]["resources"][0]["resource"], "nodes");
    let index: Value = serde_json::from_str(&client.get("/openapi/v3").await.text()).unwrap();
    assert_eq!(
        index["paths"]["apis/metrics.k8s.io/v1beta1"]["serverRelativeURL"],
        "/openapi/v3/apis/metrics.k8s.io/v1beta1?hash=ABC"
    );
    let merged = client.get("/openapi/v2").await.json();
    assert_eq!(merged["paths"][path], part["paths"][path]);
    assert_eq!(
        merged["definitions"]["io.example.NodeMetrics"],
        json!({"type": "object"})
    );
    assert!(merged["paths"].get("/api/v1/pods").is_some());
    client
        .cluster
        .api
        .aggregation()
        .set("metrics.k8s.io", "v1beta1", None);
    let alone = client.get("/openapi/v2").await.json();
    assert!(alone["paths"].get(path).is_none());
}

//! Media types, shapes and errors, as upstream negotiates them.

use http::{Method, Request, header};
use serde_json::json;
use warren_apiserver::Body;

use crate::client::Client;

#[tokio::test]
async fn objects_are_served_in_the_shape_that_is_asked_for() {
    let client = Client::new();
    let path = "/api/v1/namespaces/default";
    let whole = client.get(path).await;
    assert_eq!(
        (whole.status.as_u16(), whole.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(whole.json()["metadata"]["name"], "default");
    let yaml = client.read_as(path, "application/yaml").await;
    assert!(yaml.text().contains("kind: Namespace"), "{}", yaml.text());
    let partial = client
        .read_as(
            path,
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        )
        .await
        .json();
    assert_eq!(
        (&partial["kind"], &partial["spec"]),
        (&json!("PartialObjectMetadata"), &json!(null))
    );
    let table = client
        .read_as(
            "/api/v1/namespaces",
            "application/json;as=Table;v=v1;g=meta.k8s.io",
        )
        .await
        .json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(table["rows"][0]["cells"][0], "default");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let refused = client.read_as(path, "application/cbor").await;
    assert_eq!(refused.status.as_u16(), 406);
    assert_eq!(
        refused.json()["message"],
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf"
    );
}

#[tokio::test]
async fn every_answer_has_an_audit_id_and_is_not_cached() {
    let reply = Client::new().get("/api/v1/namespaces").await;
    assert_eq!(reply.header("audit-id").len(), 36);
    assert_eq!(reply.header("cache-control"), "no-cache, private");
}

#[tokio::test]
async fn people_read_indented_json() {
    let client = Client::new();
    let request = Request::get("/version").header(header::USER_AGENT, "curl/8");
    let reply = client.send(request.body(Body::empty()).unwrap()).await;
    assert!(reply.text().starts_with("{\n  \""));
}

#[tokio::test]
async fn strangers_are_told_what_they_may_not() {
    let client = Client::new();
    let anonymous =
        Request::get("/api/v1/namespaces/default/pods").header(header::AUTHORIZATION, "Bearer nobody");
    let reply = client.send(anonymous.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (reply.status.as_u16(), reply.json()["reason"].clone()),
        (401, json!("Unauthorized"))
    );
    let request = Request::get("/api/v1/namespaces/default/pods")
        .header("impersonate-user", "jane")
        .header("impersonate-group", "staff");
    let reply = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status.as_u16(), 403);
    assert_eq!(
        reply.json()["message"],
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    );
}

#[tokio::test]
async fn oversized_bodies_are_refused() {
    let client = Client::new();
    let body = vec![b' '; 3 * 1024 * 1024 + 1];
    let reply = client
        .call(Method::POST, "/api/v1/namespaces", "application/json", body)
        .await;
    assert_eq!(reply.status.as_u16(), 413);
    assert_eq!(
        reply.json()["message"],
        "Request entity too large: limit is 3145728"
    );
}

#[tokio::test]
async fn health_is_told_check_by_check() {
    let client = Client::new();
    assert_eq!(client.get("/readyz").await.text(), "ok");
    let verbose = client
        .get("/livez?verbose&exclude=etcd&exclude=nope")
        .await
        .text();
    assert!(verbose.starts_with("[+]"), "{verbose}");
    assert!(verbose.contains("[+]etcd excluded: ok\n"), "{verbose}");
    assert!(
        verbose.ends_with(
            "warn: some health checks cannot be excluded: no matches for \"nope\"\nlivez check passed\n"
        ),
        "{verbose}"
    );
    assert_eq!(client.get("/healthz/ping").await.text(), "ok");
    assert_eq!(client.get("/healthz/none").await.status.as_u16(), 404);
}

#[tokio::test]
async fn paths_that_nobody_serves_are_told_as_upstream_does() {
    let client = Client::new();
    for (method, path, code) in [
        (Method::GET, "/api/v1/nodes/n/status/x", 404),
        (Method::GET, "/api/v1/namespaces/default/nodes", 404),
        (Method::GET, "/api/v1/pods/x", 404),
        (Method::POST, "/api/v1/pods", 405),
        (Method::DELETE, "/api/v1/namespaces", 405),
        (Method::PUT, "/version", 405),
        (Method::GET, "/apis/apps/v2/deployments", 404),
    ] {
        let reply = client.call(method.clone(), path, "application/json", "{}").await;
        assert_eq!(reply.status.as_u16(), code, "{method} {path}");
    }
}

#[tokio::test]
async fn metrics_carry_upstreams_names() {
    let client = Client::new();
    client.get("/api/v1/namespaces/default").await;
    let watch = "/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Ddefault&timeoutSeconds=1";
    assert!(client.get(watch).await.text().contains("ADDED"));
    let text = client.get("/metrics").await.text();
    assert!(
        text.contains(r#"apiserver_watch_events_total{group="",resource="namespaces",version="v1"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="namespaces""#),
        "{text}"
    );
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_take_it() {
    let client = Client::new();
    let path = "/openapi/v3/api/v1";
    let request = Request::get(path).header(header::ACCEPT_ENCODING, "deflate, gzip");
    let reply = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.header("content-encoding"), "gzip");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&reply.bytes[..]), &mut plain).unwrap();
    assert_eq!(plain, client.get(path).await.bytes);
}

#[tokio::test]
async fn an_apply_that_creates_needs_the_right_to_create() {
    let client = Client::new();
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "patcher"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "patcher"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
        "name": "patcher"}, "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]});
    assert_eq!(
        client.post(&format!("{rbac}/roles"), &role).await.status.as_u16(),
        201
    );
    assert_eq!(
        client
            .post(&format!("{rbac}/rolebindings"), &binding)
            .await
            .status
            .as_u16(),
        201
    );
    let apply = |name: &str| {
        let map =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}});
        Request::patch(format!(
            "/api/v1/namespaces/default/configmaps/{name}?fieldManager=m"
        ))
        .header("impersonate-user", "jane")
        .header(header::CONTENT_TYPE, "application/apply-patch+yaml")
        .body(Body::full(map.to_string()))
        .unwrap()
    };
    let there = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there"}});
    client.post("/api/v1/namespaces/default/configmaps", &there).await;
    assert_eq!(client.send(apply("there")).await.status.as_u16(), 200);
    let refused = client.send(apply("new")).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert_eq!(
        refused.json()["message"],
        "configmaps \"new\" is forbidden: User \"jane\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"default\""
    );
}

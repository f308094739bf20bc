//! Requests and answers recorded from kube-apiserver 1.36.2, sent again over the edge.
//!
//! Compared: status, reason, message, details, warnings, and of successes the kind. What still differs stands in
//! `golden/known-differences.txt`, which may only shrink.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, Reply};

const RECORDED: &str = include_str!("../golden/requests-and-answers.json");
const KNOWN: &str = include_str!("../golden/known-differences.txt");

#[tokio::test]
async fn recorded_requests_are_answered_as_upstream_did() {
    let client = Client::new();
    prepare(&client).await;
    prepare_foos(&client).await;
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    let mut differing = BTreeSet::new();
    let mut report = String::new();
    for (at, entry) in recorded.iter().enumerate() {
        let request = &entry["request"];
        let reply = replay(&client, request).await;
        let (got, expect) = (facts(&reply), expected(entry));
        if got != expect {
            let name = format!("{at} {} {}", text(request, "method"), text(request, "path"));
            report.push_str(&format!("{name}\n     got {got}\n  expect {expect}\n"));
            differing.insert(name);
        }
    }
    let known: BTreeSet<String> = KNOWN
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let new: Vec<_> = differing.difference(&known).collect();
    let gone: Vec<_> = known.difference(&differing).collect();
    assert!(
        new.is_empty(),
        "these differ and did not before: {new:#?}\n{report}"
    );
    assert!(
        gone.is_empty(),
        "these no longer differ, take them off the list: {gone:#?}"
    );
}

/// The objects that the recorded requests were made against.
async fn prepare(client: &Client) {
    let container = json!({"name": "c", "image": "nginx"});
    let objects = [
        (
            "/api/v1/namespaces/default/configmaps",
            json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "e1"}, "data": {"a": "1"}}),
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "g-deployment"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}}}),
        ),
        (
            "/api/v1/namespaces/default/services",
            json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "g-service"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}),
        ),
    ];
    for (path, object) in objects {
        let reply = client.post(path, &object).await;
        assert_eq!(reply.status.as_u16(), 201, "{}", reply.text());
    }
}

/// The custom resource that the recorded requests speak of, served as the fleet does once its definition is there.
pub(crate) async fn prepare_foos(client: &Client) {
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.ex.io"},
        "spec": {"group": "ex.io", "scope": "Namespaced", "names": {"plural": "foos", "singular": "foo", "kind": "Foo",
            "listKind": "FooList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer",
                    "default": 3, "maximum": 5, "x-kubernetes-validations": [{"rule": "self != 4"}]}}}}}}}]}});
    let reply = client
        .post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd)
        .await;
    assert_eq!(reply.status.as_u16(), 201, "{}", reply.text());
    let definition = warren_resources::custom::definition(&reply.json()).unwrap();
    client
        .cluster
        .api
        .registry()
        .set_custom(vec![Arc::new(definition)]);
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

async fn replay(client: &Client, request: &Value) -> Reply {
    let method: Method = text(request, "method").parse().unwrap();
    let body = match &request["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        object => object.to_string(),
    };
    client
        .call(method, text(request, "path"), text(request, "contentType"), body)
        .await
}

fn facts(reply: &Reply) -> Value {
    comparable(
        reply.status.as_u16().into(),
        &reply.json(),
        reply.warnings().into(),
    )
}

fn expected(entry: &Value) -> Value {
    comparable(
        entry["status"].clone(),
        &entry["response"],
        entry["warnings"].clone(),
    )
}

fn comparable(status: Value, body: &Value, warnings: Value) -> Value {
    let mut details = body["details"].clone();
    if let Some(details) = details.as_object_mut()
        && details.contains_key("uid")
    {
        details.insert("uid".to_owned(), "<uid>".into());
    }
    let answer = if body.is_string() {
        body.clone()
    } else {
        Value::Null
    };
    let facts = json!({
        "status": status,
        "kind": body["kind"],
        "reason": body["reason"],
        "message": body["message"],
        "details": details,
        "warnings": warnings,
        "text": answer,
    });
    serde_json::from_str(&without_uids(&facts.to_string())).unwrap()
}

/// Replaces what differs by nature: uids, and the current revision.
fn without_uids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(head) = rest.get(..36).filter(|head| is_uid(head)) {
            out.push_str("<uid>");
            rest = &rest[head.len()..];
        } else if let Some(tail) = rest.strip_prefix("current: ") {
            out.push_str("current: <revision>");
            rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn is_uid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[tokio::test]
async fn custom_resources_are_discovered_and_published() {
    let client = Client::new();
    prepare_foos(&client).await;
    let list = client.get("/apis/ex.io/v1").await.json();
    assert_eq!(list["resources"][0]["kind"], "Foo");
    let index = client.get("/openapi/v3").await.json();
    let path = index["paths"]["apis/ex.io/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let document = client.get(&path).await;
    assert_eq!(document.header("cache-control"), "public, immutable");
    let schemas = document.json()["components"]["schemas"].clone();
    assert_eq!(
        schemas["io.ex.v1.Foo"]["properties"]["spec"]["properties"]["n"]["maximum"],
        5
    );
    let strategic = "application/strategic-merge-patch+json";
    let reply = client
        .call(
            Method::PATCH,
            "/apis/ex.io/v1/namespaces/default/foos/a",
            strategic,
            "{}",
        )
        .await;
    assert_eq!(reply.status.as_u16(), 415);
    assert_eq!(
        client.get("/apis/ex.io/v1/namespaces/default/bars").await.text(),
        "404 page not found\n"
    );
}

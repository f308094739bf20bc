//! Input that makes no sense: every time a refusal that a client can read, never a 500.

use http::Method;
use serde_json::Value;

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// 4xx with a `Status` that says so.
async fn refused(client: &Client, method: Method, path: &str, content_type: &str, body: Vec<u8>) {
    let shown = String::from_utf8_lossy(&body)
        .chars()
        .take(60)
        .collect::<String>();
    let reply = client.call(method.clone(), path, content_type, body).await;
    let code = reply.status.as_u16();
    assert!(
        (400..500).contains(&code),
        "{method} {path} {content_type} {shown}: {code} {}",
        reply.text()
    );
    let status = reply.json();
    assert_eq!(status["kind"], "Status", "{method} {path} {shown}");
    assert_eq!(status["code"], code, "{method} {path} {shown}");
    assert_ne!(status["message"], Value::Null, "{method} {path} {shown}");
}

fn bodies() -> Vec<Vec<u8>> {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    [
        "",
        "null",
        "[]",
        "\"text\"",
        "12",
        "{",
        "{}}",
        "{\"metadata\":[]}",
        "{\"metadata\":{\"name\":5}}",
        "{\"metadata\":{\"labels\":\"x\"}}",
        "{\"metadata\":{\"name\":\"a\"},\"data\":[1]}",
        "{\"metadata\":{\"name\":\"a/b\"}}",
        "{\"metadata\":{\"name\":\"a\",\"ownerReferences\":[{}]}}",
        "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":1e999}}",
        "\u{0}\u{1}",
        deep.as_str(),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"{\"metadata\":{\"name\":\"\xff\"}}".to_vec(),
        b"k8s\0\x0a\xff\xff\xff\xff".to_vec(),
    ])
    .collect()
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused() {
    let client = Client::new();
    for body in bodies() {
        for media in [
            "application/json",
            "application/yaml",
            "application/vnd.kubernetes.protobuf",
        ] {
            refused(&client, Method::POST, MAPS, media, body.clone()).await;
        }
    }
}

#[tokio::test]
async fn patches_that_make_no_sense_are_refused() {
    let client = Client::new();
    let there = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    client.post(MAPS, &there).await;
    let path = format!("{MAPS}/a?fieldManager=m");
    for body in [
        "",
        "null",
        "{",
        "5",
        "[{\"op\":\"fly\"}]",
        "[{\"op\":\"remove\",\"path\":\"x\"}]",
        "{\"metadata\":7}",
    ] {
        for media in [
            "json-patch+json",
            "merge-patch+json",
            "strategic-merge-patch+json",
            "apply-patch+yaml",
        ] {
            // Upstream takes it for a patch that changes nothing.
            if body == "null" && matches!(media, "json-patch+json" | "strategic-merge-patch+json") {
                continue;
            }
            refused(
                &client,
                Method::PATCH,
                &path,
                &format!("application/{media}"),
                body.as_bytes().to_vec(),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let client = Client::new();
    for query in [
        "labelSelector=a%3D%3D%3Db",
        "labelSelector=a in (",
        "labelSelector=%21",
        "fieldSelector=metadata.name",
        "fieldSelector=spec.x%3D1",
        "continue=abc",
        "continue=%25",
        "limit=ten",
        "resourceVersion=-1",
        "resourceVersion=99999999999999999999999",
        "resourceVersionMatch=Sometimes&resourceVersion=1",
        "sendInitialEvents=true",
        "watch=1&sendInitialEvents=true",
        "watch=1&resourceVersionMatch=Exact",
        "timeout=soon",
    ] {
        let path = format!("{MAPS}?{}", query.replace(' ', "%20"));
        refused(&client, Method::GET, &path, "", Vec::new()).await;
    }
}

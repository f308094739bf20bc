//! Every verb, in every version.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::api::{Api, CRONTABS, CRONTABS_V2, first, second};
use crate::server::Webhook;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_seen_in_the_version_that_is_asked_for() {
    for review_version in ["v1", "v1beta1"] {
        let (api, webhook) = (Api::start().await, Webhook::start().await);
        api.define(webhook.client_config(), &["v7", review_version]).await;
        assert_eq!(api.post(CRONTABS, &first("a")).await.0, 201);
        assert!(webhook.take_calls().is_empty());
        let (code, made) = api.post(CRONTABS_V2, &second("b")).await;
        assert_eq!(
            (code, made.text("/apiVersion"), made.text("/host")),
            (201, "stable.example.com/v2", "example.com")
        );
        let (_, seen) = api.get(&format!("{CRONTABS}/b")).await;
        assert_eq!(
            (seen.text("/apiVersion"), seen.text("/hostPort")),
            ("stable.example.com/v1", "example.com:81")
        );
        let (_, list) = api.get(CRONTABS_V2).await;
        let hosts: Vec<&str> = list
            .items("/items")
            .iter()
            .map(|item| item.text("/host"))
            .collect();
        assert_eq!(hosts, ["localhost", "example.com"]);
        let (_, selected) = api
            .get(&format!("{CRONTABS_V2}?fieldSelector=host%3Dlocalhost"))
            .await;
        assert_eq!(selected.items("/items").len(), 1);
        assert_eq!(selected.text("/items/0/metadata/name"), "a");
        let (_, page) = api.get(&format!("{CRONTABS_V2}?limit=1")).await;
        let rest = format!(
            "{CRONTABS_V2}?limit=1&continue={}",
            page.text("/metadata/continue")
        );
        let (_, rest) = api.get(&rest).await;
        assert_eq!(
            (page.text("/items/0/host"), rest.text("/items/0/host")),
            ("localhost", "example.com")
        );
        api.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_made_in_the_version_of_the_request() {
    let (api, webhook) = (Api::start().await, Webhook::start().await);
    api.define(webhook.client_config(), &["v1"]).await;
    api.post(CRONTABS, &first("a")).await;
    let (one, two) = (format!("{CRONTABS}/a"), format!("{CRONTABS_V2}/a"));
    let (code, seen) = api.merge(&two, &json!({"port": "8080"})).await;
    assert_eq!(
        (code, seen.text("/host"), seen.text("/port")),
        (200, "localhost", "8080")
    );
    assert_eq!(api.get(&one).await.1.text("/hostPort"), "localhost:8080");

    let (_, mut whole) = api.get(&two).await;
    whole.set("/host", "other");
    let (code, _) = api.send("PUT", &two, "application/json", &whole).await;
    assert_eq!(
        (code, api.get(&one).await.1.text("/hostPort")),
        (200, "other:8080")
    );

    let json_patch = json!([{"op": "replace", "path": "/port", "value": "1"}]);
    let (code, _) = api
        .send("PATCH", &two, "application/json-patch+json", &json_patch)
        .await;
    assert_eq!((code, api.get(&one).await.1.text("/hostPort")), (200, "other:1"));

    let (code, scale) = api
        .merge(&format!("{two}/scale"), &json!({"spec": {"replicas": 3}}))
        .await;
    assert_eq!((code, scale.int("/spec/replicas")), (200, Some(3)));
    let status = json!({"status": {"replicas": 2}, "host": "ignored"});
    let (code, seen) = api.merge(&format!("{two}/status"), &status).await;
    assert_eq!(
        (code, seen.int("/status/replicas"), seen.text("/host")),
        (200, Some(2), "other")
    );

    let (code, gone) = api.send("DELETE", &two, "application/json", &Value::Null).await;
    assert_eq!((code, gone.text("/status")), (200, "Success"));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managers_of_different_versions_own_the_same_field() {
    let (api, webhook) = (Api::start().await, Webhook::start().await);
    api.define(webhook.client_config(), &["v1"]).await;
    let (one, two) = (format!("{CRONTABS}/a"), format!("{CRONTABS_V2}/a"));
    let (code, answer) = api.apply(&format!("{one}?fieldManager=one"), &first("a")).await;
    assert_eq!(code, 201, "{answer}");
    let mut wanted = second("a");
    wanted.take_at("/port");
    wanted.set("/host", "localhost");
    let (code, answer) = api.apply(&format!("{two}?fieldManager=two"), &wanted).await;
    assert_eq!(code, 200, "{answer}");
    wanted.set("/host", "other");
    let (code, answer) = api.apply(&format!("{two}?fieldManager=two"), &wanted).await;
    assert_eq!(code, 409, "{answer}");
    assert!(
        answer
            .text("/message")
            .contains("conflict with \"one\": .hostPort"),
        "{answer}"
    );
    let (code, answer) = api
        .apply(&format!("{two}?fieldManager=two&force=true"), &wanted)
        .await;
    assert_eq!((code, answer.text("/host")), (200, "other"), "{answer}");
    let owners = answer.items("/metadata/managedFields");
    let owners: Vec<[&str; 2]> = owners
        .iter()
        .map(|owner| [owner.text("/manager"), owner.text("/apiVersion")])
        .collect();
    assert_eq!(owners, [["two", "stable.example.com/v2"]]);
    api.stop().await;
}

/// The next whole lines of a watch.
async fn events(body: &mut warren_apiserver::Body, count: usize) -> Vec<Value> {
    let mut text = Vec::new();
    while text.iter().filter(|byte| **byte == b'\n').count() < count {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame())
            .await
            .unwrap();
        let Some(Ok(frame)) = frame else { break };
        text.extend_from_slice(&frame.into_data().unwrap());
    }
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_sees_its_version_and_ends_when_the_webhook_fails() {
    let (api, webhook) = (Api::start().await, Webhook::start().await);
    api.define(webhook.client_config(), &["v1"]).await;
    api.post(CRONTABS, &first("a")).await;
    let path = format!("{CRONTABS_V2}?watch=1&resourceVersion=0");
    let mut watch = api
        .respond("GET", &path, "application/json", &Value::Null)
        .await
        .into_body();
    let path = format!("{CRONTABS_V2}?watch=1&resourceVersion=0&fieldSelector=host%3Dexample.com");
    let mut narrow = api
        .respond("GET", &path, "application/json", &Value::Null)
        .await
        .into_body();
    api.post(CRONTABS_V2, &second("b")).await;
    api.merge(&format!("{CRONTABS}/b"), &json!({"hostPort": "gone:1"}))
        .await;
    let seen = |events: Vec<Value>| -> Vec<[String; 3]> {
        let texts = |event: &Value| {
            ["/type", "/object/apiVersion", "/object/host"].map(|pointer| event.text(pointer).to_owned())
        };
        events.iter().map(texts).collect()
    };
    let two = "stable.example.com/v2";
    assert_eq!(
        seen(events(&mut watch, 3).await),
        [
            ["ADDED", two, "localhost"],
            ["ADDED", two, "example.com"],
            ["MODIFIED", two, "gone"]
        ]
    );
    assert_eq!(
        seen(events(&mut narrow, 2).await),
        [["ADDED", two, "example.com"], ["DELETED", two, "example.com"]]
    );
    webhook.spoil(|answer| {
        answer.set(
            "/response/result",
            json!({"status": "Failure", "message": "no more"}),
        )
    });
    api.merge(&format!("{CRONTABS}/b"), &json!({"hostPort": "last:1"}))
        .await;
    let last = events(&mut watch, 2).await;
    assert_eq!(last.len(), 1);
    assert_eq!(
        (last[0].text("/type"), last[0].text("/object/message")),
        (
            "ERROR",
            "conversion webhook for stable.example.com/v1, Kind=CronTab failed: no more"
        )
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_want_the_same_object_share_one_conversion() {
    let (api, webhook) = (Api::start().await, Webhook::start().await);
    api.define(webhook.client_config(), &["v1"]).await;
    for number in 0..5 {
        api.post(CRONTABS, &first(&format!("a{number}"))).await;
    }
    webhook.gate.forget_permits(usize::MAX);
    let path = format!("{CRONTABS_V2}/a0");
    let gets = async {
        let all = (0..8).map(|_| api.get(&path));
        futures_util::future::join_all(all).await
    };
    let open = async {
        while webhook.calls.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        webhook.gate.add_permits(100);
    };
    let (answers, ()) = tokio::join!(gets, open);
    assert!(
        answers
            .iter()
            .all(|(code, answer)| *code == 200 && answer.text("/host") == "localhost")
    );
    assert_eq!(webhook.take_calls().len(), 1);
    assert_eq!(api.get(CRONTABS_V2).await.1.items("/items").len(), 5);
    let calls = webhook.take_calls();
    assert_eq!((calls.len(), calls[0].len()), (1, 4));
    api.get(CRONTABS_V2).await;
    assert!(webhook.take_calls().is_empty());
    api.stop().await;
}

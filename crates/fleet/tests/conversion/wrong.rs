//! Webhooks that answer nonsense, or not at all.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::api::{Api, CRONTABS, CRONTABS_V2, first, second};
use crate::server::Webhook;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_changes_nothing() {
    let (api, webhook) = (Api::start().await, Webhook::start().await);
    api.define(webhook.client_config(), &["v1"]).await;
    api.post(CRONTABS, &first("a")).await;
    let converted = "/response/convertedObjects/0";
    let returned = "conversion webhook for stable.example.com/v1, Kind=CronTab returned ";
    for (pointer, value, expected) in [
        (
            "/response/uid".to_owned(),
            json!("x"),
            "failed: expected response.uid=",
        ),
        (
            "/response/convertedObjects".to_owned(),
            json!([]),
            "returned 0 objects, expected 1",
        ),
        (
            format!("{converted}/apiVersion"),
            json!("x/v1"),
            "returned invalid object at index 0: invalid groupVersion (expected stable.example.com/v2, received x/v1)",
        ),
        (
            format!("{converted}/metadata/name"),
            json!("other"),
            "returned invalid object: must have the same name: a != other",
        ),
        (
            format!("{converted}/metadata/labels"),
            json!({"a b": "c"}),
            "returned invalid metadata: metadata.labels: Invalid value",
        ),
    ] {
        webhook.spoil(move |answer| answer.set(&pointer, value.clone()));
        let (code, answer) = api.get(&format!("{CRONTABS_V2}/a")).await;
        assert_eq!(code, 500, "{answer}");
        assert!(answer.text("/message").contains(expected), "{answer}");
        assert!(
            answer
                .text("/message")
                .starts_with(returned.trim_end_matches("returned "))
        );
        assert_eq!(answer.text("/reason"), "");
    }
    webhook.spoil(move |answer| {
        answer.set(&format!("{converted}/metadata/generation"), 77);
        answer.set(
            &format!("{converted}/metadata/annotations"),
            json!({"from": "webhook"}),
        );
        answer.set(&format!("{converted}/unknown"), 1);
    });
    let (code, answer) = api.get(&format!("{CRONTABS_V2}/a")).await;
    assert_eq!((code, answer.int("/metadata/generation")), (200, Some(1)));
    assert_eq!(answer.text("/metadata/annotations/from"), "webhook");
    assert_eq!(answer.at("/unknown"), &Value::Null);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_gone_holds_nobody_but_those_who_need_it() {
    let api = Api::start().await;
    api.define(json!({"url": "https://127.0.0.1:1/convert"}), &["v1"])
        .await;
    let mut held = first("a");
    held.set("/metadata/finalizers", json!(["foregroundDeletion"]));
    assert_eq!(api.post(CRONTABS, &held).await.0, 201);
    let refused = "conversion webhook for stable.example.com/v1, Kind=CronTab failed: Post \"https://127.0.0.1:1/convert?timeout=30s\": dial tcp 127.0.0.1:1: connect: connection refused";
    let (code, answer) = api.get(&format!("{CRONTABS_V2}/a")).await;
    assert_eq!((code, answer.text("/message")), (500, refused));
    let (code, answer) = api.get(CRONTABS_V2).await;
    let listed = "storage is (re)initializing: failed to list stable.example.com/v2, Kind=CronTab: ";
    assert_eq!(
        (code, answer.text("/message")),
        (429, format!("{listed}{refused}").as_str())
    );
    assert_eq!(api.get(&format!("{CRONTABS_V2}?limit=5")).await.0, 500);
    assert_eq!(api.post(CRONTABS_V2, &second("b")).await.0, 500);
    assert_eq!(
        api.merge(&format!("{CRONTABS}/a"), &json!({"hostPort": "x:1"}))
            .await
            .0,
        200
    );
    // The garbage collector lets go of what it holds, and the definition takes its instances along.
    api.send(
        "DELETE",
        &format!("{CRONTABS}/a"),
        "application/json",
        &Value::Null,
    )
    .await;
    api.until(&format!("{CRONTABS}/a"), 404).await;
    api.post(CRONTABS, &first("c")).await;
    api.undefine().await;
    api.stop().await;
}

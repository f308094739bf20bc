//! Watches: what they start with, what selectors make of changes, bookmarks, the end.

use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use warren_apiserver::Body;

use crate::client::Client;
use crate::cluster::TOKEN;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A watch, read event by event.
struct Watching {
    body: Body,
    rest: Vec<u8>,
}

impl Watching {
    async fn open(client: &Client, query: &str, accept: &str) -> Self {
        let request = Request::get(format!("{MAPS}?watch=true&{query}"))
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .unwrap();
        let response = client.open(request).await;
        assert_eq!(response.status().as_u16(), 200);
        Self {
            body: response.into_body(),
            rest: Vec::new(),
        }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame())
                .await
                .unwrap()?;
            self.rest.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    }

    /// Type and name of the next event.
    async fn told(&mut self) -> (String, String) {
        let event = self.next().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    }
}

fn is(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

async fn put(client: &Client, name: &str, label: &str) {
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"l": label}}});
    let reply = client.post(MAPS, &map).await;
    if reply.status.as_u16() == 409 {
        let reply = client
            .call(
                Method::PUT,
                &format!("{MAPS}/{name}"),
                "application/json",
                map.to_string(),
            )
            .await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text());
    }
}

#[tokio::test]
async fn a_watch_starts_with_what_is_there_and_goes_on_with_what_happens() {
    let client = Client::new();
    put(&client, "a", "1").await;
    let mut watch = Watching::open(&client, "", "application/json").await;
    assert_eq!(watch.told().await, is("ADDED", "a"));
    put(&client, "b", "1").await;
    put(&client, "b", "2").await;
    client
        .call(Method::DELETE, &format!("{MAPS}/a"), "application/json", "")
        .await;
    assert_eq!(watch.told().await, is("ADDED", "b"));
    assert_eq!(watch.told().await, is("MODIFIED", "b"));
    assert_eq!(watch.told().await, is("DELETED", "a"));
}

#[tokio::test]
async fn what_leaves_a_selection_is_deleted_and_what_enters_is_added() {
    let client = Client::new();
    let now = client.get(MAPS).await.json()["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = format!("resourceVersion={now}&labelSelector=l%3Dyes");
    let mut watch = Watching::open(&client, &query, "application/json").await;
    for label in ["no", "yes", "yes2", "yes"] {
        put(&client, "a", label).await;
    }
    assert_eq!(watch.told().await, is("ADDED", "a"));
    let left = watch.next().await.unwrap();
    assert_eq!(left["type"], "DELETED");
    assert_eq!(left["object"]["metadata"]["labels"]["l"], "yes");
    assert_eq!(watch.told().await, is("ADDED", "a"));
}

#[tokio::test]
async fn the_initial_events_end_with_a_bookmark() {
    let client = Client::new();
    put(&client, "a", "1").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Watching::open(&client, query, "application/json").await;
    assert_eq!(watch.told().await, is("ADDED", "a"));
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(
        bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_before_the_end() {
    let client = Client::new();
    let now = client.get(MAPS).await.json()["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = format!("resourceVersion={now}&allowWatchBookmarks=true&timeoutSeconds=90");
    let request = Request::get(format!("{MAPS}?watch=1&{query}"))
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Body::empty())
        .unwrap();
    let begun = tokio::time::Instant::now();
    let body = client
        .open(request)
        .await
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let events: Vec<Value> = body
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events.iter().all(|event| event["type"] == "BOOKMARK"));
    assert_eq!(begun.elapsed().as_secs(), 90);
}

#[tokio::test]
async fn tables_have_headers_once() {
    let client = Client::new();
    put(&client, "a", "1").await;
    put(&client, "b", "1").await;
    let mut watch = Watching::open(&client, "", "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let first = watch.next().await.unwrap();
    let second = watch.next().await.unwrap();
    assert_eq!(first["object"]["rows"][0]["cells"][0], "a");
    assert!(
        !first["object"]["columnDefinitions"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(second["object"]["columnDefinitions"].is_null());
}

#[tokio::test]
async fn a_revision_that_is_gone_ends_the_watch_with_an_error_event() {
    let client = Client::new();
    put(&client, "a", "1").await;
    client.cluster.api.registry().store().trim();
    let mut watch = Watching::open(&client, "resourceVersion=1", "application/json").await;
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_crowd_sees_every_change_once_and_in_order() {
    let client = Client::new();
    put(&client, "a", "0").await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(Watching::open(&client, "fieldSelector=metadata.name%3Da", "application/json").await);
    }
    for watching in &mut crowd {
        assert_eq!(watching.told().await, is("ADDED", "a"));
    }
    let labels: Vec<String> = (1..=50).map(|at| at.to_string()).collect();
    let write = async {
        for label in &labels {
            put(&client, "a", label).await;
        }
    };
    let read = async {
        for watching in &mut crowd {
            for label in &labels {
                let event = watching.next().await.unwrap();
                assert_eq!(event["object"]["metadata"]["labels"]["l"], label.as_str());
            }
        }
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn watchers_of_metadata_share_their_frames_and_each_gets_its_own_kind_of_event() {
    let client = Client::new();
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    put(&client, "a", "1").await;
    let mut one = Watching::open(&client, "labelSelector=l%3D2", accept).await;
    let mut all = Watching::open(&client, "", accept).await;
    assert_eq!(all.told().await, is("ADDED", "a"));
    put(&client, "a", "2").await;
    put(&client, "a", "3").await;
    assert_eq!(all.told().await, is("MODIFIED", "a"));
    assert_eq!(all.told().await, is("MODIFIED", "a"));
    assert_eq!(one.told().await, is("ADDED", "a"));
    assert_eq!(one.told().await, is("DELETED", "a"));
}

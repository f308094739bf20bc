//! Connections that misbehave: broken framing, headers without end, bodies that never come, watches from nowhere.

use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use warren_fleet::{Embedded, Options};

use crate::client::{Client, PATIENCE, tenant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn embedded() -> (Embedded, Client) {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("demo", None).await.unwrap();
    let client = Client::admin(&tenant(&embedded, "demo"));
    (embedded, client)
}

/// The first line of the answer to a request that is sent as it stands; empty when the connection was closed.
async fn raw(client: &Client, request: &[u8]) -> String {
    let mut stream = client.stream().await;
    // The server may have hung up in the middle, which is an answer too.
    let _ = stream.write_all(request).await;
    let _ = stream.flush().await;
    let mut answer = Vec::new();
    let read = async {
        let mut part = [0; 4096];
        while !answer.contains(&b'\n') {
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&part[..length]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .expect("neither an answer nor an end");
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

fn post(headers: &str) -> String {
    format!("POST {MAPS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n")
}

#[tokio::test]
async fn broken_requests_end_with_an_answer_or_their_connection() {
    let (embedded, client) = embedded().await;
    let mut chunked = post("transfer-encoding: chunked\r\n").into_bytes();
    for _ in 0..4 {
        chunked.extend_from_slice(b"100000\r\n");
        chunked.extend(std::iter::repeat_n(b' ', 0x10_0000));
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut many = String::new();
    for at in 0..5000 {
        write!(many, "x-{at}: {}\r\n", "y".repeat(100)).unwrap();
    }
    let long = format!(
        "GET {MAPS}?labelSelector={} HTTP/1.1\r\nhost: x\r\n\r\n",
        "a".repeat(100_000)
    );
    for (what, request, expect) in [
        ("more in chunks than is allowed", chunked, "HTTP/1.1 413 "),
        (
            "a chunk without a length",
            post("transfer-encoding: chunked\r\n\r\nzz\r\n").into_bytes(),
            "HTTP/1.1 400 ",
        ),
        (
            "a length that is none",
            post("content-length: ten\r\n").into_bytes(),
            "HTTP/1.1 400 ",
        ),
        (
            "two lengths",
            post("content-length: 1\r\ncontent-length: 2\r\n").into_bytes(),
            "HTTP/1.1 400 ",
        ),
        (
            "more than is allowed, announced",
            post("content-length: 99999999999\r\n").into_bytes(),
            "HTTP/1.1 413 ",
        ),
        ("headers without end", post(&many).into_bytes(), "HTTP/1.1 431 "),
        ("a long path", long.into_bytes(), "HTTP/1.1 4"),
        ("no method", b"\r\n\r\n\r\n / \r\n\r\n".to_vec(), "HTTP/1.1 400 "),
        (
            "another protocol",
            b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            "HTTP/1.1 400 ",
        ),
    ] {
        let line = raw(&client, &request).await;
        assert!(line.starts_with(expect), "{what}: {line:?}");
    }
    // A body that is announced and never comes costs its connection alone.
    let mut stalled = client.stream().await;
    stalled
        .write_all(post("content-length: 100\r\n").as_bytes())
        .await
        .unwrap();
    let mut dropped = client.stream().await;
    dropped
        .write_all(post("content-length: 100\r\n\r\n{\"kind\"").as_bytes())
        .await
        .unwrap();
    drop(dropped);
    assert_eq!(client.get("/readyz").await.code, 200);
    assert!(
        client
            .list(MAPS)
            .await
            .iter()
            .all(|map| map["metadata"]["name"] == "kube-root-ca.crt")
    );
    drop(stalled);
    embedded.stop().await;
}

/// The first event of a watch.
async fn first_event(client: &Client, query: &str) -> Value {
    let mut connection = client.connect().await;
    let path = format!("{MAPS}?watch=1&{query}");
    let response = connection.send("GET", &path, "", Bytes::new()).await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let mut body = response.into_body();
    let frame = tokio::time::timeout(PATIENCE, body.frame())
        .await
        .expect("no event");
    let bytes = frame.unwrap().unwrap().into_data().unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn watches_and_pages_from_a_past_that_is_gone() {
    let (embedded, client) = embedded().await;
    let make = async |name: String| {
        client
            .create(
                MAPS,
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}),
            )
            .await
    };
    for at in 0..3 {
        make(format!("a{at}")).await;
    }
    let event = first_event(&client, "resourceVersion=1").await;
    assert_eq!(
        (&event["type"], &event["object"]["code"]),
        (&json!("ERROR"), &json!(410)),
        "{event}"
    );
    assert_eq!(event["object"]["reason"], "Expired");
    let refused = client.get(&format!("{MAPS}?watch=1&resourceVersion=abc")).await;
    assert_eq!(refused.code, 500, "{}", refused.text());

    // A page goes on at its revision, whatever was written since.
    let page = client.get(&format!("{MAPS}?limit=2")).await.json();
    let token = page["metadata"]["continue"].as_str().unwrap().to_owned();
    make("zz-late".to_owned()).await;
    let rest = client
        .get(&format!("{MAPS}?limit=500&continue={token}"))
        .await
        .json();
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        page["metadata"]["resourceVersion"]
    );
    assert!(!rest.to_string().contains("zz-late"));
    // So many lists and events later its revision is gone, and the client is told how to go on.
    for at in 0..300 {
        if at < 40 {
            client.get(&format!("{MAPS}?limit=1")).await;
        }
        make(format!("b{at}")).await;
    }
    let gone = client.get(&format!("{MAPS}?limit=500&continue={token}")).await;
    let (code, reason, message) = gone.refusal();
    assert_eq!((code, reason.as_str()), (410, "Expired"), "{message}");
    let again = gone.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = client.get(&format!("{MAPS}?limit=500&continue={again}")).await;
    assert!(rest.text().contains("zz-late"), "{}", rest.text());
    embedded.stop().await;
}

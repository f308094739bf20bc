//! A tenant that floods the process does not keep another one's requests from being answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpStream;
use warren_fleet::{Embedded, Options};

use crate::client::{Client, tenant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Connections that never pause.
const FLOOD: usize = 32;
/// Connections that say nothing.
const SILENT: usize = 300;
/// Answers that make a flood.
const ENOUGH: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_hurts_nobody_else() {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("loud", None).await.unwrap();
    embedded.virtual_cluster("quiet", None).await.unwrap();
    let loud = Client::admin(&tenant(&embedded, "loud"));
    let quiet = Client::admin(&tenant(&embedded, "quiet"));
    let enough = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let flood: Vec<_> = (0..FLOOD)
        .map(|at| tokio::spawn(pour(loud.clone(), at, Arc::clone(&enough), Arc::clone(&answered))))
        .collect();

    let address = tenant(&embedded, "loud").listener().unwrap().address();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(address).await.unwrap());
    }

    let mut connection = quiet.connect().await;
    let mut at = 0;
    while at < 6 || answered.load(Ordering::Relaxed) < ENOUGH {
        at += 1;
        // Only while the flood goes on does an answer prove anything.
        let before = answered.load(Ordering::Relaxed);
        let name = format!("q{at}");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}).to_string();
        let asked = async {
            let made = connection
                .call("POST", MAPS, "application/json", map.into())
                .await;
            let read = connection
                .call("GET", &format!("{MAPS}/{name}"), "", Bytes::new())
                .await;
            let listed = connection.call("GET", MAPS, "", Bytes::new()).await;
            (made.code, read.code, listed.code)
        };
        let codes = tokio::time::timeout(Duration::from_secs(5), asked).await;
        assert_eq!(codes.expect("the quiet tenant waits"), (201, 200, 200));
        while answered.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
    }
    // What the quiet tenant asks of controllers is done, too.
    quiet
        .create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}),
        )
        .await;
    let account = "/api/v1/namespaces/new/serviceaccounts/default";
    quiet
        .until(account, |reply| (reply.code == 200).then_some(()))
        .await;

    enough.store(true, Ordering::Relaxed);
    for task in flood {
        task.await.unwrap();
    }
    drop(silent);
    embedded.stop().await;
}

/// Creates, lists everything, and makes work for controllers and the syncer, as fast as it is answered.
async fn pour(loud: Client, at: usize, enough: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    let mut connection = loud.connect().await;
    for turn in 0.. {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("f{at}-{turn}");
        let (path, object) = match turn % 3 {
            0 => (
                "/api/v1/namespaces",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            ),
            1 => (
                MAPS,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "x".repeat(2000)}}),
            ),
            _ => (
                "/api/v1/namespaces/default/services",
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"ports": [{"port": 80}]}}),
            ),
        };
        let made = connection
            .call("POST", path, "application/json", object.to_string().into())
            .await;
        assert!(matches!(made.code, 201 | 429 | 503 | 504), "{}", made.text());
        let listed = connection
            .call("GET", &format!("{MAPS}?limit=500"), "", Bytes::new())
            .await;
        assert!(matches!(listed.code, 200 | 429 | 503 | 504), "{}", listed.text());
        answered.fetch_add(2, Ordering::Relaxed);
    }
}

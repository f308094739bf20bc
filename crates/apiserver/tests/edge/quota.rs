//! Quotas hold however many write at once.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";

fn config_map(at: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{at}")}})
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_creates_at_once_a_quota_of_ten_lets_in_ten() {
    let client = Arc::new(Client::new());
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
        "spec": {"hard": {"configmaps": "10"}}});
    assert_eq!(client.post(QUOTAS, &quota).await.status, StatusCode::CREATED);
    let mut writers = JoinSet::new();
    for at in 0..100 {
        let client = Arc::clone(&client);
        writers.spawn(async move {
            client
                .post("/api/v1/namespaces/default/configmaps", &config_map(at))
                .await
        });
    }
    let replies = writers.join_all().await;
    let created = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::CREATED)
        .count();
    assert_eq!(created, 10);
    let refused = replies
        .iter()
        .find(|reply| reply.status == StatusCode::FORBIDDEN)
        .unwrap();
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.ends_with(
            "exceeded quota: q, requested: configmaps=1, used: configmaps=10, limited: configmaps=10"
        ),
        "{message}"
    );
    // Nobody counts in this cluster but admission.
    let shown = client.get(&format!("{QUOTAS}/q")).await.json();
    assert_eq!(shown["status"]["used"]["configmaps"], "10");
}

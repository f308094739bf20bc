//! `kill -9` while many clients write: what was acknowledged is there after the next start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;
use warren_test_kit::{Folder, Warren};

const WARREN: &str = env!("CARGO_BIN_EXE_warren");
const WRITERS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// The last acknowledged value of each ConfigMap.
type Acknowledged = Arc<Mutex<BTreeMap<String, u64>>>;

async fn config_maps(warren: &Warren) -> anyhow::Result<Api<DynamicObject>> {
    let kubeconfig = Kubeconfig::read_from(warren.virtual_kubeconfig())?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let kind = ApiResource {
        group: String::new(),
        version: "v1".to_owned(),
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        plural: "configmaps".to_owned(),
    };
    Ok(Api::default_namespaced_with(
        kube::Client::try_from(config)?,
        &kind,
    ))
}

/// Creates objects and changes each once, until the server is gone.
async fn write(api: Api<DynamicObject>, writer: usize, round: usize, acknowledged: Acknowledged) {
    for number in 0.. {
        let name = format!("load-{round}-{writer}-{number}");
        for value in [1, 2] {
            let object: Result<DynamicObject, _> = serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                "data": {"value": value.to_string()}}));
            let Ok(object) = object else { return };
            let written = match value {
                1 => api.create(&PostParams::default(), &object).await,
                _ => api.replace(&name, &PostParams::default(), &object).await,
            };
            if written.is_err() {
                return;
            }
            if let Ok(mut acknowledged) = acknowledged.lock() {
                acknowledged.insert(name.clone(), value);
            }
        }
    }
}

/// Waits until so many objects are acknowledged.
async fn reached(acknowledged: &Acknowledged, count: usize) {
    while acknowledged
        .lock()
        .is_ok_and(|acknowledged| acknowledged.len() < count)
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_survives_kill_9() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let acknowledged = Acknowledged::default();
    for round in 1..=3 {
        let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let api = config_maps(&warren).await?;
            writers.spawn(write(api, writer, round, Arc::clone(&acknowledged)));
        }
        let enough = reached(&acknowledged, round * 150);
        timeout(PATIENCE, enough).await.context("the load is too slow")?;
        warren.kill()?;
        timeout(PATIENCE, writers.join_all())
            .await
            .context("a writer hangs")?;
    }
    let warren = Warren::up(WARREN, &folder, &["--no-kubeconfig"])?;
    let list = config_maps(&warren).await?.list(&ListParams::default()).await?;
    let found: BTreeMap<String, u64> = list
        .items
        .into_iter()
        .filter_map(|object| {
            let value = object.data.pointer("/data/value")?.as_str()?.parse().ok()?;
            Some((object.metadata.name?, value))
        })
        .collect();
    let acknowledged = acknowledged
        .lock()
        .map_err(|_| anyhow::anyhow!("a writer panicked"))?;
    for (name, value) in acknowledged.iter() {
        let seen = found.get(name);
        // A later write may have been durable without having been acknowledged.
        ensure!(
            seen.is_some_and(|seen| seen >= value),
            "{name}: wrote {value}, found {seen:?}"
        );
    }
    ensure!(
        acknowledged.len() >= 450,
        "only {} writes were acknowledged",
        acknowledged.len()
    );
    Ok(())
}

//! The virtual clusters of a measurement.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use warren_apimachinery::ObjectKey;
use warren_remote::{Access, Host};

use crate::connection::{Protocol, Target};
use crate::server::Server;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Virtual clusters that are ready.
pub(super) struct Clusters {
    host: Host,
    pub(super) all: Vec<Tenant>,
}

/// One of them.
pub(super) struct Tenant {
    /// Where its object is on the host.
    pub(super) key: ObjectKey,
    /// Its API.
    pub(super) target: Target,
}

impl Clusters {
    /// Makes them, all in one namespace of the host.
    pub(super) async fn make(server: &Server, namespace: &str, count: u32) -> anyhow::Result<Self> {
        let host = server.access().host().await?;
        let mut all = Vec::new();
        let folder = tempfile::tempdir()?;
        host.ensure_namespace(namespace).await?;
        for number in 0..count {
            let key = ObjectKey::namespaced(namespace, format!("bench-{number}"));
            match host.find(&key).await {
                Ok(_) => {}
                Err(_) => drop(host.create(&key, &json!({})).await?),
            }
            let ready = host.wait(&key, |object| {
                object.filter(|object| object.is_ready()).map(|_| ())
            });
            if tokio::time::timeout(PATIENCE, ready).await.is_err() {
                bail!(
                    "virtual cluster {key} is not ready after {} s",
                    PATIENCE.as_secs()
                );
            }
            let file = folder.path().join(format!("{number}.kubeconfig"));
            std::fs::write(&file, host.kubeconfig(&key).await?)?;
            let access = Access {
                kubeconfig: Some(file),
                context: None,
            };
            let target = Target::new(&access.endpoint()?, Protocol::Http1)?;
            all.push(Tenant { key, target });
        }
        Ok(Self { host, all })
    }

    /// Removes them; their namespaces are left to whoever made them.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        for Tenant { key, .. } in &self.all {
            self.host
                .delete(key)
                .await
                .context("a virtual cluster cannot be removed")?;
        }
        for Tenant { key, .. } in &self.all {
            let gone = self.host.wait(key, |object| object.is_none().then_some(()));
            drop(tokio::time::timeout(PATIENCE, gone).await);
        }
        Ok(())
    }
}

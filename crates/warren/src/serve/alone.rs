//! `warren serve --cluster NAME`: one virtual cluster that a file asks for, without any `VirtualCluster` objects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use warren_apimachinery::Value;
use warren_fleet::{OnHost, OneCluster};

use crate::config::file::read_spec;
use crate::terminal::{say, warn};
use crate::virtual_cluster_name::VirtualClusterName;

/// How often the file is looked at: a kubelet renews mounted ones about once a minute.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[command(next_help_heading = "One virtual cluster")]
pub(crate) struct AloneFlags {
    /// Serve this virtual cluster alone, which needs no rights outside of its namespace [namespace: that of --namespace,
    /// else warren-NAME]
    #[arg(long, value_name = "NAME")]
    cluster: Option<VirtualClusterName>,
    /// Its configuration in the vocabulary of vcluster.yaml; a change of the file applies by itself
    #[arg(long, value_name = "FILE", requires = "cluster")]
    config: Option<PathBuf>,
}

/// One virtual cluster, and the file that asks for it.
pub(super) struct Alone {
    pub(super) cluster: Arc<OneCluster>,
    /// Where all that it has on the host is.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    config: Option<PathBuf>,
}

impl AloneFlags {
    /// The one virtual cluster, if one alone is meant.
    pub(super) fn alone(&self, namespace: Option<&str>) -> anyhow::Result<Option<Alone>> {
        let Some(name) = &self.cluster else {
            return Ok(None);
        };
        let key = name.key(namespace);
        let spec = match &self.config {
            Some(file) => read(file)?,
            None => Value::Null,
        };
        Ok(Some(Alone {
            cluster: OneCluster::new(&key.namespace, &key.name, spec),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            config: self.config.clone(),
        }))
    }
}

impl Alone {
    /// Applies changes of the file, until it is dropped. A file that cannot be used is told of, and the last one counts.
    pub(super) async fn follow(&self, serving: &OnHost) {
        let Some(file) = &self.config else {
            return std::future::pending().await;
        };
        let mut seen = std::fs::read(file).ok();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = std::fs::read(file).ok();
            if now == seen {
                continue;
            }
            seen = now;
            match read(file) {
                Ok(spec) => {
                    if self.cluster.set_spec(spec, serving.runtime()) {
                        say(&format!("{} changed and is applied.", file.display()));
                    }
                }
                Err(error) => warn(&format!("the configuration stays as it was: {error:#}")),
            }
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Value> {
    read_spec(file).with_context(|| format!("--config {}", file.display()))
}

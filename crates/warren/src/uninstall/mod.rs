//! `warren uninstall`

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use warren_apimachinery::{ObjectKey, Resource, Value, resource};
use warren_remote::{Host, HostResource, RemoteError, VirtualClusterObject};

use crate::create::duration;
use crate::failure::Hinted;
use crate::host_access::HostAccess;
use crate::install::{INSTALLED_BY, Names};
use crate::progress::Progress;
use crate::terminal::{Paint, Tone, say, warn};
use crate::virtual_cluster_name::VirtualClusterName;

mod leftovers;

use leftovers::Removed;

/// What runs Warren.
const WORKLOADS: &[Resource] = &[resource::STATEFUL_SETS];
/// How often it is looked whether something is gone.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Remove Warren from a host, with everything that it put there
///
/// Virtual clusters go first, with all that their tenants run: it asks before that. What is removed is told, line by
/// line; nothing is left.
#[derive(Args, Debug)]
pub(crate) struct Uninstall {
    /// Namespace that Warren runs in [default: warren-system; with --cluster: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Remove this one virtual cluster, which 'warren install --cluster' installed
    #[arg(long, value_name = "NAME")]
    cluster: Option<VirtualClusterName>,
    /// Do not ask: virtual clusters are deleted, too
    #[arg(short, long)]
    yes: bool,
    /// How long virtual clusters may take to go by themselves; then they are taken away
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    host: HostAccess,
}

impl Uninstall {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let host = self.host.host().await?;
        let names = Names::new(self.namespace.as_deref(), self.cluster.as_ref());
        let mut removed = Removed::default();
        match self.cluster.as_ref() {
            None => self.fleet(&host, &names, &mut removed).await?,
            Some(cluster) => self.one(&host, &names, cluster, &mut removed).await?,
        }
        let done = Paint::of_output().text(Tone::Good, "removed");
        match removed.count() {
            0 => say("There was nothing to remove."),
            1 => say(&format!("1 object is {done}.")),
            count => say(&format!("{count} objects are {done}.")),
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn fleet(&self, host: &Host, names: &Names, removed: &mut Removed) -> anyhow::Result<()> {
        let clusters = match host.list(None).await {
            Err(RemoteError::NotWarren(_)) => Vec::new(),
            found => found?,
        };
        let listed: Vec<String> = clusters.iter().map(|cluster| cluster.key().to_string()).collect();
        self.ask(&listed)?;
        for cluster in &clusters {
            match host.delete(&cluster.key()).await {
                Err(RemoteError::NotFound { .. }) => {}
                deleted => deleted?,
            }
            removed.tell("virtualcluster", &cluster.key());
        }
        if !clusters.is_empty() {
            self.let_go(host, &clusters).await?;
        }
        // Warren goes before what it would make anew.
        removed.labelled(host, &installed(names), None, WORKLOADS).await?;
        wait_for_pods(host, names, self.timeout).await;
        for cluster in &clusters {
            force(host, cluster).await?;
        }
        removed.leftovers(host, None, leftovers::ALL_CLUSTERS).await?;
        removed
            .labelled(host, &installed(names), None, leftovers::INSTALLED)
            .await?;
        removed.claims(host, names).await?;
        removed.namespace(host, names).await
    }

    async fn one(
        &self,
        host: &Host,
        names: &Names,
        cluster: &VirtualClusterName,
        removed: &mut Removed,
    ) -> anyhow::Result<()> {
        self.ask(&[format!("{}/{cluster}", names.namespace())])?;
        let namespace = Some(names.namespace());
        removed
            .labelled(host, &installed(names), namespace, WORKLOADS)
            .await?;
        wait_for_pods(host, names, self.timeout).await;
        let selector = format!("warren.dev/managed-by={cluster}");
        removed.leftovers(host, namespace, &selector).await?;
        removed
            .labelled(host, &installed(names), namespace, leftovers::INSTALLED)
            .await?;
        removed.claims(host, names).await?;
        removed.namespace(host, names).await
    }

    /// Nobody's applications go by mistake.
    fn ask(&self, clusters: &[String]) -> anyhow::Result<()> {
        if clusters.is_empty() || self.yes {
            return Ok(());
        }
        let many = match clusters {
            [one] => format!("The virtual cluster {one} and all that it runs will be deleted."),
            all => format!(
                "{} virtual clusters and all that they run will be deleted: {}.",
                all.len(),
                all.join(", ")
            ),
        };
        if !std::io::stdin().is_terminal() {
            bail!(Hinted::new(many, "--yes says that this is wanted"));
        }
        say(&many);
        let mut out = std::io::stdout();
        write!(out, "Type 'yes' to go on: ")
            .and_then(|()| out.flush())
            .context("cannot ask")?;
        let mut answer = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut answer)
            .context("cannot read the answer")?;
        if answer.trim() != "yes" {
            bail!("nothing was removed");
        }
        Ok(())
    }

    /// Gives Warren time to end its virtual clusters.
    async fn let_go(&self, host: &Host, clusters: &[VirtualClusterObject]) -> anyhow::Result<()> {
        let progress = Progress::start(format!("deleting {} virtual clusters", clusters.len()));
        let waiting = async {
            loop {
                let left = host.list(None).await?;
                if left.is_empty() {
                    return Ok::<(), RemoteError>(());
                }
                progress.set(format!("{} virtual clusters are still there", left.len()));
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(self.timeout, waiting).await {
            Ok(gone) => Ok(gone?),
            Err(_) => {
                drop(progress);
                warn("no Warren ends the virtual clusters: they are taken away");
                Ok(())
            }
        }
    }
}

/// The objects that an installation made.
fn installed(names: &Names) -> String {
    let (key, value) = INSTALLED_BY;
    format!("{key}={value},app.kubernetes.io/instance={}", names.instance())
}

/// A pod that still runs would make anew what is removed.
async fn wait_for_pods(host: &Host, names: &Names, patience: Duration) {
    let pods = HostResource::of(&resource::PODS);
    let selector = format!(
        "app.kubernetes.io/name=warren,app.kubernetes.io/instance={}",
        names.instance()
    );
    let waiting = async {
        while host
            .labelled(&pods, Some(names.namespace()), &selector)
            .await
            .is_ok_and(|pods| !pods.is_empty())
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(patience, waiting).await.is_err() {
        warn("Warren's pod is still there: what it makes anew stays behind");
    }
}

/// Nobody is left to take the finalizer away.
async fn force(host: &Host, cluster: &VirtualClusterObject) -> anyhow::Result<()> {
    let patch: Value = serde_json::json!({"metadata": {"finalizers": null}});
    let resource = HostResource::of(&resource::VIRTUAL_CLUSTERS);
    let key: ObjectKey = cluster.key();
    match host.merge(&resource, &key, &patch).await {
        Err(RemoteError::NotFound { .. } | RemoteError::NotWarren(_)) => Ok(()),
        forced => Ok(forced?),
    }
}

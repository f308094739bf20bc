//! Simulated nodes for a control plane that has none, so that its pods run: the scheduler and the kubelets of `warren up`
//! as clients of any API server.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use warren_apimachinery::{ClusterId, ObjectKey, Status, StatusReason, resource};
use warren_node::{NodeShape, node_object};
use warren_reconciler::{Cluster, Clusters, Part, Reconciler, Registration, Runtime, Want};
use warren_remote::{Origin, RemoteCluster, RemoteOptions};

use crate::output::tell;

/// How many passes run at a time.
const WORKERS: usize = 64;

/// Give a control plane simulated nodes, so that its pods run; Ctrl-C ends it
#[derive(Args, Debug)]
pub(crate) struct Nodes {
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in it [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: u32,
    /// What their names begin with
    #[arg(long, default_value = "simulated")]
    prefix: String,
    /// How many pods each takes
    #[arg(long, default_value_t = 1000)]
    pods: u32,
    /// Leave the scheduling to the control plane's own scheduler
    #[arg(long)]
    no_scheduler: bool,
}

impl Nodes {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let host = RemoteCluster::new(RemoteOptions {
            id: ClusterId::new("host"),
            origin: Origin::kubeconfig(self.kubeconfig.clone(), self.context.clone()),
            ours: "warren.dev/managed-by",
            namespace: None,
        })
        .await?;
        let mut wants: Vec<Want> = WATCHED.iter().copied().map(Want::all).collect();
        wants.push(Want::of_namespace(resource::LEASES, "kube-node-lease"));
        let runtime = Runtime::new(Arc::new(Only(host.clone())), self.registrations());
        host.connect(Arc::clone(&runtime));
        host.want("nodes", wants.clone());
        if let Some((resource, status)) = host.listed(&wants).await.first() {
            anyhow::bail!("{} may not list {}: {status}", host.server(), resource.plural);
        }
        for number in 1..=self.nodes {
            self.register(&host, &format!("{}-{number}", self.prefix))
                .await
                .context("a node cannot be registered")?;
        }
        tell(&format!("{} nodes are ready on {}", self.nodes, host.server()));
        let stopped = async {
            // Without a handler the process ends by the signal itself.
            let _ = tokio::signal::ctrl_c().await;
        };
        runtime.full_pass(host.id());
        runtime.run(WORKERS, stopped).await;
        host.close().await;
        Ok(())
    }

    fn registrations(&self) -> Vec<Registration> {
        let mut all: Vec<Arc<dyn Reconciler>> = vec![
            Arc::new(warren_node::Kubelet::default()),
            Arc::new(warren_node::Heartbeat),
        ];
        if !self.no_scheduler {
            all.push(Arc::new(warren_scheduler::Scheduler::default()));
        }
        let registration = |reconciler| Registration {
            reconciler,
            runs_in: |_| true,
        };
        all.into_iter().map(registration).collect()
    }

    /// As a kubelet registers: the object, then its status.
    async fn register(&self, host: &RemoteCluster, name: &str) -> Result<(), Status> {
        let key = ObjectKey::cluster(name);
        if host.get(&resource::NODES, &key).is_some() {
            return Ok(());
        }
        let shape = NodeShape {
            pods: self.pods,
            ..NodeShape::default()
        };
        let object = node_object(name, &shape, jiff::Timestamp::now());
        let status = json!({"status": object.get("status")});
        match host.create(&resource::NODES, object).await {
            Err(status) if !status.is(StatusReason::AlreadyExists) => return Err(status),
            _ => {}
        }
        host.merge_patch(&resource::NODES, &key, Part::Status, status)
            .await?;
        Ok(())
    }
}

/// What scheduler and kubelets look at.
const WATCHED: &[warren_apimachinery::Resource] = &[
    resource::NAMESPACES,
    resource::NODES,
    resource::PODS,
    resource::CONFIG_MAPS,
    resource::SECRETS,
    resource::PERSISTENT_VOLUME_CLAIMS,
    resource::STORAGE_CLASSES,
];

/// The one cluster that there is.
struct Only(RemoteCluster);

impl Clusters for Only {
    fn cluster(&self, _: &ClusterId, actor: &'static str) -> Option<Arc<dyn Cluster>> {
        Some(Arc::new(self.0.acting_as(actor)))
    }

    fn ids(&self) -> Vec<ClusterId> {
        vec![self.0.id().clone()]
    }
}

//! Warren in this process: a virtual cluster as close to a bare API server with controllers as it can be.

use anyhow::Context;
use serde_json::json;
use warren_apimachinery::resource;
use warren_fleet::{Embedded, Options, host_id, namespace_of};
use warren_reconciler::Clusters;
use warren_remote::Access;

use crate::connection::Target;

const NAME: &str = "corpus";

/// See the module. Ends with `stop`.
pub(crate) struct VirtualCluster {
    embedded: Embedded,
    pub(crate) target: Target,
}

impl VirtualCluster {
    /// On a host without nodes, and without a syncer for pods: nothing schedules or runs them, as where the answers
    /// were recorded.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let embedded = Embedded::start(Options::in_memory(), 0, None).await?;
        let host = embedded
            .fleet()
            .cluster(&host_id(), "warren-corpus")
            .context("the host is not there")?;
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(NAME)}});
        host.create(&resource::NAMESPACES, namespace).await?;
        let off = json!({"enabled": false});
        let object = json!({
            "apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster",
            "metadata": {"name": NAME, "namespace": namespace_of(NAME)},
            "spec": {"sync": {
                "toHost": {"pods": off, "persistentVolumeClaims": off},
                "fromHost": {"events": off, "storageClasses": off}},
                // As a cluster that nobody else's pods share.
                "policies": {"podSecurityStandard": "privileged"}}});
        host.create(&resource::VIRTUAL_CLUSTERS, object).await?;
        let kubeconfig = embedded.virtual_cluster(NAME, None).await?;
        let folder = tempfile::Builder::new().prefix("warren-corpus-").tempdir()?;
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, kubeconfig)?;
        let access = Access {
            kubeconfig: Some(path),
            ..Access::default()
        };
        let target = Target::new(&access.endpoint()?)?;
        Ok(Self { embedded, target })
    }

    pub(crate) async fn stop(self) {
        self.embedded.stop().await;
    }
}

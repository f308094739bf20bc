//! `warren install`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersion, ObjectKey, Value};
use warren_config::{VirtualCluster, VirtualClusterSpec};
use warren_remote::{Host, HostResource};

use crate::config::file::read_spec;
use crate::host_access::HostAccess;
use crate::terminal::{Paint, Tone, say};
use crate::virtual_cluster_name::VirtualClusterName;

mod manifests;
mod roles;
mod workload;

pub(crate) use manifests::{INSTALLED_BY, Names};

/// Install Warren on a host: what it needs there, with no more rights than the configuration asks for
///
/// Applies (server-side) a namespace, the VirtualCluster definition, a service account with its roles, a service and a
/// stateful set that runs 'warren serve'. With --cluster it installs one virtual cluster in one namespace: no
/// definition, no cluster role.
#[derive(Args, Debug)]
pub(crate) struct Install {
    /// Namespace that Warren runs in [default: warren-system; with --cluster: warren-NAME]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Install this one virtual cluster alone, with rights in its namespace only
    #[arg(long, value_name = "NAME")]
    cluster: Option<VirtualClusterName>,
    /// Configuration in the vocabulary of vcluster.yaml: decides on the rights; with --cluster also how the cluster is
    #[arg(short = 'f', long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Image with the warren binary
    #[arg(long, default_value = workload::IMAGE)]
    image: String,
    /// Size of the volume for the data
    #[arg(long, default_value = "5Gi", value_name = "QUANTITY")]
    storage: String,
    /// Storage class of that volume [default: the host's default]
    #[arg(long, value_name = "NAME")]
    storage_class: Option<String>,
    /// Domain of the front door: each virtual cluster is then NAME.NAMESPACE.DOMAIN, on one port for all
    #[arg(long, value_name = "DOMAIN", conflicts_with = "cluster")]
    front_door_domain: Option<String>,
    /// Type of the service of the front door
    #[arg(long, value_enum, default_value_t, requires = "front_door_domain")]
    front_door_service: ServiceType,
    /// Print what would be applied, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    host: HostAccess,
}

/// Of the front door's Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceType {
    /// Reached inside the host, or by an ingress that passes TLS through.
    #[default]
    #[value(name = "ClusterIP")]
    ClusterIp,
    /// On a port of every node.
    #[value(name = "NodePort")]
    NodePort,
    /// By a load balancer of the host's provider.
    #[value(name = "LoadBalancer")]
    LoadBalancer,
}

impl ServiceType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// Everything that the manifests are made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    names: Names,
    spec: VirtualClusterSpec,
    /// The configuration as it was written; `None` without one.
    config: Option<Value>,
    image: String,
    storage: String,
    storage_class: Option<String>,
    front_door: Option<(String, ServiceType)>,
}

impl Install {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let plan = self.plan()?;
        let manifests = manifests::all(&plan);
        if self.dry_run {
            say(manifests::to_yaml(&manifests)?.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        let host = self.host.host().await?;
        for object in &manifests {
            apply(&host, object).await?;
        }
        say_installed(&plan);
        Ok(ExitCode::SUCCESS)
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let config = self.config.as_deref().map(read_spec).transpose()?;
        let spec = match &config {
            Some(config) => VirtualCluster::read(&serde_json::json!({ "spec": config }))?.spec,
            None => VirtualClusterSpec::default(),
        };
        let domain = self.front_door_domain.clone();
        Ok(Plan {
            names: Names::new(self.namespace.as_deref(), self.cluster.as_ref()),
            spec,
            config,
            image: self.image.clone(),
            storage: self.storage.clone(),
            storage_class: self.storage_class.clone(),
            front_door: domain.map(|domain| (domain, self.front_door_service)),
        })
    }
}

async fn apply(host: &Host, object: &Value) -> anyhow::Result<()> {
    let kind = object.text("/kind");
    let what = format!("{} {}", kind.to_lowercase(), object.text("/metadata/name"));
    let resource = resource_of(object);
    let key = ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"));
    // A namespace that is there stays as it is: its labels are somebody's.
    if kind == "Namespace" && host.object(&resource, &key).await?.is_some() {
        say(&format!("{what} is there"));
        return Ok(());
    }
    host.apply(&resource, object)
        .await
        .with_context(|| format!("cannot apply {what}"))?;
    say(&format!("{what} applied"));
    Ok(())
}

/// The resource of a manifest of ours: their plurals are regular.
pub(crate) fn resource_of(object: &Value) -> HostResource {
    let api_version = object.text("/apiVersion");
    let kind = object.text("/kind");
    let lower = kind.to_lowercase();
    HostResource {
        version: GroupVersion::parse(api_version).unwrap_or_else(|| GroupVersion::new("", "v1")),
        kind: kind.to_owned(),
        plural: match lower.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{lower}s"),
        },
    }
}

fn say_installed(plan: &Plan) {
    let paint = Paint::of_output();
    let done = paint.text(Tone::Good, "installed");
    let namespace = plan.names.namespace();
    match plan.names.cluster() {
        None => {
            say(&format!("Warren is {done} (namespace {namespace})."));
            let command = paint.text(Tone::Command, "warren create NAME");
            say(&format!("Make a virtual cluster: {command}"));
        }
        Some(cluster) => {
            say(&format!(
                "Virtual cluster \"{cluster}\" is {done} (namespace {namespace})."
            ));
            say(&format!("Its kubeconfig will be in the secret vc-{cluster}."));
        }
    }
}

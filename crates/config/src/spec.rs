//! `spec` of a `VirtualCluster`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a virtual cluster should be. Every field has a default: an empty spec is a working cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VirtualClusterSpec {
    /// How its API is reached.
    pub control_plane: ControlPlane,
    /// Where and how the admin's kubeconfig is written.
    pub export_kube_config: ExportKubeConfig,
    /// What crosses between the virtual cluster and the host.
    pub sync: Sync,
    /// Names and addresses.
    pub networking: Networking,
}

/// `controlPlane`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlane {
    /// The listener.
    pub proxy: Proxy,
}

/// `controlPlane.proxy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Proxy {
    /// The port to listen on; absent or 0 for any that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// More names and addresses that the serving certificate is valid for.
    #[serde(rename = "extraSANs", skip_serializing_if = "Vec::is_empty")]
    pub extra_sans: Vec<String>,
}

/// `exportKubeConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExportKubeConfig {
    /// The context's name; absent for the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The server that clients shall use; absent for the address of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// `sync`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sync {
    /// From the virtual cluster to the host.
    pub to_host: ToHost,
    /// From the host to the virtual cluster.
    pub from_host: FromHost,
}

/// `sync.toHost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToHost {
    /// Pods: what makes the cluster run anything.
    pub pods: Enabled,
    /// Services.
    pub services: Enabled,
    /// Endpoints of services without a selector.
    pub endpoints: Enabled,
    /// EndpointSlices of services without a selector.
    pub endpoint_slices: Enabled,
    /// Config maps, those that pods refer to or all.
    pub config_maps: ReferencedOrAll,
    /// Secrets, those that pods refer to or all.
    pub secrets: ReferencedOrAll,
    /// Claims of storage.
    pub persistent_volume_claims: Enabled,
    /// Storage classes that the tenant makes; those of the host are shown by `fromHost`.
    pub storage_classes: Enabled,
    /// Ingresses.
    pub ingresses: Enabled,
    /// Network policies.
    pub network_policies: Enabled,
    /// Pod disruption budgets.
    pub pod_disruption_budgets: Enabled,
}

/// The defaults are vCluster's.
impl Default for ToHost {
    fn default() -> Self {
        let (on, off) = (Enabled { enabled: true }, Enabled { enabled: false });
        let referenced = ReferencedOrAll {
            enabled: true,
            all: false,
        };
        Self {
            pods: on,
            services: on,
            endpoints: on,
            endpoint_slices: on,
            config_maps: referenced,
            secrets: referenced,
            persistent_volume_claims: on,
            storage_classes: off,
            ingresses: off,
            network_policies: off,
            pod_disruption_budgets: off,
        }
    }
}

/// `sync.fromHost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FromHost {
    /// Events of synced objects.
    pub events: Enabled,
    /// Nodes.
    pub nodes: Nodes,
    /// Storage classes: `true`, `false`, or `auto` as vCluster has it (on unless the tenant's own are synced).
    pub storage_classes: Auto,
}

impl Default for FromHost {
    fn default() -> Self {
        Self {
            events: Enabled { enabled: true },
            nodes: Nodes::default(),
            storage_classes: Auto::default(),
        }
    }
}

/// A kind that is synced or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enabled {
    /// Whether it is.
    pub enabled: bool,
}

/// A kind of which only what is referenced is synced, unless all of it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReferencedOrAll {
    /// Whether it is synced.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether unreferenced objects are, too.
    #[serde(default)]
    pub all: bool,
}

fn yes() -> bool {
    true
}

/// `sync.fromHost.nodes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Nodes {
    /// Real nodes of the host; off: pseudo nodes that only show what tenants may know.
    pub enabled: bool,
}

/// `enabled: true | false | "auto"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Auto {
    /// `true`, `false` or `auto`.
    pub enabled: Value,
}

impl Default for Auto {
    fn default() -> Self {
        Self {
            enabled: Value::from("auto"),
        }
    }
}

impl Auto {
    /// Whether it is on, given what `auto` means here.
    pub fn is_on(&self, auto: bool) -> bool {
        self.enabled.as_bool().unwrap_or(auto)
    }
}

/// `networking`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Networking {
    /// What few set.
    pub advanced: Advanced,
}

/// `networking.advanced`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Advanced {
    /// The DNS domain of services.
    pub cluster_domain: String,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}

//! `networking`: names and addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `networking`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Networking {
    /// Services that are shown on the other side, too.
    pub replicate_services: ReplicateServices,
    /// Names that resolve to something else.
    #[serde(rename = "resolveDNS", skip_serializing_if = "Vec::is_empty")]
    pub resolve_dns: Vec<ResolveDns>,
    /// What few set.
    pub advanced: Advanced,
}

/// `networking.replicateServices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReplicateServices {
    /// Virtual services that get a host Service of a chosen name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_host: Vec<ServiceMapping>,
    /// Host services that get a virtual Service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from_host: Vec<ServiceMapping>,
}

/// From one service to another, each `name` or `namespace/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceMapping {
    /// The service that exists.
    pub from: String,
    /// The service to make.
    pub to: String,
}

/// One of `networking.resolveDNS`: a host name, a service or a whole namespace, and what it resolves to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResolveDns {
    /// A host name; `*.` matches any label.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// A virtual service, `namespace/name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// A virtual namespace: every service of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What it resolves to: exactly one of its fields.
    pub target: DnsTarget,
}

/// `networking.resolveDNS[].target`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DnsTarget {
    /// Another host name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// An address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// A service of the host, `namespace/name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_service: String,
    /// A namespace of the host; with `namespace` above.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_namespace: String,
    /// A service of another virtual cluster, `host namespace/cluster/namespace/name`.
    #[serde(rename = "vClusterService", skip_serializing_if = "String::is_empty")]
    pub v_cluster_service: String,
}

/// `networking.advanced`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Advanced {
    /// The DNS domain of services.
    pub cluster_domain: String,
    /// Whether names of host services (`service.namespace`) resolve when no virtual service has the name.
    pub fallback_host_cluster: bool,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            cluster_domain: "cluster.local".to_owned(),
            fallback_host_cluster: false,
        }
    }
}

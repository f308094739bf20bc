//! `controlPlane`: how a virtual cluster's API is reached, and what stands beside it on the host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `controlPlane`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlane {
    /// The name that clients outside reach the API by; absent for the listener's address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// The listener.
    pub proxy: Proxy,
    /// The Service on the host that leads to the API.
    pub service: ControlPlaneService,
    /// An Ingress on the host that leads to the API.
    pub ingress: ControlPlaneIngress,
    /// The virtual cluster's DNS.
    pub coredns: CoreDns,
    /// Flags of kube-apiserver, for people who bring theirs.
    #[serde(skip_serializing_if = "Distro::is_empty")]
    pub distro: Distro,
    /// What few set.
    pub advanced: ControlPlaneAdvanced,
}

/// `controlPlane.distro`: of what vCluster says about the program to start, the flags that mean something here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Distro {
    /// Kubernetes' own programs.
    pub k8s: K8s,
}

impl Distro {
    fn is_empty(&self) -> bool {
        self.k8s.api_server.extra_args.is_empty()
    }
}

/// `controlPlane.distro.k8s`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct K8s {
    /// kube-apiserver.
    pub api_server: ApiServer,
}

/// `controlPlane.distro.k8s.apiServer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiServer {
    /// Its flags, such as `--enable-admission-plugins=AlwaysPullImages`; those that are not understood are refused by
    /// name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_args: Vec<String>,
}

impl ApiServer {
    /// The flags by name and value, in their order; a flag without a value has an empty one.
    pub fn flags(&self) -> Vec<(&str, &str)> {
        let mut flags: Vec<(&str, &str)> = Vec::new();
        let mut is_open = false;
        for arg in &self.extra_args {
            let Some(flag) = arg.strip_prefix("--") else {
                // `--flag value`, as two entries.
                if let Some(last) = flags.last_mut().filter(|_| is_open) {
                    last.1 = arg;
                    is_open = false;
                } else {
                    flags.push((arg, ""));
                }
                continue;
            };
            is_open = !flag.contains('=');
            flags.push(flag.split_once('=').unwrap_or((flag, "")));
        }
        flags
    }

    /// All values of a flag that takes a list: names between commas.
    pub fn list(&self, flag: &str) -> Vec<String> {
        let values = self.flags().into_iter().filter(|(name, _)| *name == flag);
        let names = values.flat_map(|(_, value)| value.split(','));
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The last value of a flag that takes a whole number.
    pub fn number(&self, flag: &str) -> Option<i64> {
        let flags = self.flags().into_iter().rev();
        let mut values = flags.filter(|(name, _)| *name == flag).map(|(_, value)| value);
        values.next()?.parse().ok()
    }
}

/// `controlPlane.proxy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Proxy {
    /// The port to listen on; absent or 0 for any that is free. 8443, vCluster's default inside a pod of its own, is
    /// taken if it is free: here all virtual clusters share one process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// More names and addresses that the serving certificate is valid for.
    #[serde(rename = "extraSANs", skip_serializing_if = "Vec::is_empty")]
    pub extra_sans: Vec<String>,
}

impl Proxy {
    /// The port that stands in every `vcluster.yaml` made from vCluster's defaults: rather that one, but any will do.
    pub const DEFAULT_PORT: u16 = 8443;
}

/// `controlPlane.service`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlaneService {
    /// Whether there is one.
    pub enabled: bool,
    /// Its labels, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Laid over its spec: `type`, `loadBalancerClass`, `externalTrafficPolicy`, ….
    #[serde(skip_serializing_if = "Value::is_null")]
    pub spec: Value,
    /// The node port of the API, for a Service of type NodePort; 0 for any.
    pub https_node_port: u16,
}

impl Default for ControlPlaneService {
    fn default() -> Self {
        Self {
            enabled: true,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            spec: Value::Null,
            https_node_port: 0,
        }
    }
}

/// `controlPlane.ingress`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlaneIngress {
    /// Whether there is one. Its controller must pass TLS through.
    pub enabled: bool,
    /// The host name that leads to the API.
    pub host: String,
    /// `pathType` of its rule.
    pub path_type: String,
    /// Its labels, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Laid over its spec: `ingressClassName`, `tls`, ….
    #[serde(skip_serializing_if = "Value::is_null")]
    pub spec: Value,
}

/// The annotations are vCluster's: they let ingress-nginx pass TLS through.
impl Default for ControlPlaneIngress {
    fn default() -> Self {
        let annotations = [
            ("nginx.ingress.kubernetes.io/backend-protocol", "HTTPS"),
            ("nginx.ingress.kubernetes.io/ssl-passthrough", "true"),
            ("nginx.ingress.kubernetes.io/ssl-redirect", "true"),
        ];
        Self {
            enabled: false,
            host: "my-host.com".to_owned(),
            path_type: "ImplementationSpecific".to_owned(),
            labels: BTreeMap::new(),
            annotations: annotations
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            spec: Value::Null,
        }
    }
}

/// `controlPlane.coredns`: vCluster runs CoreDNS; Warren answers by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CoreDns {
    /// Whether the virtual cluster has DNS.
    pub enabled: bool,
    /// The Service on the host that pods ask.
    pub service: CoreDnsService,
}

impl Default for CoreDns {
    fn default() -> Self {
        Self {
            enabled: true,
            service: CoreDnsService::default(),
        }
    }
}

/// `controlPlane.coredns.service`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CoreDnsService {
    /// Its labels, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `controlPlane.advanced`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlPlaneAdvanced {
    /// Whether pods are bound to nodes in the virtual cluster, not on the host.
    pub virtual_scheduler: VirtualScheduler,
    /// The host account that the tenant's pods run as.
    pub workload_service_account: WorkloadServiceAccount,
    /// What every host object of the virtual cluster itself carries.
    pub global_metadata: GlobalMetadata,
}

/// `controlPlane.advanced.virtualScheduler`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VirtualScheduler {
    /// Whether it is used.
    pub enabled: bool,
}

/// `controlPlane.advanced.workloadServiceAccount`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WorkloadServiceAccount {
    /// Whether Warren makes it; off: `name` exists already.
    pub enabled: bool,
    /// Its name; empty for `vc-workload-<cluster>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its `imagePullSecrets`: host Secrets in the virtual cluster's host namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<ImagePullSecret>,
    /// Its labels, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations, such as a cloud's identity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Default for WorkloadServiceAccount {
    fn default() -> Self {
        Self {
            enabled: true,
            name: String::new(),
            image_pull_secrets: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

impl WorkloadServiceAccount {
    /// The host account that pods of the virtual cluster `cluster` run as.
    pub fn account_name(&self, cluster: &str) -> String {
        match (self.name.as_str(), self.enabled) {
            ("", true) => format!("vc-workload-{cluster}"),
            ("", false) => "default".to_owned(),
            (name, _) => name.to_owned(),
        }
    }
}

/// One of `imagePullSecrets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePullSecret {
    /// The Secret's name.
    pub name: String,
}

/// `controlPlane.advanced.globalMetadata`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GlobalMetadata {
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

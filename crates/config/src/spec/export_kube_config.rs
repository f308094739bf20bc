//! `exportKubeConfig`: where and how the admin's kubeconfig is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `exportKubeConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExportKubeConfig {
    /// The context's name; absent for the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The server that clients shall use; absent for the address of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Whether clients shall not check the server's certificate.
    pub insecure: bool,
    /// Whose token it holds; without a name it holds the admin's certificate.
    pub service_account: KubeConfigServiceAccount,
    /// The one Secret that it is written to; absent for `vc-<name>` beside the `VirtualCluster`.
    pub secret: KubeConfigSecret,
    /// More Secrets, each with an address and an account of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_secrets: Vec<AdditionalSecret>,
}

/// `exportKubeConfig.serviceAccount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubeConfigServiceAccount {
    /// Its name; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its virtual namespace; empty for `kube-system`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The virtual ClusterRole that it is bound to; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_role: String,
}

/// `exportKubeConfig.secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubeConfigSecret {
    /// Its name; empty for `vc-<name>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its host namespace; empty for that of the virtual cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// One of `exportKubeConfig.additionalSecrets`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdditionalSecret {
    /// The Secret's name.
    pub name: String,
    /// Its host namespace; empty for that of the virtual cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The context's name; absent for the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The server that clients shall use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Whether clients shall not check the server's certificate.
    pub insecure: bool,
    /// Whose token it holds.
    pub service_account: KubeConfigServiceAccount,
}

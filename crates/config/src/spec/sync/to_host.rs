//! `sync.toHost`: from the virtual cluster to the host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GatewayApi, Namespaces, Pods, ReferencedOrAll, Synced, ToHostCustomResource};

/// `sync.toHost`. The defaults are vCluster's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToHost {
    /// Pods.
    pub pods: Pods,
    /// Services.
    #[serde(deserialize_with = "Synced::on_unless_said")]
    pub services: Synced,
    /// Endpoints of services without a selector.
    #[serde(deserialize_with = "Synced::on_unless_said")]
    pub endpoints: Synced,
    /// EndpointSlices of services without a selector.
    #[serde(deserialize_with = "Synced::on_unless_said")]
    pub endpoint_slices: Synced,
    /// Config maps, those that are referenced or all.
    pub config_maps: ReferencedOrAll,
    /// Secrets, those that are referenced or all.
    pub secrets: ReferencedOrAll,
    /// Claims of storage.
    #[serde(deserialize_with = "Synced::on_unless_said")]
    pub persistent_volume_claims: Synced,
    /// Volumes that the tenant makes; off: volumes are shown as the host binds them.
    pub persistent_volumes: Synced,
    /// Storage classes that the tenant makes; those of the host are shown by `fromHost`.
    pub storage_classes: Synced,
    /// Snapshots of claims.
    pub volume_snapshots: Synced,
    /// The contents behind snapshots.
    pub volume_snapshot_contents: Synced,
    /// Ingresses.
    pub ingresses: Synced,
    /// The Gateway API.
    pub gateway_api: GatewayApi,
    /// Network policies.
    pub network_policies: Synced,
    /// Pod disruption budgets.
    pub pod_disruption_budgets: Synced,
    /// Priority classes that the tenant makes.
    pub priority_classes: Synced,
    /// Service accounts: pods run as theirs, not as the workload account.
    pub service_accounts: Synced,
    /// Namespaces.
    pub namespaces: Namespaces,
    /// Claims of devices.
    pub resource_claims: Synced,
    /// Templates of claims of devices.
    pub resource_claim_templates: Synced,
    /// Custom resources, by `plural.group[/version]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_resources: BTreeMap<String, ToHostCustomResource>,
}

impl Default for ToHost {
    fn default() -> Self {
        let off = Synced::default();
        Self {
            pods: Pods::default(),
            services: Synced::ON,
            endpoints: Synced::ON,
            endpoint_slices: Synced::ON,
            config_maps: ReferencedOrAll::default(),
            secrets: ReferencedOrAll::default(),
            persistent_volume_claims: Synced::ON,
            persistent_volumes: off.clone(),
            storage_classes: off.clone(),
            volume_snapshots: off.clone(),
            volume_snapshot_contents: off.clone(),
            ingresses: off.clone(),
            gateway_api: GatewayApi::default(),
            network_policies: off.clone(),
            pod_disruption_budgets: off.clone(),
            priority_classes: off.clone(),
            service_accounts: off.clone(),
            namespaces: Namespaces::default(),
            resource_claims: off.clone(),
            resource_claim_templates: off,
            custom_resources: BTreeMap::new(),
        }
    }
}

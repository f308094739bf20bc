//! `sync.fromHost`: from the host to the virtual cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    FromHostCustomResource, FromHostGateways, Mapped, Nodes, Selected, SelectedAuto, Synced, SyncedAuto,
};

/// `sync.fromHost`. The defaults are vCluster's, except that `auto` shows storage classes unless the tenant's own are
/// synced: a claim without a class to name would be of little use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FromHost {
    /// Events of synced objects.
    #[serde(deserialize_with = "Synced::on_unless_said")]
    pub events: Synced,
    /// Nodes.
    pub nodes: Nodes,
    /// Storage classes.
    pub storage_classes: SelectedAuto,
    /// Ingress classes.
    pub ingress_classes: Selected,
    /// Runtime classes.
    pub runtime_classes: Selected,
    /// Priority classes.
    pub priority_classes: Selected,
    /// Gateway classes.
    pub gateway_classes: Selected,
    /// Gateways.
    pub gateways: FromHostGateways,
    /// CSI nodes.
    pub csi_nodes: SyncedAuto,
    /// CSI drivers.
    pub csi_drivers: SyncedAuto,
    /// CSI storage capacities.
    pub csi_storage_capacities: SyncedAuto,
    /// Classes of volume snapshots.
    pub volume_snapshot_classes: Synced,
    /// Classes of devices.
    pub device_classes: Selected,
    /// Config maps.
    pub config_maps: Mapped,
    /// Secrets.
    pub secrets: Mapped,
    /// Custom resources, by `plural.group[/version]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_resources: BTreeMap<String, FromHostCustomResource>,
}

impl Default for FromHost {
    fn default() -> Self {
        Self {
            events: Synced::ON,
            nodes: Nodes::default(),
            storage_classes: SelectedAuto::default(),
            ingress_classes: Selected::default(),
            runtime_classes: Selected::default(),
            priority_classes: Selected::default(),
            gateway_classes: Selected::default(),
            gateways: FromHostGateways::default(),
            csi_nodes: SyncedAuto::default(),
            csi_drivers: SyncedAuto::default(),
            csi_storage_capacities: SyncedAuto::default(),
            volume_snapshot_classes: Synced::default(),
            device_classes: Selected::default(),
            config_maps: Mapped::default(),
            secrets: Mapped::default(),
            custom_resources: BTreeMap::new(),
        }
    }
}

//! `sync`: what crosses between the virtual cluster and the host.

mod custom_resource;
mod from_host;
mod gateway;
mod kind;
mod mapping;
mod namespaces;
mod nodes;
mod patch;
mod pods;
mod to_host;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::custom_resource::{FromHostCustomResource, Scope, ToHostCustomResource};
pub use self::from_host::FromHost;
pub use self::gateway::{
    AllowedRoutes, AllowedRoutesOverride, FromHostGateways, GatewayApi, GatewayMetadata, GatewaySanitize,
    GatewayStatus, VirtualNamespacePolicy,
};
pub use self::kind::{Mapped, ReferencedOrAll, Selected, SelectedAuto, Synced, SyncedAuto};
pub use self::mapping::Mappings;
pub use self::namespaces::Namespaces;
pub use self::nodes::{NodeSelector, Nodes};
pub use self::patch::{Patch, PatchLabels, PatchReference};
pub use self::pods::{HybridScheduling, Pods};
pub use self::to_host::ToHost;

/// `sync`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sync {
    /// From the virtual cluster to the host.
    pub to_host: ToHost,
    /// From the host to the virtual cluster.
    pub from_host: FromHost,
}

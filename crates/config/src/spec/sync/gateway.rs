//! `sync.toHost.gatewayApi` and `sync.fromHost.gateways`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::yes;
use super::{Mappings, Patch, Synced, SyncedAuto};
use crate::spec::Selector;

/// `sync.toHost.gatewayApi`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewayApi {
    /// Gateways and HTTPRoutes both, and the classes that they need.
    pub enabled: bool,
    /// HTTPRoutes.
    pub http_routes: Synced,
    /// Gateways of the tenant.
    pub gateways: Synced,
    /// TLSRoutes.
    pub tls_routes: Synced,
    /// BackendTLSPolicies.
    #[serde(rename = "backendTLSPolicies")]
    pub backend_tls_policies: Synced,
    /// ReferenceGrants; `auto`: as the routes, and only where namespaces are synced.
    pub reference_grants: SyncedAuto,
    /// Changes to all of these on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

impl GatewayApi {
    /// Whether HTTPRoutes are synced.
    pub const fn syncs_http_routes(&self) -> bool {
        self.enabled || self.http_routes.enabled
    }

    /// Whether the tenant's Gateways are synced.
    pub const fn syncs_gateways(&self) -> bool {
        self.enabled || self.gateways.enabled
    }

    /// Whether anything of the Gateway API is synced.
    pub const fn syncs_any(&self) -> bool {
        self.syncs_http_routes()
            || self.syncs_gateways()
            || self.tls_routes.enabled
            || self.backend_tls_policies.enabled
    }
}

/// `sync.fromHost.gateways`: Gateways of the host that tenants attach routes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FromHostGateways {
    /// Whether they are shown.
    pub enabled: bool,
    /// Which, and where the tenant sees them.
    pub mappings: Mappings,
    /// Which of those; empty: all.
    pub selector: Selector,
    /// Which virtual namespaces may attach routes.
    pub allowed_routes: AllowedRoutes,
    /// What of their status is shown.
    pub status: GatewayStatus,
    /// What of their metadata is shown.
    pub metadata: GatewayMetadata,
    /// What of their spec is hidden.
    pub sanitize: GatewaySanitize,
    /// Changes to them on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

/// `sync.fromHost.gateways.allowedRoutes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AllowedRoutes {
    /// What holds for every Gateway without an override.
    pub default_virtual_namespace_policy: VirtualNamespacePolicy,
    /// What holds for single Gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<AllowedRoutesOverride>,
}

/// One of `sync.fromHost.gateways.allowedRoutes.overrides`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AllowedRoutesOverride {
    /// The Gateway's host namespace.
    pub host_namespace: String,
    /// The Gateway's name on the host.
    pub name: String,
    /// Which virtual namespaces may attach routes to it.
    pub virtual_namespace_policy: VirtualNamespacePolicy,
    /// The host names that routes may ask for; empty: any that the listener has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_hostnames: Vec<String>,
}

/// Which virtual namespaces may attach routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VirtualNamespacePolicy {
    /// `All`, `Same` or `Selector`; empty: `All`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// With `Selector`: the namespaces' labels.
    pub selector: Selector,
}

/// `sync.fromHost.gateways.status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewayStatus {
    /// Whether the addresses are shown.
    pub expose_addresses: bool,
}

/// `sync.fromHost.gateways.metadata`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewayMetadata {
    /// Whether an annotation says which host Gateway it is.
    pub expose_source_gateway: bool,
}

/// `sync.fromHost.gateways.sanitize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewaySanitize {
    /// Whether references to the host's certificates are hidden.
    #[serde(default = "yes")]
    pub certificate_refs: bool,
    /// Whether `spec.infrastructure` is hidden.
    #[serde(default = "yes")]
    pub infrastructure: bool,
}

impl Default for GatewaySanitize {
    fn default() -> Self {
        Self {
            certificate_refs: true,
            infrastructure: true,
        }
    }
}

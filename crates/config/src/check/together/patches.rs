//! `patches` of every kind.

use std::collections::BTreeMap;

use warren_cel::{Environment, Program, Type};

use super::Tell;
use crate::{FromHost, Patch, ToHost, VirtualClusterSpec};

pub(super) fn check(spec: &VirtualClusterSpec, tell: &mut Tell<'_>) {
    for (path, patches) in lists(spec) {
        let mut first = BTreeMap::new();
        for (index, patch) in patches.iter().enumerate() {
            let at = format!("{path}.patches[{index}]");
            one(patch, &at, tell);
            if let Some(other) = first.insert(patch.path.as_str(), index) {
                tell(
                    &format!("{at}.path"),
                    format!("{path}.patches[{other}] has the same path"),
                );
            }
        }
    }
}

fn one(patch: &Patch, at: &str, tell: &mut Tell<'_>) {
    let expression = !patch.expression.is_empty() || !patch.reverse_expression.is_empty();
    let used = [expression, patch.reference.is_some(), patch.labels.is_some()];
    if used.iter().filter(|used| **used).count() != 1 {
        tell(
            at,
            "needs exactly one of expression (or reverseExpression), reference, labels".to_owned(),
        );
    }
    if patch.path.is_empty() {
        tell(&format!("{at}.path"), "must not be empty".to_owned());
    }
    for (field, source) in [
        ("expression", &patch.expression),
        ("reverseExpression", &patch.reverse_expression),
    ] {
        if let Some(why) = uncompilable(source) {
            tell(&format!("{at}.{field}"), why);
        }
    }
}

/// Why an expression is not CEL.
fn uncompilable(source: &str) -> Option<String> {
    if source.is_empty() {
        return None;
    }
    let around = Environment::new()
        .variable("value", Type::Dyn)
        .variable("context", Type::Dyn);
    let error = Program::compile(&around, source).err()?.to_string();
    let why = error.lines().next().unwrap_or_default().to_owned();
    Some(match javascript(source) {
        Some(sign) => format!(
            "{sign:?} is JavaScript; Warren reads CEL, such as value.startsWith(\"a\") ? \"b\" : value"
        ),
        None => format!("is not CEL: {why}"),
    })
}

/// What gives a JavaScript expression away: signs that CEL has not.
fn javascript(source: &str) -> Option<&'static str> {
    let signs = [
        "===",
        "!==",
        "=>",
        "function",
        "`",
        "JSON.",
        "Math.",
        ".slice(",
        ".toLowerCase(",
        ".toUpperCase(",
        ".includes(",
        ".push(",
        "undefined",
        "typeof ",
        "const ",
        "let ",
        "var ",
        "return ",
    ];
    signs.into_iter().find(|sign| source.contains(sign))
}

/// Every list of patches, with the path of its kind.
fn lists(spec: &VirtualClusterSpec) -> Vec<(String, &[Patch])> {
    let (to, from) = (&spec.sync.to_host, &spec.sync.from_host);
    let fixed = to_host(to).into_iter().chain(from_host(from));
    let fixed = fixed.map(|(path, patches)| (format!("sync.{path}"), patches));
    let to = to.custom_resources.iter();
    let to = to.map(|(name, kind)| {
        (
            format!("sync.toHost.customResources[\"{name}\"]"),
            kind.patches.as_slice(),
        )
    });
    let from = from.custom_resources.iter();
    let from = from.map(|(name, kind)| {
        (
            format!("sync.fromHost.customResources[\"{name}\"]"),
            kind.patches.as_slice(),
        )
    });
    fixed.chain(to).chain(from).collect()
}

fn to_host(to: &ToHost) -> [(&'static str, &[Patch]); 25] {
    let gateway = &to.gateway_api;
    [
        ("toHost.pods", &to.pods.patches),
        ("toHost.services", &to.services.patches),
        ("toHost.endpoints", &to.endpoints.patches),
        ("toHost.endpointSlices", &to.endpoint_slices.patches),
        ("toHost.configMaps", &to.config_maps.patches),
        ("toHost.secrets", &to.secrets.patches),
        (
            "toHost.persistentVolumeClaims",
            &to.persistent_volume_claims.patches,
        ),
        ("toHost.persistentVolumes", &to.persistent_volumes.patches),
        ("toHost.storageClasses", &to.storage_classes.patches),
        ("toHost.volumeSnapshots", &to.volume_snapshots.patches),
        (
            "toHost.volumeSnapshotContents",
            &to.volume_snapshot_contents.patches,
        ),
        ("toHost.ingresses", &to.ingresses.patches),
        ("toHost.gatewayApi", &gateway.patches),
        ("toHost.gatewayApi.gateways", &gateway.gateways.patches),
        ("toHost.gatewayApi.httpRoutes", &gateway.http_routes.patches),
        ("toHost.gatewayApi.tlsRoutes", &gateway.tls_routes.patches),
        (
            "toHost.gatewayApi.backendTLSPolicies",
            &gateway.backend_tls_policies.patches,
        ),
        (
            "toHost.gatewayApi.referenceGrants",
            &gateway.reference_grants.patches,
        ),
        ("toHost.networkPolicies", &to.network_policies.patches),
        ("toHost.podDisruptionBudgets", &to.pod_disruption_budgets.patches),
        ("toHost.priorityClasses", &to.priority_classes.patches),
        ("toHost.serviceAccounts", &to.service_accounts.patches),
        ("toHost.namespaces", &to.namespaces.patches),
        ("toHost.resourceClaims", &to.resource_claims.patches),
        (
            "toHost.resourceClaimTemplates",
            &to.resource_claim_templates.patches,
        ),
    ]
}

fn from_host(from: &FromHost) -> [(&'static str, &[Patch]); 15] {
    [
        ("fromHost.events", &from.events.patches),
        ("fromHost.nodes", &from.nodes.patches),
        ("fromHost.storageClasses", &from.storage_classes.patches),
        ("fromHost.ingressClasses", &from.ingress_classes.patches),
        ("fromHost.runtimeClasses", &from.runtime_classes.patches),
        ("fromHost.priorityClasses", &from.priority_classes.patches),
        ("fromHost.gatewayClasses", &from.gateway_classes.patches),
        ("fromHost.gateways", &from.gateways.patches),
        ("fromHost.csiNodes", &from.csi_nodes.patches),
        ("fromHost.csiDrivers", &from.csi_drivers.patches),
        (
            "fromHost.csiStorageCapacities",
            &from.csi_storage_capacities.patches,
        ),
        (
            "fromHost.volumeSnapshotClasses",
            &from.volume_snapshot_classes.patches,
        ),
        ("fromHost.deviceClasses", &from.device_classes.patches),
        ("fromHost.configMaps", &from.config_maps.patches),
        ("fromHost.secrets", &from.secrets.patches),
    ]
}

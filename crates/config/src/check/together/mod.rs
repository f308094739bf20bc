//! What a field cannot say of itself: settings that exclude each other, names and patterns that are none.
//!
//! One function per section; each tells all that it finds. The rules are vCluster's, unless it is said.

mod api_server;
mod mappings;
mod networking;
mod patches;
mod policies;

use warren_apimachinery::name;

use crate::{ExportKubeConfig, FromHost, PodSecurityStandard, Selector, Switch, VirtualClusterSpec};

/// Takes a path and what is wrong there.
pub(super) type Tell<'a> = dyn FnMut(&str, String) + 'a;

/// Tells all that is wrong with a configuration whose fields are right, each by itself.
pub(super) fn check(spec: &VirtualClusterSpec, tell: &mut Tell<'_>) {
    api_server::check(&spec.control_plane.distro.k8s.api_server, tell);
    patches::check(spec, tell);
    mappings::check(spec, tell);
    networking::check(&spec.networking, tell);
    policies::check(&spec.policies, tell);
    export(&spec.export_kube_config, tell);
    pods(spec, tell);
    classes(&spec.sync.from_host, tell);
    exclusive(spec, tell);
}

fn export(export: &ExportKubeConfig, tell: &mut Tell<'_>) {
    let has_secret = !export.secret.name.is_empty() || !export.secret.namespace.is_empty();
    if has_secret && !export.additional_secrets.is_empty() {
        tell(
            "exportKubeConfig.secret",
            "cannot be set together with exportKubeConfig.additionalSecrets".to_owned(),
        );
    }
    let mut server = |path: &str, server: Option<&str>| {
        let server = server.unwrap_or_default();
        let is_url = server.starts_with("https://") || server.starts_with("http://");
        if !server.is_empty() && !is_url {
            tell(
                path,
                format!("{server:?} is no URL that begins with https:// or http://"),
            );
        }
    };
    server("exportKubeConfig.server", export.server.as_deref());
    for (index, secret) in export.additional_secrets.iter().enumerate() {
        let path = format!("exportKubeConfig.additionalSecrets[{index}].server");
        server(&path, secret.server.as_deref());
    }
    for (index, secret) in export.additional_secrets.iter().enumerate() {
        if secret.name.is_empty() && secret.namespace.is_empty() {
            let path = format!("exportKubeConfig.additionalSecrets[{index}]");
            tell(&path, "needs a name, a namespace or both".to_owned());
        }
    }
}

fn pods(spec: &VirtualClusterSpec, tell: &mut Tell<'_>) {
    for (index, text) in spec.sync.to_host.pods.enforce_tolerations.iter().enumerate() {
        if let Some(why) = toleration(text) {
            tell(&format!("sync.toHost.pods.enforceTolerations[{index}]"), why);
        }
    }
    let hybrid = &spec.sync.to_host.pods.hybrid_scheduling;
    if hybrid.enabled && !spec.sync.from_host.nodes.enabled {
        tell(
            "sync.toHost.pods.hybridScheduling.enabled",
            "a scheduler in the virtual cluster needs the nodes: sync.fromHost.nodes.enabled".to_owned(),
        );
    }
}

/// `key[=value][:effect]`, or `*`.
fn toleration(text: &str) -> Option<String> {
    if text == "*" {
        return None;
    }
    let (taint, effect) = text
        .split_once(':')
        .map_or((text, None), |(taint, effect)| (taint, Some(effect)));
    if !matches!(
        effect,
        None | Some("" | "NoSchedule" | "PreferNoSchedule" | "NoExecute")
    ) {
        return Some(format!(
            "{text:?}: the effect is none of NoSchedule, PreferNoSchedule, NoExecute"
        ));
    }
    let (key, value) = taint.split_once('=').unwrap_or((taint, ""));
    let mut wrong = name::qualified_name(key);
    wrong.extend(name::label_value(value));
    (!wrong.is_empty()).then(|| format!("{text:?} is not key[=value][:effect]: {}", wrong.join("; ")))
}

fn classes(from: &FromHost, tell: &mut Tell<'_>) {
    let mut selector = |kind: &str, selector: &Selector| {
        if let Err(why) = selector.compiled() {
            tell(&format!("sync.fromHost.{kind}.selector"), why.to_string());
        }
    };
    selector("storageClasses", &from.storage_classes.selector);
    selector("ingressClasses", &from.ingress_classes.selector);
    selector("runtimeClasses", &from.runtime_classes.selector);
    selector("priorityClasses", &from.priority_classes.selector);
    selector("gatewayClasses", &from.gateway_classes.selector);
    selector("deviceClasses", &from.device_classes.selector);
    selector("gateways", &from.gateways.selector);
}

fn exclusive(spec: &VirtualClusterSpec, tell: &mut Tell<'_>) {
    let (to, from) = (&spec.sync.to_host, &spec.sync.from_host);
    if from.storage_classes.enabled == Switch::On && to.storage_classes.enabled {
        tell(
            "sync.toHost.storageClasses.enabled",
            "storage classes are shown from the host (sync.fromHost.storageClasses) or carried to it, not both".to_owned(),
        );
    }
    if from.priority_classes.enabled && to.priority_classes.enabled {
        tell(
            "sync.toHost.priorityClasses.enabled",
            "priority classes are shown from the host (sync.fromHost.priorityClasses) or carried to it, not both"
                .to_owned(),
        );
    }
    if to.persistent_volumes.enabled && spec.policies.pod_security_standard == PodSecurityStandard::Restricted
    {
        tell(
            "sync.toHost.persistentVolumes.enabled",
            "volumes of the tenant's making are beyond the standard \"restricted\"".to_owned(),
        );
    }
}

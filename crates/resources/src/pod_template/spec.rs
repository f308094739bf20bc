//! Validates a whole pod spec, in upstream's order.

use std::collections::HashMap;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{label, name};

use super::annotations::MIRROR;
use super::{
    claims, containers, env, network, pod_resources, resources, scheduling, security, volumes, windows,
};
use crate::check::{self, Errors};

/// What a pod spec belongs to; a few rules differ.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// A pod with these metadata.
    Pod(&'a Value),
    /// A template.
    Template,
}

impl Of<'_> {
    /// The pod's name; empty when not yet named, and for templates.
    pub(super) fn pod_name(&self) -> &str {
        match self {
            Self::Pod(metadata) => metadata.text("/name"),
            Self::Template => "",
        }
    }

    /// Whether the pod shows a static one of its node.
    fn is_mirror(&self) -> bool {
        matches!(self, Self::Pod(metadata) if !metadata.field("annotations").field(MIRROR).is_null())
    }
}

/// What the parts of a pod spec need to know about the whole.
pub(super) struct Cx<'a> {
    /// Well-formed volumes by name.
    pub(super) volumes: HashMap<&'a str, &'a Value>,
    /// Names in `resourceClaims`.
    pub(super) claims: Vec<&'a str>,
    /// `terminationGracePeriodSeconds`.
    pub(super) grace_period: Option<i64>,
    /// `restartPolicy`.
    pub(super) restart_policy: &'a str,
    /// Whether containers share the host's user namespace.
    pub(super) host_users: bool,
}

/// Checks a pod spec at `path`.
pub(crate) fn pod_spec(errors: &mut Errors, path: &Path, spec: &Value, of: Of<'_>) {
    if spec.int("/terminationGracePeriodSeconds").is_none() {
        errors.push(Error::required(&path.child("terminationGracePeriodSeconds"), ""));
    }
    let volumes = volumes::volumes(errors, &path.child("volumes"), spec.items("/volumes"), of);
    let cx = Cx {
        volumes,
        claims: spec
            .items("/resourceClaims")
            .iter()
            .map(|claim| claim.text("/name"))
            .filter(|name| !name.is_empty())
            .collect(),
        grace_period: spec.int("/terminationGracePeriodSeconds"),
        restart_policy: spec.text("/restartPolicy"),
        host_users: spec.field("hostUsers").as_bool() != Some(false),
    };
    let claims_path = path.child("resourceClaims");
    claims::of_pod(
        errors,
        &claims_path,
        spec.items("/resourceClaims"),
        of.is_mirror(),
    );
    containers::containers(errors, &path.child("containers"), spec.items("/containers"), &cx);
    containers::init_containers(errors, &path.child("initContainers"), spec, &cx);
    containers::ephemeral_containers(errors, &path.child("ephemeralContainers"), spec, &cx);
    pod_resources::validate(errors, &path.child("resources"), spec, &cx);
    network::host_network_ports(errors, path, spec, of);
    check::required_one_of(
        errors,
        &path.child("restartPolicy"),
        cx.restart_policy,
        &["Always", "OnFailure", "Never"],
    );
    check::required_one_of(
        errors,
        &path.child("dnsPolicy"),
        spec.text("/dnsPolicy"),
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    );
    errors.extend(label::validate(
        spec.field("nodeSelector"),
        &path.child("nodeSelector"),
    ));
    security::pod_context(errors, path, spec);
    scheduling::affinity(errors, &path.child("affinity"), spec.field("affinity"));
    network::dns_config(errors, &path.child("dnsConfig"), spec);
    gates(errors, path, spec);
    scheduling::spread(
        errors,
        &path.child("topologySpreadConstraints"),
        spec.items("/topologySpreadConstraints"),
    );
    windows::host_process(errors, path, spec);
    security::host_users(errors, path, spec);
    network::hostname_override(errors, &path.child("hostnameOverride"), spec);
    rest(errors, path, spec);
    security::operating_system(errors, path, spec);
    env::file_volumes(errors, path, spec);
}

/// All containers with their paths, in the order in which upstream visits them.
pub(super) fn every_container<'a>(
    path: &'a Path,
    spec: &'a Value,
) -> impl Iterator<Item = (Path, &'a Value)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |list| {
            let containers = spec.field(list).as_array().into_iter().flatten().enumerate();
            containers.map(move |(at, container)| (path.child(list).index(at), container))
        })
}

fn gates(errors: &mut Errors, path: &Path, spec: &Value) {
    let readiness = path.child("readinessGates");
    for (at, gate) in spec.items("/readinessGates").iter().enumerate() {
        let at = readiness.index(at).child("conditionType");
        check::qualified_name(errors, &at, gate.text("/conditionType"));
    }
    let scheduling = path.child("schedulingGates");
    let mut seen = Vec::new();
    for (at, gate) in spec.items("/schedulingGates").iter().enumerate() {
        let (name, at) = (gate.text("/name"), scheduling.index(at));
        check::qualified_name(errors, &at, name);
        if seen.contains(&name) {
            errors.push(Error::duplicate(&at, name));
        }
        seen.push(name);
    }
}

/// A field that holds a name of something else, checked when set.
fn named(errors: &mut Errors, path: &Path, spec: &Value, field: &str, rule: fn(&str) -> Vec<String>) {
    let value = spec.field(field).as_str().unwrap_or_default();
    if !value.is_empty() {
        check::text(errors, &path.child(field), value, rule(value));
    }
}

fn rest(errors: &mut Errors, path: &Path, spec: &Value) {
    named(errors, path, spec, "serviceAccountName", name::dns1123_subdomain);
    named(errors, path, spec, "nodeName", name::dns1123_subdomain);
    if let Some(seconds) = spec.int("/activeDeadlineSeconds") {
        for message in name::in_range(seconds, 1, i64::from(i32::MAX)) {
            errors.push(Error::invalid(
                &path.child("activeDeadlineSeconds"),
                seconds,
                message,
            ));
        }
    }
    named(errors, path, spec, "hostname", name::dns1123_label);
    named(errors, path, spec, "subdomain", name::dns1123_label);
    scheduling::tolerations(errors, &path.child("tolerations"), spec.items("/tolerations"));
    network::host_aliases(errors, &path.child("hostAliases"), spec.items("/hostAliases"));
    named(errors, path, spec, "priorityClassName", name::dns1123_subdomain);
    if let Some(class) = spec.field("runtimeClassName").as_str() {
        check::dns_subdomain(errors, &path.child("runtimeClassName"), class);
    }
    if let Some(policy) = spec.field("preemptionPolicy").as_str() {
        check::required_one_of(
            errors,
            &path.child("preemptionPolicy"),
            policy,
            &["PreemptLowerPriority", "Never"],
        );
    }
    resources::overhead(errors, &path.child("overhead"), spec.field("overhead"));
}

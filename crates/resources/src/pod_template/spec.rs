//! Validates a whole pod spec, in upstream's order.

use std::collections::HashMap;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{label, name};

use super::{containers, network, resources, scheduling, security, volumes};
use crate::check::{self, Errors};

/// What a pod spec belongs to; a few rules differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of<'a> {
    /// A pod of that name (empty when not yet named).
    Pod(&'a str),
    /// A template.
    Template,
}

/// What the parts of a pod spec need to know about the whole.
pub(super) struct Cx<'a> {
    /// What the spec belongs to.
    pub(super) of: Of<'a>,
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
        of,
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
    resources::pod_claims(
        errors,
        &path.child("resourceClaims"),
        spec.items("/resourceClaims"),
    );
    containers::containers(errors, &path.child("containers"), spec.items("/containers"), &cx);
    containers::init_containers(errors, &path.child("initContainers"), spec, &cx);
    containers::ephemeral_containers(errors, &path.child("ephemeralContainers"), spec, &cx);
    resources::pod_level(errors, &path.child("resources"), spec, &cx);
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
    security::host_users(errors, path, spec);
    names(errors, path, spec);
    rest(errors, path, spec);
    security::operating_system(errors, path, spec);
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

/// Fields that hold a name of something else, each checked when set.
fn names(errors: &mut Errors, path: &Path, spec: &Value) {
    let mut when_set = |field: &str, rule: fn(&str) -> Vec<String>| {
        let value = spec.field(field).as_str().unwrap_or_default();
        if !value.is_empty() {
            check::text(errors, &path.child(field), value, rule(value));
        }
    };
    when_set("serviceAccountName", name::dns1123_subdomain);
    when_set("nodeName", name::dns1123_subdomain);
    when_set("hostname", name::dns1123_label);
    when_set("subdomain", name::dns1123_label);
    when_set("priorityClassName", name::dns1123_subdomain);
    if let Some(class) = spec.field("runtimeClassName").as_str() {
        check::dns_subdomain(errors, &path.child("runtimeClassName"), class);
    }
}

fn rest(errors: &mut Errors, path: &Path, spec: &Value) {
    if let Some(seconds) = spec.int("/activeDeadlineSeconds") {
        for message in name::in_range(seconds, 1, i64::from(i32::MAX)) {
            errors.push(Error::invalid(
                &path.child("activeDeadlineSeconds"),
                seconds,
                message,
            ));
        }
    }
    scheduling::tolerations(errors, &path.child("tolerations"), spec.items("/tolerations"));
    network::host_aliases(errors, &path.child("hostAliases"), spec.items("/hostAliases"));
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

/// The annotations that mean something to a pod.
pub(crate) fn pod_annotations(errors: &mut Errors, path: &Path, metadata: &Value, spec: &Value) {
    let annotations = metadata.field("annotations");
    const MIRROR: &str = "kubernetes.io/config.mirror";
    const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
    if let Some(value) = annotations.field(MIRROR).as_str()
        && spec.text("/nodeName").is_empty()
    {
        errors.push(Error::invalid(
            &path.key(MIRROR),
            value,
            "must set spec.nodeName if mirror pod annotation is set",
        ));
    }
    if let Some(cost) = annotations.field(DELETION_COST).as_str() {
        let is_plain = !cost.starts_with('+') && cost != "-0" && (cost == "0" || !cost.starts_with('0'));
        if !is_plain || cost.parse::<i32>().is_err() {
            errors.push(Error::invalid(
                &path.key(DELETION_COST),
                cost,
                "must be a 32bit integer",
            ));
        }
    }
}

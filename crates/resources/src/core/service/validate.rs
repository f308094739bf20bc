//! What a service may be.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, label};
use warren_registry::reserve::service::validate_cluster_ips;

use super::external_ips::external_ips;
use super::{is_external, is_headless, needs_health_check};
use crate::check::{self, Errors};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const AFFINITY_SECONDS_MAX: i64 = 86_400;
const POLICIES: &[&str] = &["Cluster", "Local"];
const ONLY_LOAD_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";
pub(super) const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
pub(super) const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Checks a service on create, and on update of `old`, whose addresses may stay as they are spelt.
pub(super) fn service(errors: &mut Errors, service: &Value, old: Option<&Value>) {
    topology_mode(errors, service);
    let path = Path::new("spec");
    let kind = service.text("/spec/type");
    let ports = service.items("/spec/ports");
    if ports.is_empty() && !is_headless(service) && kind != "ExternalName" {
        errors.push(Error::required(&path.child("ports"), ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(service) => errors.push(Error::invalid(
            &path.child("clusterIPs").index(0),
            "None",
            format!("may not be set to 'None' for {kind} services"),
        )),
        "ExternalName" => external_name(errors, &path, service),
        _ => {}
    }
    let mut names = HashSet::new();
    for (at, value) in ports.iter().enumerate() {
        let at = path.child("ports").index(at);
        port(errors, &at, value, ports.len() > 1, &mut names);
    }
    errors.extend(label::validate(
        service.at("/spec/selector"),
        &path.child("selector"),
    ));
    affinity(errors, &path, service);
    errors.extend(validate_cluster_ips(service, old));
    external_ips(errors, &path.child("externalIPs"), service, old);
    check::required_one_of(
        errors,
        &path.child("type"),
        kind,
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    unique_ports(errors, &path.child("ports"), kind, ports);
    source_ranges(errors, &path, service, old);
    load_balancer(errors, &path, service);
    traffic(errors, &path, service);
}

/// The older name of an annotation must not say something else.
fn topology_mode(errors: &mut Errors, service: &Value) {
    let annotation = |key: &str| service.at("/metadata/annotations").field(key).as_str();
    if let (Some(mode), Some(hints)) = (annotation(TOPOLOGY_MODE), annotation(TOPOLOGY_HINTS))
        && mode != hints
    {
        errors.push(Error::invalid(
            &Path::new("metadata.annotations").key(TOPOLOGY_MODE),
            mode,
            format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified"),
        ));
    }
}

fn external_name(errors: &mut Errors, path: &Path, service: &Value) {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if !check::same(service.field("spec").field(field), &Value::Null) {
            errors.push(Error::forbidden(
                &path.child(field),
                "may not be set for ExternalName services",
            ));
        }
    }
    let name = service.text("/spec/externalName");
    let name = name.strip_suffix('.').unwrap_or(name);
    let path = path.child("externalName");
    if check::required(errors, &path, name) {
        check::dns_subdomain(errors, &path, name);
    }
}

fn port<'a>(errors: &mut Errors, path: &Path, port: &'a Value, named: bool, names: &mut HashSet<&'a str>) {
    let port_name = port.text("/name");
    if !port_name.is_empty() {
        check::dns_label(errors, &path.child("name"), port_name);
        if !names.insert(port_name) {
            errors.push(Error::duplicate(&path.child("name"), port_name));
        }
    } else if named {
        errors.push(Error::required(&path.child("name"), ""));
    }
    check::port_number(errors, &path.child("port"), port.int("/port").unwrap_or_default());
    check::required_one_of(errors, &path.child("protocol"), port.text("/protocol"), PROTOCOLS);
    check::port_number_or_name(errors, &path.child("targetPort"), port.field("targetPort"));
    if let Some(protocol) = port.field("appProtocol").as_str() {
        check::qualified_name(errors, &path.child("appProtocol"), protocol);
    }
}

fn affinity(errors: &mut Errors, path: &Path, service: &Value) {
    let affinity = service.text("/spec/sessionAffinity");
    check::required_one_of(
        errors,
        &path.child("sessionAffinity"),
        affinity,
        &["ClientIP", "None"],
    );
    let config = service.at("/spec/sessionAffinityConfig");
    let path = path.child("sessionAffinityConfig");
    if affinity == "None" && !config.is_null() {
        errors.push(Error::forbidden(
            &path,
            "must not be set when session affinity is None",
        ));
    }
    if affinity == "ClientIP"
        && let Some(seconds) = config.int("/clientIP/timeoutSeconds")
        && !(1..=AFFINITY_SECONDS_MAX).contains(&seconds)
    {
        errors.push(Error::invalid(
            &path.child("clientIP.timeoutSeconds"),
            seconds,
            format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}"),
        ));
    }
}

fn unique_ports(errors: &mut Errors, path: &Path, kind: &str, ports: &[Value]) {
    let int = |port: &Value, field: &str| port.field(field).as_i64().unwrap_or_default();
    let exposed = || {
        let ports = ports.iter().enumerate();
        ports.filter(|(_, port)| int(port, "nodePort") != 0)
    };
    if kind == "ClusterIP" {
        errors.extend(exposed().map(|(at, _)| {
            Error::forbidden(
                &path.index(at).child("nodePort"),
                "may not be used when `type` is 'ClusterIP'",
            )
        }));
    }
    let mut seen = HashSet::new();
    for (at, port) in exposed() {
        let number = int(port, "nodePort");
        if !seen.insert((port.text("/protocol"), number)) {
            errors.push(Error::duplicate(&path.index(at).child("nodePort"), number));
        }
    }
    let mut seen = HashSet::new();
    for (at, port) in ports.iter().enumerate() {
        let (protocol, number) = (port.text("/protocol"), int(port, "port"));
        if !seen.insert((protocol, number)) {
            // As Go prints the struct that upstream compares.
            let key = format!(
                r#"{{"Name":"","Protocol":"{protocol}","AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#
            );
            errors.push(Error::duplicate(&path.index(at), Value::Null).shown_as(key));
        }
    }
}

fn source_ranges(errors: &mut Errors, path: &Path, service: &Value, old: Option<&Value>) {
    let is_balanced = service.text("/spec/type") == "LoadBalancer";
    let ranges = service.items("/spec/loadBalancerSourceRanges");
    let annotation = service.at("/metadata/annotations").field(SOURCE_RANGES).as_str();
    if !ranges.is_empty() {
        let path = path.child("LoadBalancerSourceRanges");
        if !is_balanced {
            errors.push(Error::forbidden(&path, ONLY_LOAD_BALANCER));
        }
        let trimmed = |range: &Value| range.as_str().unwrap_or_default().trim().to_owned();
        let before: Vec<String> = old
            .map_or(&[][..], |old| old.items("/spec/loadBalancerSourceRanges"))
            .iter()
            .map(trimmed)
            .collect();
        for (at, range) in ranges.iter().map(trimmed).enumerate() {
            let wrong = address::cidr(&range).filter(|_| !before.contains(&range));
            check::text(errors, &path.index(at), &range, wrong);
        }
    } else if let Some(annotation) = annotation {
        let path = Path::new("metadata.annotations").key(SOURCE_RANGES);
        if !is_balanced {
            errors.push(Error::forbidden(&path, ONLY_LOAD_BALANCER));
        }
        let before = old.map_or(&Value::Null, |old| {
            old.at("/metadata/annotations").field(SOURCE_RANGES)
        });
        if annotation.trim().is_empty() || before.as_str() == Some(annotation) {
            return;
        }
        for range in annotation.split(',').map(str::trim) {
            check::text(errors, &path, range, address::cidr(range));
        }
    }
}

fn load_balancer(errors: &mut Errors, path: &Path, service: &Value) {
    let is_balanced = service.text("/spec/type") == "LoadBalancer";
    if !is_balanced && !service.at("/spec/allocateLoadBalancerNodePorts").is_null() {
        errors.push(Error::forbidden(
            &path.child("allocateLoadBalancerNodePorts"),
            ONLY_LOAD_BALANCER,
        ));
    }
    if let Some(class) = service.at("/spec/loadBalancerClass").as_str() {
        let path = path.child("loadBalancerClass");
        if is_balanced {
            check::qualified_name(errors, &path, class);
        } else {
            errors.push(Error::forbidden(&path, ONLY_LOAD_BALANCER));
        }
    }
}

fn traffic(errors: &mut Errors, path: &Path, service: &Value) {
    let external = service.text("/spec/externalTrafficPolicy");
    let external_path = path.child("externalTrafficPolicy");
    if is_external(service) {
        check::required_one_of(errors, &external_path, external, POLICIES);
    } else if !external.is_empty() {
        errors.push(Error::invalid(
            &external_path,
            external,
            "may only be set for externally-accessible services",
        ));
    }
    let health = service.int("/spec/healthCheckNodePort").unwrap_or_default();
    let health_path = path.child("healthCheckNodePort");
    if health != 0 && needs_health_check(service) {
        // A missing one is reserved before this, or by the host after it.
        check::port_number(errors, &health_path, health);
    } else if health != 0 {
        errors.push(Error::invalid(
            &health_path,
            health,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ));
    }
    match service.at("/spec/internalTrafficPolicy").as_str() {
        None if matches!(
            service.text("/spec/type"),
            "ClusterIP" | "NodePort" | "LoadBalancer"
        ) =>
        {
            errors.push(Error::required(&path.child("internalTrafficPolicy"), ""));
        }
        None => {}
        Some(policy) => check::one_of(errors, &path.child("internalTrafficPolicy"), policy, POLICIES),
    }
    if let Some(distribution) = service.at("/spec/trafficDistribution").as_str() {
        check::one_of(
            errors,
            &path.child("trafficDistribution"),
            distribution,
            &["PreferClose", "PreferSameZone", "PreferSameNode"],
        );
    }
}

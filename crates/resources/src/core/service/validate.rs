//! What a service may be, and become.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{label, name};

use super::{is_external, is_headless, needs_cluster_ip, needs_health_check};
use crate::check::{self, Errors};

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const AFFINITY_SECONDS_MAX: i64 = 86_400;
const POLICIES: &[&str] = &["Cluster", "Local"];
const ONLY_LOAD_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// Checks a service on create and on update.
pub(super) fn service(errors: &mut Errors, service: &Value) {
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
    cluster_ips(errors, &path, service);
    external_ips(errors, &path.child("externalIPs"), service);
    check::required_one_of(
        errors,
        &path.child("type"),
        kind,
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    unique_ports(errors, &path.child("ports"), kind, ports);
    source_ranges(errors, &path, service);
    load_balancer(errors, &path, service);
    traffic(errors, &path, service);
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

/// `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` among each other.
fn cluster_ips(errors: &mut Errors, path: &Path, service: &Value) {
    if service.text("/spec/type") == "ExternalName" {
        return;
    }
    let ips_path = path.child("clusterIPs");
    let (ip, ips) = (service.text("/spec/clusterIP"), service.items("/spec/clusterIPs"));
    match (ip, ips.first().and_then(Value::as_str)) {
        ("", None) => {}
        ("", Some(_)) => errors.push(Error::invalid(
            &ips_path,
            ips.to_vec(),
            "must be empty when `clusterIP` is not specified",
        )),
        (_, None) => errors.push(Error::required(&ips_path, "")),
        (ip, Some(first)) if ip != first => errors.push(Error::invalid(
            &ips_path,
            ips.to_vec(),
            "first value must match `clusterIP`",
        )),
        _ => {}
    }
    families(errors, path, service);
    let before = errors.len();
    for (at, ip) in ips.iter().enumerate() {
        let ip = ip.as_str().unwrap_or_default();
        if at == 0 && ip == "None" {
            if ips.len() > 1 {
                errors.push(Error::invalid(
                    &ips_path,
                    ips.to_vec(),
                    "'None' must be the first and only value",
                ));
            }
        } else {
            check::ip(errors, &ips_path.index(at), ip);
        }
    }
    if errors.len() > before {
        return;
    }
    if ips.len() > 2 {
        errors.push(Error::invalid(
            &ips_path,
            ips.to_vec(),
            "may only hold up to 2 values",
        ));
    }
    let is_v6 = |ip: &Value| ip.as_str().unwrap_or_default().contains(':');
    if let [first, second, ..] = ips
        && is_v6(first) == is_v6(second)
    {
        errors.push(Error::invalid(
            &ips_path,
            ips.to_vec(),
            "may specify no more than one IP for each IP family",
        ));
    }
    if is_headless(service) {
        return;
    }
    for (at, (ip, family)) in ips.iter().zip(service.items("/spec/ipFamilies")).enumerate() {
        let family = family.as_str().unwrap_or_default();
        if matches!((family, is_v6(ip)), ("IPv4", true) | ("IPv6", false)) {
            errors.push(Error::invalid(
                &ips_path.index(at),
                ip.clone(),
                format!("expected an {family} value as indicated by `ipFamilies[{at}]`"),
            ));
        }
    }
}

fn families(errors: &mut Errors, path: &Path, service: &Value) {
    let mut seen = HashSet::new();
    for (at, family) in service.items("/spec/ipFamilies").iter().enumerate() {
        let (family, at) = (
            family.as_str().unwrap_or_default(),
            path.child("ipFamilies").index(at),
        );
        check::one_of(errors, &at, family, &["IPv4", "IPv6"]);
        if !seen.insert(family) {
            errors.push(Error::duplicate(&at, family));
        }
    }
    if let Some(policy) = service.at("/spec/ipFamilyPolicy").as_str() {
        check::one_of(
            errors,
            &path.child("ipFamilyPolicy"),
            policy,
            &["PreferDualStack", "RequireDualStack", "SingleStack"],
        );
    }
}

fn external_ips(errors: &mut Errors, path: &Path, service: &Value) {
    for (at, ip) in service.items("/spec/externalIPs").iter().enumerate() {
        let (ip, at) = (ip.as_str().unwrap_or_default(), path.index(at));
        if name::ip(ip).is_empty() {
            non_special_ip(errors, &at, ip);
        } else {
            check::ip(errors, &at, ip);
        }
    }
}

/// An address that means the same everywhere; for endpoints and external IPs.
pub(crate) fn non_special_ip(errors: &mut Errors, path: &Path, text: &str) {
    let Ok(ip) = text.parse::<IpAddr>() else {
        errors.push(Error::invalid(path, text, "must be a valid IP address"));
        return;
    };
    let (link_local, link_local_multicast) = match ip {
        IpAddr::V4(ip) => {
            let multicast = matches!(ip.octets(), [224, 0, 0, _]);
            (ip.is_link_local(), multicast)
        }
        IpAddr::V6(ip) => {
            let head = ip.segments().first().copied().unwrap_or_default();
            (head & 0xffc0 == 0xfe80, head & 0xff0f == 0xff02)
        }
    };
    let problem = if ip.is_unspecified() {
        format!("may not be unspecified ({text})")
    } else if ip.is_loopback() {
        "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()
    } else if link_local {
        "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()
    } else if link_local_multicast {
        "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned()
    } else {
        return;
    };
    errors.push(Error::invalid(path, text, problem));
}

fn unique_ports(errors: &mut Errors, path: &Path, kind: &str, ports: &[Value]) {
    let (mut node_ports, mut numbers) = (HashSet::new(), HashSet::new());
    for (at, port) in ports.iter().enumerate() {
        let at = path.index(at);
        let node_port = port.int("/nodePort").unwrap_or_default();
        if node_port == 0 {
            continue;
        }
        if kind == "ClusterIP" {
            errors.push(Error::forbidden(
                &at.child("nodePort"),
                "may not be used when `type` is 'ClusterIP'",
            ));
        }
        if !node_ports.insert((port.text("/protocol"), node_port)) {
            errors.push(Error::duplicate(&at.child("nodePort"), node_port));
        }
    }
    for (at, port) in ports.iter().enumerate() {
        let (protocol, number) = (port.text("/protocol"), port.int("/port").unwrap_or_default());
        if !numbers.insert((protocol, number)) {
            // As Go prints the struct that upstream compares.
            let key = json!({"Name": "", "Protocol": protocol, "AppProtocol": null, "Port": number,
                "TargetPort": 0, "NodePort": 0});
            errors.push(Error::duplicate(&path.index(at), key));
        }
    }
}

fn source_ranges(errors: &mut Errors, path: &Path, service: &Value) {
    let is_balanced = service.text("/spec/type") == "LoadBalancer";
    let ranges = service.items("/spec/loadBalancerSourceRanges");
    let annotation = service.at("/metadata/annotations").field(SOURCE_RANGES).as_str();
    if !ranges.is_empty() {
        let path = path.child("LoadBalancerSourceRanges");
        if !is_balanced {
            errors.push(Error::forbidden(&path, ONLY_LOAD_BALANCER));
        }
        for (at, range) in ranges.iter().enumerate() {
            let range = range.as_str().unwrap_or_default().trim();
            check::text(errors, &path.index(at), range, name::cidr(range));
        }
    } else if let Some(annotation) = annotation {
        let path = Path::new("metadata.annotations").key(SOURCE_RANGES);
        if !is_balanced {
            errors.push(Error::forbidden(&path, ONLY_LOAD_BALANCER));
        }
        for range in annotation.trim().split(',').filter(|range| !range.is_empty()) {
            check::text(errors, &path, range.trim(), name::cidr(range.trim()));
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
    // A missing health check port is reserved after this, so that only a port too many is wrong here.
    let health = service.int("/spec/healthCheckNodePort").unwrap_or_default();
    if health != 0 {
        let path = path.child("healthCheckNodePort");
        if needs_health_check(service) {
            check::port_number(errors, &path, health);
        } else {
            errors.push(Error::invalid(
                &path,
                health,
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
            ));
        }
    }
    match service.at("/spec/internalTrafficPolicy").as_str() {
        None if needs_cluster_ip(service) => {
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
            &["PreferClose", "PreferSameNode", "PreferSameZone"],
        );
    }
}

/// What an update may not change. Runs beside `service` on the new one.
pub(super) fn update(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::new("spec");
    let named = |service: &Value| service.text("/spec/type") == "ExternalName";
    if !named(new) && !named(old) {
        if !(is_headless(new) && is_headless(old)) {
            addresses_kept(errors, &path, new, old, "clusterIPs");
        }
        if !is_headless(new) && !is_headless(old) {
            addresses_kept(errors, &path, new, old, "ipFamilies");
        }
    }
    let balanced = |service: &Value| service.text("/spec/type") == "LoadBalancer";
    let class = |service: &Value| service.at("/spec/loadBalancerClass").clone();
    if balanced(new) && balanced(old) && class(new) != class(old) {
        errors.push(Error::invalid(
            &path.child("loadBalancerClass"),
            class(new),
            "may not change once set",
        ));
    }
    let health = |service: &Value| service.int("/spec/healthCheckNodePort").unwrap_or_default();
    if needs_health_check(new) && needs_health_check(old) && health(new) != health(old) {
        errors.push(Error::forbidden(
            &path.child("healthCheckNodePort"),
            "field is immutable",
        ));
    }
}

/// The primary address or family stays; a secondary one may come and go.
fn addresses_kept(errors: &mut Errors, path: &Path, new: &Value, old: &Value, field: &str) {
    let list = |service: &Value| {
        service
            .field("spec")
            .field(field)
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let (now, was) = (list(new), list(old));
    let field_path = path.child(field);
    let mut changed = |at: usize| {
        errors.push(Error::invalid(
            &field_path.index(at),
            now.clone(),
            "may not change once set",
        ));
    };
    if now.len() == was.len() {
        for (at, (now, was)) in now.iter().zip(&was).enumerate() {
            if now != was {
                changed(if field == "ipFamilies" { 0 } else { at });
            }
        }
        return;
    }
    if let (Some(now), Some(was)) = (now.first(), was.first())
        && now != was
    {
        changed(0);
    }
    if now.len() > was.len() {
        return;
    }
    let what = if field == "clusterIPs" {
        "clusterIP"
    } else {
        "ipFamily"
    };
    if now.is_empty() {
        errors.push(Error::invalid(
            &field_path.index(0),
            Value::Null,
            format!("primary {what} can not be unset"),
        ));
    }
    if now.len() == 1 && new.text("/spec/ipFamilyPolicy") != "SingleStack" {
        errors.push(Error::invalid(
            &path.child("ipFamilyPolicy"),
            new.at("/spec/ipFamilyPolicy").clone(),
            format!("must be set to 'SingleStack' when releasing the secondary {what}"),
        ));
    }
}

/// Checks `status.loadBalancer`.
pub(super) fn load_balancer_status(errors: &mut Errors, service: &Value) {
    let path = Path::new("status.loadBalancer.ingress");
    let ingress = service.items("/status/loadBalancer/ingress");
    if !ingress.is_empty() && service.text("/spec/type") != "LoadBalancer" {
        errors.push(Error::forbidden(
            &path,
            "may only be used when `spec.type` is 'LoadBalancer'",
        ));
        return;
    }
    for (at, ingress) in ingress.iter().enumerate() {
        let at = path.index(at);
        let (ip, mode) = (ingress.text("/ip"), ingress.field("ipMode").as_str());
        if !ip.is_empty() {
            check::ip(errors, &at.child("ip"), ip);
        }
        match mode {
            Some(_) if ip.is_empty() => errors.push(Error::forbidden(
                &at.child("ipMode"),
                "may not be specified when `ip` is not set",
            )),
            Some(mode) => check::one_of(errors, &at.child("ipMode"), mode, &["Proxy", "VIP"]),
            None => {}
        }
        let host = ingress.text("/hostname");
        if !host.is_empty() {
            check::dns_subdomain(errors, &at.child("hostname"), host);
            if name::ip(host).is_empty() {
                errors.push(Error::invalid(
                    &at.child("hostname"),
                    host,
                    "must be a DNS name, not an IP address",
                ));
            }
        }
    }
}

/// What upstream warns about in a service.
pub(super) fn warnings(service: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let annotations = service.at("/metadata/annotations");
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    if !annotations.field(HINTS).is_null() {
        warnings.push(format!(
            "metadata.annotations[{HINTS}]: please use `service.kubernetes.io/topology-mode` instead"
        ));
    }
    if service.text("/spec/type") == "ExternalName" && !service.items("/spec/externalIPs").is_empty() {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if service.text("/spec/type") != "LoadBalancer" && !service.text("/spec/loadBalancerIP").is_empty() {
        warnings.push(format!(
            "spec.loadBalancerIP is ignored when spec.type is {:?}",
            service.text("/spec/type")
        ));
    }
    if is_headless(service) && service.text("/spec/sessionAffinity") == "ClientIP" {
        warnings.push("spec.SessionAffinity is ignored for headless services".to_owned());
    }
    warnings
}

//! `networking`.

use warren_apimachinery::{address, name};

use super::Tell;
use crate::{Networking, ResolveDns, ServiceMapping};

pub(super) fn check(networking: &Networking, tell: &mut Tell<'_>) {
    let wrong = name::dns1123_subdomain(&networking.advanced.cluster_domain);
    if let Some(why) = wrong.into_iter().next() {
        tell("networking.advanced.clusterDomain", why);
    }
    for (index, rule) in networking.resolve_dns.iter().enumerate() {
        resolve(rule, &format!("networking.resolveDNS[{index}]"), tell);
    }
    let services = &networking.replicate_services;
    for (list, mappings) in [("toHost", &services.to_host), ("fromHost", &services.from_host)] {
        for (index, mapping) in mappings.iter().enumerate() {
            let at = format!("networking.replicateServices.{list}[{index}]");
            service(mapping, &at, tell);
            direction(mapping, list == "toHost", &at, tell);
        }
    }
}

/// Names of the virtual cluster need their namespace; the host's is its own one, and nothing is offered elsewhere.
fn direction(mapping: &ServiceMapping, is_to_host: bool, at: &str, tell: &mut Tell<'_>) {
    let has_namespace = |text: &str| text.contains('/');
    let virtual_side = if is_to_host {
        ("from", &mapping.from)
    } else {
        ("to", &mapping.to)
    };
    if !has_namespace(virtual_side.1) {
        tell(
            &format!("{at}.{}", virtual_side.0),
            "needs the form NAMESPACE/NAME".to_owned(),
        );
    }
    if is_to_host && has_namespace(&mapping.to) {
        let why = "must be a name alone: services are offered in the virtual cluster's own host namespace";
        tell(&format!("{at}.to"), why.to_owned());
    }
}

fn service(mapping: &ServiceMapping, at: &str, tell: &mut Tell<'_>) {
    for (field, text) in [("from", &mapping.from), ("to", &mapping.to)] {
        let is_name = |part: &str| name::dns1123_label(part).is_empty();
        if !text.split('/').all(is_name) || text.split('/').count() > 2 {
            tell(
                &format!("{at}.{field}"),
                format!("{text:?} is not NAME or NAMESPACE/NAME"),
            );
        }
    }
}

fn resolve(rule: &ResolveDns, at: &str, tell: &mut Tell<'_>) {
    let target = &rule.target;
    let set = |fields: &[&String]| fields.iter().filter(|field| !field.is_empty()).count();
    if set(&[&rule.hostname, &rule.service, &rule.namespace]) != 1 {
        tell(at, "needs exactly one of hostname, service, namespace".to_owned());
    }
    let targets = [
        &target.hostname,
        &target.ip,
        &target.host_service,
        &target.host_namespace,
        &target.v_cluster_service,
    ];
    if set(&targets) != 1 {
        let why = "needs exactly one of hostname, ip, hostService, hostNamespace, vClusterService";
        tell(&format!("{at}.target"), why.to_owned());
    }
    if !rule.namespace.is_empty() && target.host_namespace.is_empty() {
        tell(
            &format!("{at}.target"),
            "a namespace resolves to a hostNamespace".to_owned(),
        );
    }
    if rule.namespace.is_empty() && !target.host_namespace.is_empty() {
        tell(
            &format!("{at}.target.hostNamespace"),
            "only a namespace resolves to a hostNamespace".to_owned(),
        );
    }
    if !target.ip.is_empty() && address::parse_ip(&target.ip).is_none() {
        tell(
            &format!("{at}.target.ip"),
            format!("{:?} is no address", target.ip),
        );
    }
    if !rule.service.is_empty() && rule.service.split('/').count() != 2 {
        tell(
            &format!("{at}.service"),
            format!("{:?} is not NAMESPACE/NAME", rule.service),
        );
    }
}

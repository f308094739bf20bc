//! `mappings.byName`, and the names of custom resources.

use std::collections::{BTreeMap, BTreeSet};

use warren_apimachinery::name;

use super::Tell;
use crate::{FromHostCustomResource, Mappings, Namespaces, Scope, VirtualClusterSpec};

/// The longest text before the `*` of a pattern of namespaces.
const LONGEST_PREFIX: usize = 32;
const CLUSTER: &str = "${name}";

pub(super) fn check(spec: &VirtualClusterSpec, tell: &mut Tell<'_>) {
    let (to, from) = (&spec.sync.to_host, &spec.sync.from_host);
    for (kind, is_on, mappings) in [
        ("configMaps", from.config_maps.enabled, &from.config_maps.mappings),
        ("secrets", from.secrets.enabled, &from.secrets.mappings),
        ("gateways", from.gateways.enabled, &from.gateways.mappings),
    ] {
        if is_on {
            objects(&format!("sync.fromHost.{kind}.mappings.byName"), mappings, tell);
        }
    }
    for (name, kind) in &from.custom_resources {
        custom_resource(
            &format!("sync.fromHost.customResources[\"{name}\"]"),
            name,
            kind,
            tell,
        );
    }
    for name in to.custom_resources.keys() {
        plural(&format!("sync.toHost.customResources[\"{name}\"]"), name, tell);
    }
    namespaces(&to.namespaces, tell);
}

fn custom_resource(path: &str, name: &str, kind: &FromHostCustomResource, tell: &mut Tell<'_>) {
    plural(path, name, tell);
    if !kind.enabled {
        return;
    }
    match kind.scope {
        Scope::Namespaced => objects(&format!("{path}.mappings.byName"), &kind.mappings, tell),
        Scope::Cluster if !kind.mappings.by_name.is_empty() => {
            tell(
                &format!("{path}.mappings.byName"),
                "only objects in namespaces are mapped".to_owned(),
            );
        }
        Scope::Cluster => {}
    }
}

/// `plural.group[/version]`.
fn plural(path: &str, name: &str, tell: &mut Tell<'_>) {
    let resource = name.split('/').next().unwrap_or_default();
    if !resource.contains('.') || !name::dns1123_subdomain(resource).is_empty() {
        tell(
            path,
            "must be called plural.group or plural.group/version, as its CustomResourceDefinition".to_owned(),
        );
    }
}

/// `namespace/name`, `namespace/*`, `/name` or nothing, to the same or a namespace.
fn objects(path: &str, mappings: &Mappings, tell: &mut Tell<'_>) {
    if mappings.by_name.is_empty() {
        tell(
            path,
            "must name what to show, such as \"host-namespace/*\": \"virtual-namespace/*\"".to_owned(),
        );
    }
    let mut targets = BTreeMap::new();
    for (host, shown) in &mappings.by_name {
        let at = format!("{path}[\"{host}\"]");
        let (host_namespace, host_name) = host.split_once('/').unwrap_or(("", host));
        let (namespace, object) = match shown.split_once('/') {
            Some(parts) => parts,
            None if host.is_empty() => (shown.as_str(), "*"),
            None => (shown.as_str(), ""),
        };
        let is_all = host.is_empty() || host_name == "*";
        let is_named = host.is_empty() || host.contains('/');
        let forms = is_named && is_all == (object == "*") && !object.is_empty();
        let names = [host_name, object]
            .into_iter()
            .filter(|name| !matches!(*name, "" | "*"));
        let wrong = names.flat_map(name::dns1123_subdomain);
        let namespaces = [host_namespace, namespace]
            .into_iter()
            .filter(|name| !name.is_empty());
        let wrong: Vec<_> = wrong.chain(namespaces.flat_map(name::dns1123_label)).collect();
        if !forms || namespace.is_empty() {
            let why = "must lead from NAMESPACE/NAME, NAMESPACE/*, /NAME or \"\" to NAMESPACE/NAME or, for all, NAMESPACE/*";
            tell(&at, why.to_owned());
        } else if let Some(why) = wrong.into_iter().next() {
            tell(&at, why);
        } else if let Some(other) = targets.insert((namespace, object), host) {
            tell(&at, format!("leads to the same as {other:?}"));
        }
    }
}

/// Names to names, or patterns with one `*` at the end to such patterns.
fn namespaces(namespaces: &Namespaces, tell: &mut Tell<'_>) {
    if !namespaces.enabled {
        return;
    }
    let mut hosts = BTreeSet::new();
    for (shown, host) in &namespaces.mappings.by_name {
        let at = format!("sync.toHost.namespaces.mappings.byName[\"{shown}\"]");
        let wrong = namespace(shown).or_else(|| namespace(host));
        if let Some(why) = wrong {
            tell(&at, why);
        } else if shown.contains('*') != host.contains('*') {
            tell(&at, "a pattern with * must lead to a pattern with *".to_owned());
        } else if host.starts_with('*') {
            tell(
                &at,
                format!("{host:?}: the host's pattern must have something before the *"),
            );
        } else if !hosts.insert(host) {
            tell(&at, format!("{host:?} stands there twice"));
        }
    }
}

fn namespace(text: &str) -> Option<String> {
    let plain = text.replacen(CLUSTER, "x", 1);
    if plain.contains("${") {
        return Some(format!("{text:?}: only one {CLUSTER} may stand in it"));
    }
    let wrong = match plain.split_once('*') {
        Some(("", "")) => return None,
        Some((prefix, "")) if prefix.len() <= LONGEST_PREFIX => name::dns1123_label(&format!("{prefix}x")),
        Some((_, "")) => {
            return Some(format!(
                "{text:?}: at most {LONGEST_PREFIX} characters may stand before the *"
            ));
        }
        Some(_) => return Some(format!("{text:?}: the only * must stand at the end")),
        None => name::dns1123_label(&plain),
    };
    wrong.into_iter().next().map(|why| format!("{text:?}: {why}"))
}

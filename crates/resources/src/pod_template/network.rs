//! DNS, host aliases and the host's network.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::spec::Of;
use crate::check::{self, Errors};

/// libc's limits on name resolution.
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARACTERS_MAX: usize = 2048;
/// What the kernel holds of a host's name.
const HOSTNAME_MAX: usize = 64;

/// With the host's network a container's port is the host's port.
pub(super) fn host_network_ports(errors: &mut Errors, path: &Path, spec: &Value, of: Of<'_>) {
    if spec.field("hostNetwork").as_bool() != Some(true) {
        return;
    }
    let path = path.child("containers");
    for (at, container) in spec.items("/containers").iter().enumerate() {
        let path = path.index(at).child("ports");
        for (at, port) in container.items("/ports").iter().enumerate() {
            let host = port.int("/hostPort").unwrap_or_default();
            let checked = matches!(of, Of::Pod(_)) || host != 0;
            if checked && Some(host) != port.int("/containerPort") {
                errors.push(Error::invalid(
                    &path.index(at).child("hostPort"),
                    host,
                    "must match `containerPort` when `hostNetwork` is true",
                ));
            }
        }
    }
}

/// Checks `dnsConfig`.
pub(super) fn dns_config(errors: &mut Errors, path: &Path, spec: &Value) {
    let config = spec.field("dnsConfig");
    let nameservers = config.items("/nameservers");
    if spec.text("/dnsPolicy") == "None" {
        if config.is_null() {
            errors.push(Error::required(
                path,
                "must provide `dnsConfig` when `dnsPolicy` is None",
            ));
            return;
        }
        if nameservers.is_empty() {
            errors.push(Error::required(
                &path.child("nameservers"),
                "must provide at least one DNS nameserver when `dnsPolicy` is None",
            ));
            return;
        }
    }
    if nameservers.len() > NAMESERVERS_MAX {
        errors.push(Error::invalid(
            &path.child("nameservers"),
            nameservers.to_vec(),
            format!("must not have more than {NAMESERVERS_MAX} nameservers"),
        ));
    }
    for (at, server) in nameservers.iter().enumerate() {
        let at = path.child("nameservers").index(at);
        check::ip(errors, &at, server.as_str().unwrap_or_default());
    }
    searches(errors, &path.child("searches"), config.items("/searches"));
    for (at, option) in config.items("/options").iter().enumerate() {
        if option.text("/name").is_empty() {
            errors.push(Error::required(
                &path.child("options").index(at),
                "must not be empty",
            ));
        }
    }
}

fn searches(errors: &mut Errors, path: &Path, searches: &[Value]) {
    if searches.len() > SEARCHES_MAX {
        errors.push(Error::invalid(
            path,
            searches.to_vec(),
            format!("must not have more than {SEARCHES_MAX} search paths"),
        ));
    }
    let texts: Vec<&str> = searches.iter().filter_map(Value::as_str).collect();
    if texts.join(" ").len() > SEARCH_CHARACTERS_MAX {
        errors.push(Error::invalid(
            path,
            searches.to_vec(),
            format!("must not have more than {SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list"),
        ));
    }
    for (at, search) in texts.into_iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        let wrong = name::dns1123_subdomain_with_underscore(search);
        check::text(errors, &path.index(at), search, wrong);
    }
}

/// Checks `hostnameOverride`, which stands alone.
pub(super) fn hostname_override(errors: &mut Errors, path: &Path, spec: &Value) {
    let Some(hostname) = spec.field("hostnameOverride").as_str() else {
        return;
    };
    for field in ["setHostnameAsFQDN", "hostNetwork"] {
        if spec.field(field).as_bool() == Some(true) {
            errors.push(Error::forbidden(
                path,
                format!("may not be specified when {field} is true"),
            ));
        }
    }
    if hostname.len() > HOSTNAME_MAX {
        errors.push(Error::too_long(path, HOSTNAME_MAX));
    }
    check::dns_subdomain(errors, path, hostname);
}

/// Checks `hostAliases`.
pub(super) fn host_aliases(errors: &mut Errors, path: &Path, aliases: &[Value]) {
    for (at, alias) in aliases.iter().enumerate() {
        let path = path.index(at);
        check::ip(errors, &path.child("ip"), alias.text("/ip"));
        for (at, host) in alias.items("/hostnames").iter().enumerate() {
            check::dns_subdomain(
                errors,
                &path.child("hostnames").index(at),
                host.as_str().unwrap_or_default(),
            );
        }
    }
}

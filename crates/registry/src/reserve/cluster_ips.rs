//! What the addresses and families of a Service are among each other. Upstream checks this twice: before it allocates,
//! and with the rest of the object.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::address;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::range::Family;
use super::service;

const FAMILIES: &[&str] = &["IPv4", "IPv6"];
const POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];

/// Checks `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy`. Addresses that `old` has may be spelt as they
/// were.
pub fn validate(new: &Value, old: Option<&Value>) -> Vec<Error> {
    let mut errors = Vec::new();
    if !service::needs_cluster_ip(new) {
        return errors;
    }
    let path = Path::new("spec");
    first_is_primary(&mut errors, &path, new);
    families(&mut errors, &path, new);
    if !addresses(&mut errors, &path, new, old) {
        return errors;
    }
    one_of_each(&mut errors, &path, new);
    errors
}

fn first_is_primary(errors: &mut Vec<Error>, path: &Path, service: &Value) {
    let path = path.child("clusterIPs");
    let ips = service.items("/spec/clusterIPs");
    let mut wrong = |why: &str| errors.push(Error::invalid(&path, ips.to_vec(), why));
    match (
        service.text("/spec/clusterIP"),
        ips.first().and_then(Value::as_str),
    ) {
        ("", None) => {}
        ("", Some(_)) => wrong("must be empty when `clusterIP` is not specified"),
        (_, None) => errors.push(Error::required(&path, "")),
        (ip, Some(first)) if ip != first => wrong("first value must match `clusterIP`"),
        _ => {}
    }
}

fn families(errors: &mut Vec<Error>, path: &Path, service: &Value) {
    let mut seen = HashSet::new();
    for (at, family) in service.items("/spec/ipFamilies").iter().enumerate() {
        let family = family.as_str().unwrap_or_default();
        let at = path.child("ipFamilies").index(at);
        if !FAMILIES.contains(&family) {
            errors.push(Error::not_supported(&at, family, FAMILIES));
        }
        if !seen.insert(family) {
            errors.push(Error::duplicate(&at, family));
        }
    }
    if let Some(policy) = service.at("/spec/ipFamilyPolicy").as_str()
        && !POLICIES.contains(&policy)
    {
        errors.push(Error::not_supported(
            &path.child("ipFamilyPolicy"),
            policy,
            POLICIES,
        ));
    }
}

/// Checks each address; says whether all are fine.
fn addresses(errors: &mut Vec<Error>, path: &Path, new: &Value, old: Option<&Value>) -> bool {
    let path = path.child("clusterIPs");
    let ips = new.items("/spec/clusterIPs");
    let before = errors.len();
    for (at, ip) in ips.iter().enumerate() {
        let text = ip.as_str().unwrap_or_default();
        let was_there = || old.is_some_and(|old| old.items("/spec/clusterIPs").contains(ip));
        if at == 0 && text == "None" {
            if ips.len() > 1 {
                errors.push(Error::invalid(
                    &path,
                    ips.to_vec(),
                    "'None' must be the first and only value",
                ));
            }
        } else if let Some(wrong) = address::ip(text).filter(|_| !was_there()) {
            errors.push(Error::invalid(&path.index(at), text, wrong));
        }
    }
    let all_fine = errors.len() == before;
    if ips.len() > 2 {
        errors.push(Error::invalid(
            &path,
            ips.to_vec(),
            "may only hold up to 2 values",
        ));
    }
    all_fine
}

fn one_of_each(errors: &mut Vec<Error>, path: &Path, service: &Value) {
    let path = path.child("clusterIPs");
    let ips = service.items("/spec/clusterIPs");
    let family = |ip: &Value| Family::of(ip.as_str().unwrap_or_default());
    if let [first, rest @ ..] = ips
        && !rest.is_empty()
        && rest.iter().all(|ip| family(ip) == family(first))
    {
        errors.push(Error::invalid(
            &path,
            ips.to_vec(),
            "may specify no more than one IP for each IP family",
        ));
    }
    if service::is_headless(service) {
        return;
    }
    for (at, (ip, named)) in ips.iter().zip(service.items("/spec/ipFamilies")).enumerate() {
        let named = named.as_str().unwrap_or_default();
        if FAMILIES.contains(&named) && named != family(ip).name() {
            errors.push(Error::invalid(
                &path.index(at),
                ip.clone(),
                format!("expected an {named} value as indicated by `ipFamilies[{at}]`"),
            ));
        }
    }
}

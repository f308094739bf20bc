//! The addresses of a service.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::is_headless;
use crate::check::{self, Errors};

/// `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` among each other.
pub(super) fn cluster_ips(errors: &mut Errors, path: &Path, service: &Value) {
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

/// Checks `externalIPs`.
pub(super) fn external_ips(errors: &mut Errors, path: &Path, service: &Value) {
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

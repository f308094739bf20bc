//! The addresses outside the cluster at which a service answers.

use std::net::IpAddr;

use serde_json::Value;
use warren_apimachinery::address;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::Errors;

/// Checks `externalIPs`.
pub(super) fn external_ips(errors: &mut Errors, path: &Path, service: &Value, old: Option<&Value>) {
    for (at, ip) in service.items("/spec/externalIPs").iter().enumerate() {
        let was_there = old.is_some_and(|old| old.items("/spec/externalIPs").contains(ip));
        let (ip, at) = (ip.as_str().unwrap_or_default(), path.index(at));
        match address::ip(ip).filter(|_| !was_there) {
            Some(wrong) => errors.push(Error::invalid(&at, ip, wrong)),
            None => non_special_ip(errors, &at, ip),
        }
    }
}

/// An address that means the same everywhere; for endpoints and external IPs.
pub(crate) fn non_special_ip(errors: &mut Errors, path: &Path, text: &str) {
    let Some(ip) = address::parse_ip(text) else {
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

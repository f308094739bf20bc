//! What a service may become, and what its load balancer may say.

use serde_json::Value;
use warren_apimachinery::address;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::{is_headless, needs_health_check};
use crate::check::{self, Errors};

/// What an update may not change. Runs beside the checks of the new one.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
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

/// Checks `status.loadBalancer`; addresses that `old` has may be spelt as they were.
pub(super) fn load_balancer_status(errors: &mut Errors, service: &Value, old: &Value) {
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
        let before = old.items("/status/loadBalancer/ingress");
        if !ip.is_empty() && !before.iter().any(|before| before.text("/ip") == ip) {
            check::ip(errors, &at.child("ip"), ip);
        }
        match mode {
            None if !ip.is_empty() => errors.push(Error::required(
                &at.child("ipMode"),
                "must be specified when `ip` is set",
            )),
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
            if address::parse_ip(host).is_some() {
                errors.push(Error::invalid(
                    &at.child("hostname"),
                    host,
                    "must be a DNS name, not an IP address",
                ));
            }
        }
    }
}

//! Ingresses.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, name as names};
use warren_registry::strategy::{Column, Strategy, Traits};

use super::ingress_class::typed_reference;
use crate::check::{self, Errors};
use crate::core::load_balancer_warnings;
use crate::table::{age, columns, name, or_none};

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// In the order in which upstream looks for them.
const FORBIDDEN_SEQUENCES: &[&str] = &["//", "/./", "/../", "%2f", "%2F"];
const FORBIDDEN_SUFFIXES: &[&str] = &["/..", "/."];
const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
/// How many hosts a row shows.
const SHOWN: usize = 3;

/// The strategy of ingresses.
pub(crate) struct Ingress;

impl Strategy for Ingress {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", json!({"loadBalancer": {}}));
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        let (rules, backend_value) = (spec.items("/rules"), spec.field("defaultBackend"));
        if rules.is_empty() && backend_value.is_null() {
            errors.push(Error::invalid(
                &path,
                spec.field("rules").clone(),
                "either `defaultBackend` or `rules` must be specified",
            ));
        }
        if !backend_value.is_null() {
            backend(&mut errors, &path.child("defaultBackend"), backend_value);
        }
        for (at, value) in rules.iter().enumerate() {
            rule(&mut errors, &path.child("rules").index(at), value);
        }
        for (at, value) in spec.items("/tls").iter().enumerate() {
            tls(&mut errors, &path.child("tls").index(at), value);
        }
        if let Some(class) = spec.field("ingressClassName").as_str() {
            check::dns_subdomain(&mut errors, &path.child("ingressClassName"), class);
        }
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let annotation = object.at("/metadata/annotations").field(CLASS_ANNOTATION);
        if let (Some(annotation), Some(class)) =
            (annotation.as_str(), object.at("/spec/ingressClassName").as_str())
            && annotation != class
        {
            errors.push(Error::invalid(
                &Path::new("annotations").child(CLASS_ANNOTATION),
                annotation,
                "must match `ingressClassName` when both are specified",
            ));
        }
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let before = old.items("/status/loadBalancer/ingress");
        let path = Path::new("status.loadBalancer.ingress");
        for (at, point) in new.items("/status/loadBalancer/ingress").iter().enumerate() {
            let path = path.index(at);
            let ip = point.text("/ip");
            if !ip.is_empty() && !before.iter().any(|before| before.text("/ip") == ip) {
                check::ip(&mut errors, &path.child("ip"), point.text("/ip"));
            }
            let host = point.text("/hostname");
            if !host.is_empty() {
                check::dns_subdomain(&mut errors, &path.child("hostname"), host);
                not_an_address(&mut errors, &path.child("hostname"), host);
            }
        }
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let annotation = new.at("/metadata/annotations").field(CLASS_ANNOTATION);
        let is_named = !new.at("/spec/ingressClassName").is_null();
        if old.is_some() || annotation.is_null() || is_named {
            return Vec::new();
        }
        vec![format!(
            "annotation {CLASS_ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' instead"
        )]
    }

    fn status_warnings(&self, new: &Value, _old: &Value) -> Vec<String> {
        load_balancer_warnings(new)
    }

    fn columns(&self) -> &'static [Column] {
        columns("ingresses.networking.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let is_secure = !object.items("/spec/tls").is_empty();
        vec![
            name(object),
            or_none(object.text("/spec/ingressClassName")),
            hosts(object.items("/spec/rules")).into(),
            addresses(object).into(),
            if is_secure { "80, 443" } else { "80" }.into(),
            age(object, now),
        ]
    }
}

fn not_an_address(errors: &mut Errors, path: &Path, host: &str) {
    if address::parse_ip(host).is_some() {
        errors.push(Error::invalid(
            path,
            host,
            "must be a DNS name, not an IP address",
        ));
    }
}

fn host_name(errors: &mut Errors, path: &Path, host: &str) {
    let messages = if host.contains('*') {
        names::wildcard_dns1123_subdomain(host)
    } else {
        names::dns1123_subdomain(host)
    };
    check::text(errors, path, host, messages);
}

fn tls(errors: &mut Errors, path: &Path, tls: &Value) {
    for (at, host) in tls.items("/hosts").iter().enumerate() {
        let host = host.as_str().unwrap_or_default();
        host_name(errors, &path.child("hosts").index(at), host);
    }
    let secret = tls.text("/secretName");
    if !secret.is_empty() {
        check::dns_subdomain(errors, &path.child("secretName"), secret);
    }
}

fn rule(errors: &mut Errors, path: &Path, rule: &Value) {
    let host = rule.text("/host");
    if !host.is_empty() {
        not_an_address(errors, &path.child("host"), host);
        host_name(errors, &path.child("host"), host);
    }
    if rule.field("http").is_null() {
        return;
    }
    let (path, paths) = (path.child("http.paths"), rule.items("/http/paths"));
    if paths.is_empty() {
        errors.push(Error::required(&path, ""));
    }
    for (at, value) in paths.iter().enumerate() {
        http_path(errors, &path.index(at), value);
    }
}

fn http_path(errors: &mut Errors, path: &Path, value: &Value) {
    let Some(kind) = value.field("pathType").as_str() else {
        errors.push(Error::required(
            &path.child("pathType"),
            "pathType must be specified",
        ));
        return;
    };
    let (at, text) = (path.child("path"), value.text("/path"));
    let mut refuse = |why: String| errors.push(Error::invalid(&at, text, why));
    let is_absolute = text.starts_with('/');
    match kind {
        "Exact" | "Prefix" => {
            if !is_absolute {
                refuse("must be an absolute path".to_owned());
            }
            for sequence in FORBIDDEN_SEQUENCES.iter().filter(|part| text.contains(**part)) {
                refuse(format!("must not contain '{sequence}'"));
            }
            for suffix in FORBIDDEN_SUFFIXES.iter().filter(|part| text.ends_with(**part)) {
                refuse(format!("cannot end with '{suffix}'"));
            }
        }
        "ImplementationSpecific" if text.is_empty() || is_absolute => {}
        "ImplementationSpecific" => refuse("must be an absolute path".to_owned()),
        other => check::one_of(errors, &path.child("pathType"), other, PATH_TYPES),
    }
    backend(errors, &path.child("backend"), value.field("backend"));
}

fn backend(errors: &mut Errors, path: &Path, backend: &Value) {
    let (resource, service) = (backend.field("resource"), backend.field("service"));
    match (resource.is_null(), service.is_null()) {
        (false, false) => errors.push(Error::invalid(
            path,
            "",
            "cannot set both resource and service backends",
        )),
        (false, true) => typed_reference(errors, &path.child("resource"), resource),
        (true, false) => service_backend(errors, path, service),
        (true, true) => errors.push(Error::invalid(
            path,
            "",
            "resource or service backend is required",
        )),
    }
}

fn service_backend(errors: &mut Errors, path: &Path, service: &Value) {
    let at = path.child("service");
    let name = service.text("/name");
    if check::required(errors, &at.child("name"), name) {
        check::dns_label(errors, &at.child("name"), name);
    }
    let (port_name, number) = (
        service.text("/port/name"),
        service.int("/port/number").unwrap_or_default(),
    );
    match (port_name.is_empty(), number == 0) {
        (false, false) => errors.push(Error::invalid(
            path,
            "",
            "cannot set both port name & port number",
        )),
        (false, true) => {
            let messages = names::port_name(port_name);
            check::text(errors, &at.child("port.name"), port_name, messages);
        }
        (true, false) => check::port_number(errors, &at.child("port.number"), number),
        (true, true) => errors.push(Error::required(path, "port name or number is required")),
    }
}

fn hosts(rules: &[Value]) -> String {
    let mut shown = Vec::new();
    let mut more = false;
    for rule in rules {
        more |= shown.len() == SHOWN;
        let host = rule.text("/host");
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    match (shown.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (false, true) => format!("{} + {} more...", shown.join(","), rules.len() - SHOWN),
        (false, false) => shown.join(","),
    }
}

fn addresses(ingress: &Value) -> String {
    let points = ingress.items("/status/loadBalancer/ingress").iter();
    let mut found: Vec<&str> = points
        .map(|point| match point.text("/ip") {
            "" => point.text("/hostname"),
            ip => ip,
        })
        .filter(|address| !address.is_empty())
        .collect();
    found.sort_unstable();
    found.dedup();
    found.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, expected: &[&str]) {
        let errors = Ingress.validate(&json!({"spec": spec}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{spec}");
    }

    fn with_path(path: Value) -> Value {
        let mut path = path;
        if path.field("backend").is_null() {
            path.set(
                "/backend",
                json!({"service": {"name": "s", "port": {"number": 80}}}),
            );
        }
        json!({"rules": [{"http": {"paths": [path]}}]})
    }

    #[test]
    fn rules_need_hosts_paths_and_backends_of_the_right_form() {
        check(with_path(json!({"path": "/", "pathType": "Prefix"})), &[]);
        check(
            json!({}),
            &["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
        );
        check(
            json!({"rules": [{"host": "10.0.0.1"}]}),
            &["spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address"],
        );
        check(
            json!({"rules": [{"http": {}}]}),
            &["spec.rules[0].http.paths: Required value"],
        );
        check(
            with_path(json!({"path": "/"})),
            &["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
        );
        check(
            with_path(json!({"path": "a//b/..", "pathType": "Exact"})),
            &[
                "spec.rules[0].http.paths[0].path: Invalid value: \"a//b/..\": must be an absolute path",
                "spec.rules[0].http.paths[0].path: Invalid value: \"a//b/..\": must not contain '//'",
                "spec.rules[0].http.paths[0].path: Invalid value: \"a//b/..\": cannot end with '/..'",
            ],
        );
        check(
            with_path(json!({"path": "/", "pathType": "Regex"})),
            &[
                "spec.rules[0].http.paths[0].pathType: Unsupported value: \"Regex\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"",
            ],
        );
    }

    #[test]
    fn a_backend_is_a_service_with_one_port_or_a_resource() {
        let cases = [
            (
                json!({}),
                "spec.defaultBackend: Invalid value: \"\": resource or service backend is required",
            ),
            (
                json!({"service": {"name": "s"}}),
                "spec.defaultBackend: Required value: port name or number is required",
            ),
            (
                json!({"service": {"name": "s", "port": {"name": "http", "number": 80}}}),
                "spec.defaultBackend: Invalid value: \"\": cannot set both port name & port number",
            ),
            (
                json!({"service": {"port": {"number": 80}}}),
                "spec.defaultBackend.service.name: Required value",
            ),
            (
                json!({"service": {"name": "s", "port": {"number": 70000}}}),
                "spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ),
            (
                json!({"resource": {"apiGroup": "a.b", "name": "r"}}),
                "spec.defaultBackend.resource.kind: Required value",
            ),
        ];
        for (backend, expected) in cases {
            check(json!({"defaultBackend": backend}), &[expected]);
        }
    }

    #[test]
    fn a_row_shows_three_hosts() {
        let rules =
            |hosts: &[&str]| -> Vec<Value> { hosts.iter().map(|host| json!({"host": host})).collect() };
        assert_eq!(hosts(&[]), "*");
        assert_eq!(hosts(&rules(&["a", "b"])), "a,b");
        assert_eq!(hosts(&rules(&["a", "b", "c", "d", "e"])), "a,b,c + 2 more...");
    }
}

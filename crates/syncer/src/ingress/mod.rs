//! Ingresses: backends and TLS secrets by their host names, also where annotations of well-known controllers name them.

use std::sync::Arc;

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_config::VirtualClusterSpec;
use warren_translate::{OBJECT_NAMESPACE, Tenant, Virtual};

use crate::binding::Bindings;
use crate::mirrored::{Kind, rule};
use crate::pod::references::elements;
use crate::sides::Sides;

/// Annotations whose value is a Secret: `name`, or `namespace/name`.
const SECRET_ANNOTATIONS: &[&str] = &[
    "nginx.ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret",
    "haproxy.org/auth-secret",
    "haproxy.org/server-ca",
    "haproxy.org/server-crt",
    "haproxy-ingress.github.io/auth-secret",
    "ingress.kubernetes.io/auth-secret",
    "traefik.ingress.kubernetes.io/auth-secret",
];
/// Annotations of the AWS controller begin like this; their JSON names Services.
const ALB_ACTIONS: &[&str] = &["alb.ingress.kubernetes.io/actions."];

/// The rule.
pub(crate) struct Ingresses {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for Ingresses {
    const RESOURCE: Resource = resource::INGRESSES;
    const STATUS: bool = true;

    fn is_on(spec: &VirtualClusterSpec) -> bool {
        spec.sync.to_host.ingresses.enabled
    }

    fn content(sides: &Sides<'_>, value: &Value) -> Option<Map<String, Value>> {
        let spec = host_spec(
            &sides.binding.tenant,
            value.text("/metadata/namespace"),
            value.at("/spec"),
        );
        Some(Map::from_iter([("spec".to_owned(), spec)]))
    }

    fn metadata(sides: &Sides<'_>, metadata: &mut Value) {
        let tenant = &sides.binding.tenant;
        let namespace = metadata
            .at("/annotations")
            .field(OBJECT_NAMESPACE)
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for (key, value) in metadata.object_at("/annotations").into_iter().flatten() {
            let Value::String(text) = value else { continue };
            if SECRET_ANNOTATIONS.contains(&key.as_str()) {
                *text = host_secret(tenant, &namespace, text);
            } else if ALB_ACTIONS.iter().any(|prefix| key.starts_with(prefix)) {
                *text = alb_action(tenant, &namespace, text);
            }
        }
    }
}

rule!(Ingresses, "sync-ingresses");

fn host_spec(tenant: &Tenant, namespace: &str, spec: &Value) -> Value {
    let mut host = spec.clone();
    if let Some(backend) = host.get_mut("defaultBackend") {
        translate_backend(tenant, namespace, backend);
    }
    for rule in elements(&mut host, "rules") {
        let Some(http) = rule.get_mut("http") else {
            continue;
        };
        for path in elements(http, "paths") {
            if let Some(backend) = path.get_mut("backend") {
                translate_backend(tenant, namespace, backend);
            }
        }
    }
    for tls in elements(&mut host, "tls") {
        if let Some(Value::String(name)) = tls.get_mut("secretName") {
            *name = name_on_host(tenant, &resource::SECRETS, namespace, name);
        }
    }
    host
}

fn translate_backend(tenant: &Tenant, namespace: &str, backend: &mut Value) {
    if let Some(Value::String(name)) = backend.pointer_mut("/service/name") {
        *name = name_on_host(tenant, &resource::SERVICES, namespace, name);
    }
    // An object of another kind is on the host under our name, if at all.
    if let Some(Value::String(name)) = backend.pointer_mut("/resource/name") {
        *name = name_on_host(tenant, &resource::CONFIG_MAPS, namespace, name);
    }
}

fn name_on_host(tenant: &Tenant, resource: &Resource, namespace: &str, name: &str) -> String {
    let key = Virtual(ObjectKey {
        namespace: SmolStr::new(namespace),
        name: SmolStr::new(name),
    });
    tenant.host_name(resource, &key).0.to_string()
}

/// `namespace/name` keeps its form, with both parts as the host has them.
fn host_secret(tenant: &Tenant, namespace: &str, text: &str) -> String {
    match text.split_once('/') {
        None => name_on_host(tenant, &resource::SECRETS, namespace, text),
        Some((namespace, name)) => {
            let name = name_on_host(tenant, &resource::SECRETS, namespace, name);
            format!("{}/{name}", tenant.host_namespace().0)
        }
    }
}

/// What cannot be read stays: the host's controller will say so.
fn alb_action(tenant: &Tenant, namespace: &str, text: &str) -> String {
    let Ok(mut action) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    let mut rename = |value: &mut Value| {
        if let Some(Value::String(name)) = value.get_mut("serviceName") {
            *name = name_on_host(tenant, &resource::SERVICES, namespace, name);
        }
    };
    rename(&mut action);
    for forward in ["forwardConfig", "ForwardConfig"] {
        let Some(config) = action.get_mut(forward) else {
            continue;
        };
        for groups in ["targetGroups", "TargetGroups"] {
            elements(config, groups).for_each(&mut rename);
        }
    }
    action.to_string()
}

/// The secrets that an ingress names.
pub(crate) fn secrets(ingress: &Value) -> Vec<String> {
    let tls = ingress
        .items("/spec/tls")
        .iter()
        .map(|tls| tls.text("/secretName").to_owned());
    let annotations = ingress.at("/metadata/annotations");
    let named = SECRET_ANNOTATIONS
        .iter()
        .filter_map(|key| annotations.field(key).as_str());
    let namespace = ingress.text("/metadata/namespace");
    let named = named.filter_map(|text| match text.split_once('/') {
        None => Some(text.to_owned()),
        Some((there, name)) => (there == namespace).then(|| name.to_owned()),
    });
    tls.chain(named).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn backends_and_secrets_have_their_host_names() {
        let tenant = Tenant::new("demo", "team-a");
        let backend = |name: &str| json!({"service": {"name": name, "port": {"number": 80}}});
        let spec = |service: &str, secret: &str| {
            json!({"ingressClassName": "nginx", "defaultBackend": backend(service), "tls": [{"secretName": secret}],
                "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "backend": backend(service)}]}}]})
        };
        assert_eq!(
            host_spec(&tenant, "shop", &spec("web", "cert")),
            spec("web-x-shop-x-demo", "cert-x-shop-x-demo")
        );
    }

    #[test]
    fn annotations_of_controllers_are_translated() {
        let tenant = Tenant::new("demo", "team-a");
        assert_eq!(host_secret(&tenant, "shop", "login"), "login-x-shop-x-demo");
        assert_eq!(
            host_secret(&tenant, "shop", "shop/login"),
            "team-a/login-x-shop-x-demo"
        );
        let action = r#"{"forwardConfig":{"targetGroups":[{"serviceName":"web"}]},"type":"forward"}"#;
        assert_eq!(
            alb_action(&tenant, "shop", action),
            action.replace("\"web\"", "\"web-x-shop-x-demo\"")
        );
    }
}

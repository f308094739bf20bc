//! Ingresses: backends and TLS secrets by their host names, also where annotations of well-known controllers name them.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_translate::{Tenant, Virtual};

use crate::mirrored::{Carry, Notice, Row, Setting, status};
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
    "haproxy-ingress.github.io/auth-tls-secret",
    "haproxy-ingress.github.io/secure-crt-secret",
    "haproxy-ingress.github.io/secure-verify-ca-secret",
    "ingress.kubernetes.io/auth-secret",
    "ingress.kubernetes.io/auth-tls-secret",
    "traefik.ingress.kubernetes.io/auth-secret",
];
/// Annotations whose value is a Service: `name`, or `namespace/name`.
const SERVICE_ANNOTATIONS: &[&str] = &[
    "nginx.ingress.kubernetes.io/default-backend",
    "haproxy-ingress.github.io/default-backend",
    "haproxy-ingress.github.io/oauth-uri-service",
];
/// Annotations whose value is a ConfigMap: `name`, or `namespace/name`.
const CONFIG_MAP_ANNOTATIONS: &[&str] = &[
    "nginx.ingress.kubernetes.io/auth-proxy-set-headers",
    "nginx.ingress.kubernetes.io/custom-headers",
    "nginx.ingress.kubernetes.io/fastcgi-params-configmap",
];
/// Annotations of the AWS controller begin like this; their JSON names Services (and Secrets, for a login).
const ALB_JSON: &[&str] = &[
    "alb.ingress.kubernetes.io/actions.",
    "alb.ingress.kubernetes.io/auth-idp-oidc",
];
/// A list of `namespace-name@kubernetescrd`.
const TRAEFIK_MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const MIDDLEWARES: Resource = Resource {
    group: "traefik.io",
    version: "v1alpha1",
    kind: "Middleware",
    plural: "middlewares",
    scope: Scope::Namespaced,
};

/// The kind.
pub(crate) const ROW: Row = Row {
    shape,
    report: Some(status),
    ..Row::new("sync-ingresses", resource::INGRESSES, |spec| {
        Setting::of(&spec.sync.to_host.ingresses)
    })
};

fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let allowed = sides.binding.spec.policies.ingresses.allowed_hosts.as_deref();
    if let Some(name) = hosts(value).find(|name| !is_allowed(allowed, name)) {
        return Carry::Refused(Notice::new(format!(
            "The host name {name:?} is not one that this cluster may claim"
        )));
    }
    let tenant = &sides.binding.tenant;
    let namespace = value.text("/metadata/namespace");
    host.set("/spec", host_spec(tenant, namespace, value.at("/spec")));
    for (key, value) in host.object_at("/metadata/annotations").into_iter().flatten() {
        if let Value::String(text) = value {
            annotation(tenant, namespace, key, text);
        }
    }
    Carry::Yes
}

/// The host names that an ingress claims; a rule without one claims them all.
fn hosts(ingress: &Value) -> impl Iterator<Item = &str> {
    let rules = ingress.items("/spec/rules").iter().map(|rule| rule.text("/host"));
    let default = (!ingress.at("/spec/defaultBackend").is_null()).then_some("");
    let tls = ingress.items("/spec/tls").iter();
    let tls = tls.flat_map(|tls| tls.items("/hosts").iter().filter_map(Value::as_str));
    rules.chain(default).chain(tls)
}

/// Whether a host name may be claimed: it is on the list, or below a wildcard of it. Without a list any may.
pub(crate) fn is_allowed(allowed: Option<&[String]>, name: &str) -> bool {
    let Some(allowed) = allowed else {
        return true;
    };
    allowed.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => pattern == name,
    })
}

fn annotation(tenant: &Tenant, namespace: &str, key: &str, text: &mut String) {
    if SECRET_ANNOTATIONS.contains(&key) {
        *text = host_reference(tenant, &resource::SECRETS, namespace, text);
    } else if SERVICE_ANNOTATIONS.contains(&key) {
        *text = host_reference(tenant, &resource::SERVICES, namespace, text);
    } else if CONFIG_MAP_ANNOTATIONS.contains(&key) {
        *text = host_reference(tenant, &resource::CONFIG_MAPS, namespace, text);
    } else if ALB_JSON.iter().any(|prefix| key.starts_with(prefix)) {
        *text = alb_action(tenant, namespace, text);
    } else if key == TRAEFIK_MIDDLEWARES {
        *text = traefik_middlewares(tenant, namespace, text);
    }
}

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
fn host_reference(tenant: &Tenant, resource: &Resource, namespace: &str, text: &str) -> String {
    match text.split_once('/') {
        None => name_on_host(tenant, resource, namespace, text),
        Some((namespace, name)) => {
            let key = Virtual(ObjectKey::namespaced(namespace, name));
            let host = tenant.host_key(resource, &key).0;
            format!("{}/{}", host.namespace, host.name)
        }
    }
}

/// Middlewares of the file provider and of others stay; those of Kubernetes are named by namespace and name in one
/// word, of which only the ingress's own namespace can be told apart.
fn traefik_middlewares(tenant: &Tenant, namespace: &str, text: &str) -> String {
    let own = format!("{namespace}-");
    let translated = text.split(',').map(|entry| {
        let entry = entry.trim();
        let name = entry
            .strip_suffix("@kubernetescrd")
            .and_then(|name| name.strip_prefix(&own));
        let Some(name) = name else {
            return entry.to_owned();
        };
        let key = Virtual(ObjectKey::namespaced(namespace, name));
        let host = tenant.host_key(&MIDDLEWARES, &key).0;
        format!("{}-{}@kubernetescrd", host.namespace, host.name)
    });
    translated.collect::<Vec<_>>().join(",")
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
    if let Some(Value::String(name)) = action.get_mut("secretName") {
        *name = name_on_host(tenant, &resource::SECRETS, namespace, name);
    }
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
pub(crate) fn secrets(ingress: &Value) -> Vec<ObjectKey> {
    let own = ingress.text("/metadata/namespace");
    let tls = ingress
        .items("/spec/tls")
        .iter()
        .map(|tls| tls.text("/secretName"));
    let tls = tls.map(|name| ObjectKey::namespaced(own, name));
    let login = ingress
        .at("/metadata/annotations")
        .as_object()
        .into_iter()
        .flatten();
    let login = login
        .filter(|(key, _)| ALB_JSON.iter().any(|prefix| key.starts_with(prefix)))
        .filter_map(|(_, text)| serde_json::from_str::<Value>(text.as_str()?).ok())
        .map(|login| ObjectKey::namespaced(own, login.text("/secretName")));
    let all = tls.chain(annotated(ingress, SECRET_ANNOTATIONS)).chain(login);
    all.filter(|key| !key.name.is_empty()).collect()
}

/// The config maps that an ingress names.
pub(crate) fn config_maps(ingress: &Value) -> Vec<ObjectKey> {
    annotated(ingress, CONFIG_MAP_ANNOTATIONS).collect()
}

/// What annotations name: `name`, or `namespace/name`.
fn annotated<'a>(ingress: &'a Value, keys: &'static [&'static str]) -> impl Iterator<Item = ObjectKey> + 'a {
    let own = ingress.text("/metadata/namespace");
    let annotations = ingress.at("/metadata/annotations");
    let named = keys.iter().filter_map(|key| annotations.field(key).as_str());
    named.map(move |text| {
        let (namespace, name) = text.split_once('/').unwrap_or((own, text));
        ObjectKey::namespaced(namespace, name)
    })
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
        let secret = |text: &str| host_reference(&tenant, &resource::SECRETS, "shop", text);
        assert_eq!(secret("login"), "login-x-shop-x-demo");
        assert_eq!(secret("shop/login"), "team-a/login-x-shop-x-demo");
        let action = r#"{"forwardConfig":{"targetGroups":[{"serviceName":"web"}]},"type":"forward"}"#;
        assert_eq!(
            alb_action(&tenant, "shop", action),
            action.replace("\"web\"", "\"web-x-shop-x-demo\"")
        );
    }
}

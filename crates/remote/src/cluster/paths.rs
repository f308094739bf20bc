//! Where things are in a host's API: pure text.

use warren_apimachinery::resource::Scope;
use warren_apimachinery::{ObjectKey, Resource};

/// `/api/v1/…` or `/apis/<group>/<version>/…`, of one namespace or of all.
pub(super) fn collection(resource: &Resource, namespace: Option<&str>) -> String {
    let version = match resource.group {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    match namespace {
        Some(namespace) if resource.scope == Scope::Namespaced && !namespace.is_empty() => {
            format!("{version}/namespaces/{namespace}/{}", resource.plural)
        }
        _ => format!("{version}/{}", resource.plural),
    }
}

/// One object, or a part of it.
pub(super) fn object(resource: &Resource, key: &ObjectKey, part: Option<&str>) -> String {
    let mut path = collection(resource, Some(&key.namespace));
    path.push('/');
    path.push_str(&escaped(&key.name));
    if let Some(part) = part {
        path.push('/');
        path.push_str(part);
    }
    path
}

/// A query of names and values, with its question mark.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&escaped(value));
    }
    text
}

/// Names may hold `:` (roles), continue tokens and selectors much else.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::resource::{CLUSTER_ROLES, INGRESSES, NODES, PODS};

    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let key = ObjectKey::namespaced("b", "a");
        assert_eq!(collection(&PODS, None), "/api/v1/pods");
        assert_eq!(collection(&PODS, Some("b")), "/api/v1/namespaces/b/pods");
        assert_eq!(collection(&NODES, Some("b")), "/api/v1/nodes");
        assert_eq!(
            object(&PODS, &key, Some("status")),
            "/api/v1/namespaces/b/pods/a/status"
        );
        assert_eq!(
            object(&INGRESSES, &key, None),
            "/apis/networking.k8s.io/v1/namespaces/b/ingresses/a"
        );
        assert_eq!(
            object(&CLUSTER_ROLES, &ObjectKey::cluster("system:x"), None),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax"
        );
    }

    #[test]
    fn a_query_is_escaped() {
        assert_eq!(query(&[]), "");
        assert_eq!(
            query(&[("limit", "500"), ("labelSelector", "a/b")]),
            "?limit=500&labelSelector=a%2Fb"
        );
    }
}

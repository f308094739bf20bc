//! What every cluster starts with: namespaces, priority classes, RBAC roles and bindings, flow control, and the
//! `kubernetes` service.
//!
//! `objects.json` was recorded from a real kube-apiserver 1.36.2 and trimmed of what belongs to one cluster (uids,
//! revisions, times).

mod api_services;
mod kubernetes_service;
mod reconcile;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use warren_apimachinery::Resource;
use warren_apimachinery::resource::{
    API_SERVICES, CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, PRIORITY_CLASSES, ROLE_BINDINGS, ROLES,
    Scope,
};
use warren_apimachinery::value::ValueExt;

pub use self::api_services::{AUTOMANAGED, api_service_of_custom, local};
pub use self::kubernetes_service::{kubernetes_endpoints, kubernetes_service, service_range};
pub use self::reconcile::{Correction, reconcile};

/// FlowSchemas.
pub const FLOW_SCHEMAS: Resource = Resource {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "FlowSchema",
    plural: "flowschemas",
    scope: Scope::Cluster,
};
/// PriorityLevelConfigurations.
pub const PRIORITY_LEVELS: Resource = Resource {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "PriorityLevelConfiguration",
    plural: "prioritylevelconfigurations",
    scope: Scope::Cluster,
};

/// In the order in which they are to be written: namespaces first, referents before referrers.
const ORDER: [Resource; 8] = [
    NAMESPACES,
    PRIORITY_CLASSES,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLES,
    ROLE_BINDINGS,
    PRIORITY_LEVELS,
    FLOW_SCHEMAS,
];

/// An object to be written: complete but for what the registry and the store give it.
#[derive(Clone, Debug, PartialEq)]
pub struct BootstrapObject {
    /// Its resource.
    pub resource: Resource,
    /// With `apiVersion`, `kind` and, where namespaced, `metadata.namespace`.
    pub value: Value,
}

/// All objects that are the same in every cluster, in the order in which they are to be written. Each is parsed when it is its
/// turn: all together they would be the largest thing in memory at start.
pub fn objects() -> impl Iterator<Item = BootstrapObject> {
    let services = api_services::api_services().map(|value| BootstrapObject {
        resource: API_SERVICES,
        value,
    });
    recorded(&ORDER).chain(services)
}

/// Those of some resources of `ORDER`.
pub fn recorded(resources: &[Resource]) -> impl Iterator<Item = BootstrapObject> {
    // Committed with this file and read by a test.
    let mut recorded: BTreeMap<&str, Vec<&RawValue>> =
        serde_json::from_str(include_str!("objects.json")).unwrap_or_default();
    resources.iter().flat_map(move |resource| {
        let key = format!("{}/{}", resource.api_version(), resource.plural);
        let raw = recorded.remove(&*key).unwrap_or_default().into_iter();
        raw.filter_map(|raw| {
            let mut value: Value = serde_json::from_str(raw.get()).ok()?;
            value.set("/apiVersion", resource.api_version());
            value.set("/kind", resource.kind);
            Some(BootstrapObject {
                resource: *resource,
                value,
            })
        })
    })
}

/// All objects that clusters can share as they are: everything but the namespaces, whose uids must differ.
pub fn template() -> impl Iterator<Item = Value> {
    objects()
        .filter(|object| object.resource != NAMESPACES)
        .map(|object| object.value)
}

/// `default`, `kube-system`, `kube-public` and `kube-node-lease`. Cheap: called for every new cluster.
pub fn namespaces() -> Vec<Value> {
    ["default", "kube-node-lease", "kube-public", "kube-system"]
        .into_iter()
        .map(|name| {
            json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use warren_rbac::Attributes;

    use super::*;
    use crate::authorization::decide;
    use crate::testing::{guard, snapshot, user};

    fn cluster() -> Vec<(String, Value)> {
        objects()
            .map(|object| (object.resource.group_resource().to_string(), object.value))
            .collect()
    }

    fn check(who: &str, groups: &[&str], asked: &[(Attributes<'_>, bool)]) {
        let objects = cluster();
        let borrowed: Vec<(&str, Value)> = objects.iter().map(|(r, v)| (r.as_str(), v.clone())).collect();
        let (guard, cluster) = (guard(), snapshot(&borrowed));
        for (attributes, expect) in asked {
            let found = decide(&guard, &cluster, &user(who, groups), attributes).allowed();
            assert_eq!(found, *expect, "{who} {attributes:?}");
        }
    }

    #[test]
    fn every_recorded_object_is_yielded_once_without_anything_of_its_first_cluster() {
        let all: Vec<BootstrapObject> = objects().collect();
        let count = |resource: Resource| all.iter().filter(|object| object.resource == resource).count();
        assert_eq!(ORDER.map(count), [4, 2, 69, 50, 7, 7, 8, 11]);
        for object in &all {
            assert!(!object.value.text("/metadata/name").is_empty());
            for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
                assert!(object.value.at("/metadata").field(field).is_null());
            }
        }
    }

    #[test]
    fn template_and_namespaces_are_all_there_is() {
        let mut both = namespaces();
        both.extend(template());
        let all: Vec<Value> = objects().map(|object| object.value).collect();
        assert_eq!(both, all);
    }

    #[test]
    fn bootstrap_roles_let_everybody_discover_and_only_some_do_more() {
        let discover = Attributes::path("get", "/apis/apps/v1");
        let health = Attributes::path("get", "/healthz");
        let review = Attributes {
            verb: "create",
            group: "authorization.k8s.io",
            resource: "selfsubjectaccessreviews",
            ..Attributes::default()
        };
        let pods = Attributes {
            verb: "list",
            resource: "pods",
            ..Attributes::default()
        };
        check(
            "jane",
            &["system:authenticated"],
            &[(discover, true), (health, true), (review, true), (pods, false)],
        );
        check(
            "system:anonymous",
            &["system:unauthenticated"],
            &[(discover, false), (health, true), (review, false)],
        );
        check(
            "system:kube-scheduler",
            &["system:authenticated"],
            &[(pods, true)],
        );
    }

    #[test]
    fn an_authorisation_by_bootstrap_roles_costs_microseconds() {
        let objects = cluster();
        let borrowed: Vec<(&str, Value)> = objects.iter().map(|(r, v)| (r.as_str(), v.clone())).collect();
        let (guard, cluster) = (guard(), snapshot(&borrowed));
        let controller = user(
            "system:serviceaccount:kube-system:job-controller",
            &["system:authenticated"],
        );
        let asked = Attributes {
            verb: "create",
            resource: "pods",
            namespace: "a",
            ..Attributes::default()
        };
        assert!(decide(&guard, &cluster, &controller, &asked).allowed());
        let (began, rounds) = (std::time::Instant::now(), 2000);
        for _ in 0..rounds {
            decide(&guard, &cluster, &controller, &asked);
        }
        let each = began.elapsed() / rounds;
        eprintln!("{each:?} each");
        // The bound is wide: this is a debug build on a busy machine.
        assert!(each.as_micros() < 500, "{each:?}");
    }
}

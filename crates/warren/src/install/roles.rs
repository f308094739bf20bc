//! The roles of an installation, made of what the configuration needs.

use std::collections::BTreeMap;

use serde_json::json;
use warren_apimachinery::Value;
use warren_fleet::{Asked, Place, Right, rights};

use super::Plan;
use super::manifests::Names;

/// All roles and their bindings.
pub(super) fn all(plan: &Plan) -> Vec<Value> {
    let names = &plan.names;
    let asked = if names.cluster().is_some() {
        Asked::File
    } else {
        Asked::Objects
    };
    let mut on_host = Vec::new();
    let mut in_namespaces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for right in rights(&plan.spec, asked) {
        match home(&right, names) {
            None => on_host.push(right.rule()),
            Some(namespace) => in_namespaces.entry(namespace).or_default().push(right.rule()),
        }
    }
    let rbac = &plan.spec.rbac;
    on_host.extend(rbac.cluster_role.extra_rules.iter().cloned());
    if !rbac.cluster_role.overwrite_rules.is_empty() {
        on_host.clone_from(&rbac.cluster_role.overwrite_rules);
    }
    if let Some(own) = in_namespaces.get_mut(names.namespace()) {
        own.extend(rbac.role.extra_rules.iter().cloned());
        if !rbac.role.overwrite_rules.is_empty() {
            own.clone_from(&rbac.role.overwrite_rules);
        }
    }
    let mut all = Vec::new();
    if asked == Asked::Objects && !on_host.is_empty() {
        all.extend(role(
            "ClusterRole",
            names.host_metadata(&names.cluster_role()),
            &on_host,
            names,
        ));
    }
    for (namespace, rules) in in_namespaces {
        let mut metadata = names.metadata(&names.account());
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        all.extend(role("Role", metadata, &rules, names));
    }
    all
}

/// The namespace that a right is granted in; `None` for the whole host. A fleet's virtual clusters may be anywhere.
fn home(right: &Right, names: &Names) -> Option<String> {
    match (&right.place, names.cluster()) {
        (Place::Namespace(namespace), _) => Some(namespace.clone()),
        (Place::Clusters, Some(_)) => Some(names.namespace().to_owned()),
        (Place::Host | Place::Clusters, _) => None,
    }
}

/// A role and what binds it to Warren's account.
fn role(kind: &str, metadata: Value, rules: &[Value], names: &Names) -> [Value; 2] {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let reference = json!({"apiGroup": GROUP, "kind": kind, "name": metadata.get("name")});
    let subject = json!({"kind": "ServiceAccount", "name": names.account(), "namespace": names.namespace()});
    [
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata, "rules": rules}),
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": reference, "subjects": [subject]}),
    ]
}

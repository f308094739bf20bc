//! What an installation consists of, in the order in which it is applied. Pure.

use serde_json::json;
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;

use super::Plan;
use super::{roles, workload};
use crate::virtual_cluster_name::VirtualClusterName;

/// Where a fleet runs unless it is told otherwise.
const NAMESPACE: &str = "warren-system";
/// What everything is called in a fleet's installation.
const NAME: &str = "warren";
/// The label by which an installation's objects are found: who installed them.
pub(crate) const INSTALLED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "warren-install");

/// What the objects of an installation are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    namespace: String,
    cluster: Option<String>,
}

impl Names {
    /// Of a fleet, or of one virtual cluster alone.
    pub(crate) fn new(namespace: Option<&str>, cluster: Option<&VirtualClusterName>) -> Self {
        let default = || match cluster {
            Some(cluster) => cluster.key(None).namespace.to_string(),
            None => NAMESPACE.to_owned(),
        };
        Self {
            namespace: namespace.map_or_else(default, str::to_owned),
            cluster: cluster.map(|cluster| cluster.as_str().to_owned()),
        }
    }

    /// Where it is installed.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The one virtual cluster, if it is for one alone.
    pub(crate) fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// The stateful set's name; its Service is beside the one of the virtual cluster's API.
    pub(crate) fn workload(&self) -> &str {
        self.cluster.as_deref().unwrap_or(NAME)
    }

    /// The name of the Service that governs the stateful set, or leads to the front door.
    pub(crate) fn service(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("{cluster}-headless"),
            None => NAME.to_owned(),
        }
    }

    /// The name of account and roles.
    pub(crate) fn account(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("vc-{cluster}"),
            None => NAME.to_owned(),
        }
    }

    /// The name of cluster roles: unique on the host.
    pub(crate) fn cluster_role(&self) -> String {
        match self.namespace.as_str() {
            NAMESPACE => NAME.to_owned(),
            namespace => format!("{NAME}-{namespace}"),
        }
    }

    /// The Secret with the configuration of the one virtual cluster.
    pub(crate) fn config(&self) -> String {
        format!("vc-config-{}", self.workload())
    }

    /// What tells this installation from others on the same host.
    pub(crate) fn instance(&self) -> String {
        self.cluster.clone().unwrap_or_else(|| self.cluster_role())
    }

    /// What the pod is found by.
    pub(crate) fn selector(&self) -> Value {
        json!({"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": self.instance()})
    }

    /// The metadata of a namespaced object.
    pub(crate) fn metadata(&self, name: &str) -> Value {
        let mut metadata = self.host_metadata(name);
        metadata.set("/namespace", self.namespace.as_str());
        metadata
    }

    /// The metadata of a cluster-scoped object.
    pub(crate) fn host_metadata(&self, name: &str) -> Value {
        let mut labels = self.selector();
        if let Some(labels) = labels.as_object_mut() {
            labels.insert(INSTALLED_BY.0.to_owned(), json!(INSTALLED_BY.1));
        }
        json!({"name": name, "labels": labels})
    }
}

/// All of it.
pub(super) fn all(plan: &Plan) -> Vec<Value> {
    let names = &plan.names;
    let mut all = vec![namespace(names)];
    if names.cluster().is_none() {
        let mut definition = warren_config::crd::custom_resource_definition();
        let name = definition.text("/metadata/name").to_owned();
        definition.set("/metadata", names.host_metadata(&name));
        all.push(definition);
    }
    all.push(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": names.metadata(&names.account())}),
    );
    all.extend(roles::all(plan));
    all.extend(workload::all(plan));
    all
}

/// Warren's own pod keeps to the strictest Pod Security Standard; what tenants run may stand in the same namespace only
/// where it is of one virtual cluster alone.
fn namespace(names: &Names) -> Value {
    let mut metadata = names.host_metadata(names.namespace());
    if names.cluster().is_none() {
        metadata.set("/labels/pod-security.kubernetes.io~1enforce", "restricted");
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

/// As `kubectl apply -f -` reads it.
pub(super) fn to_yaml(manifests: &[Value]) -> anyhow::Result<String> {
    let mut text = String::new();
    for object in manifests {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(object)?);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::{ServiceType, resource_of};

    fn plan(cluster: Option<&str>, config: Value) -> Plan {
        let cluster = cluster.map(|name| name.parse().unwrap());
        Plan {
            names: Names::new(None, cluster.as_ref()),
            spec: serde_json::from_value(config.clone()).unwrap(),
            config: Some(config),
            image: "registry.example/warren:1".to_owned(),
            storage: "5Gi".to_owned(),
            storage_class: None,
            front_door: None,
        }
    }

    #[test]
    fn a_fleet_is_installed_by_these_manifests() {
        let mut plan = plan(None, json!({}));
        plan.front_door = Some(("k8s.example".to_owned(), ServiceType::LoadBalancer));
        let mut all = all(&plan);
        // It is a file of its own.
        all.retain(|object| object.text("/kind") != "CustomResourceDefinition");
        insta::assert_snapshot!("fleet", to_yaml(&all).unwrap());
    }

    #[test]
    fn one_virtual_cluster_is_installed_without_anything_cluster_scoped() {
        let plan = plan(
            Some("demo"),
            json!({"sync": {"toHost": {"ingresses": {"enabled": true}}}}),
        );
        let all = all(&plan);
        let kinds: Vec<&str> = all.iter().map(|object| object.text("/kind")).collect();
        for kind in ["CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"] {
            assert!(!kinds.contains(&kind), "{kinds:?}");
        }
        insta::assert_snapshot!("cluster", to_yaml(&all).unwrap());
    }

    #[test]
    fn the_plurals_of_what_is_installed_are_regular() {
        let plurals: Vec<String> = all(&plan(None, json!({})))
            .iter()
            .map(|object| resource_of(object).plural)
            .collect();
        assert_eq!(
            plurals,
            [
                "namespaces",
                "customresourcedefinitions",
                "serviceaccounts",
                "clusterroles",
                "clusterrolebindings",
                "services",
                "statefulsets"
            ]
        );
    }
}

//! The node authoriser: a node reads what the pods that run on it need, and what is its own.
//!
//! Upstream keeps a graph for this. A virtual cluster's nodes seldom have kubelets that ask it, so nothing is kept:
//! what leads from an object to a node is looked up among the pods of that node.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use warren_apimachinery::resource::{PERSISTENT_VOLUMES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object, ObjectKey};
use warren_rbac::{Attributes, Decision, Rule};
use warren_storage::Snapshot;

use crate::pod_references;

const NODE_LEASES: &str = "kube-node-lease";
const MIRROR: &str = "kubernetes.io/config.mirror";
/// What all nodes may do alike.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |verbs: &[&str], group: &str, resources: &[&str]| {
        Rule::parse(&json!({"verbs": verbs, "apiGroups": [group], "resources": resources}))
    };
    let (read, write) = (&["get", "list", "watch"], &["create", "update", "patch"]);
    vec![
        rule(&["create"], "authentication.k8s.io", &["tokenreviews"]),
        rule(
            &["create"],
            "authorization.k8s.io",
            &["subjectaccessreviews", "localsubjectaccessreviews"],
        ),
        rule(read, "", &["services"]),
        rule(write, "", &["events"]),
        rule(write, "events.k8s.io", &["events"]),
        rule(&["get"], "", &["endpoints"]),
        rule(
            &["create", "get", "list", "watch"],
            "certificates.k8s.io",
            &["certificatesigningrequests"],
        ),
        rule(read, "storage.k8s.io", &["csidrivers"]),
        rule(read, "node.k8s.io", &["runtimeclasses"]),
    ]
});

/// May the node of that name do this? An empty name is of nobody.
pub(crate) fn decide(now: &Snapshot, node: &str, asked: &Attributes<'_>) -> Decision {
    if node.is_empty() {
        return refuse("unknown node for user \"system:node:\"");
    }
    let relations = Relations { now, node };
    match (asked.group, asked.resource) {
        _ if !asked.is_resource() => by_rules(asked),
        ("", "secrets") => relations.read(asked, Relations::secret),
        ("", "configmaps") => relations.read(asked, Relations::config_map),
        ("", "persistentvolumeclaims") if asked.subresource == "status" => match asked.verb {
            "update" | "patch" => relations.related(asked, Relations::claim),
            _ => refuse("can only get/update/patch this type"),
        },
        ("", "persistentvolumeclaims") => relations.get(asked, Relations::claim),
        ("", "persistentvolumes") => relations.get(asked, Relations::volume),
        ("", "serviceaccounts") => service_account(&relations, asked),
        ("", "nodes") => of_node(node, asked),
        ("", "pods") => of_pod(&relations, asked),
        ("resource.k8s.io", "resourceclaims") => relations.get(asked, Relations::device_claim),
        ("resource.k8s.io", "resourceslices") => slice(&relations, asked),
        ("storage.k8s.io", "volumeattachments") => relations.get(asked, Relations::attachment),
        ("storage.k8s.io", "csinodes") => csi_node(node, asked),
        ("coordination.k8s.io", "leases") => lease(node, asked),
        ("certificates.k8s.io", "podcertificaterequests") => refuse(""),
        _ => by_rules(asked),
    }
}

fn allow() -> Decision {
    Decision::Allow(String::new())
}

fn refuse(why: impl Into<String>) -> Decision {
    Decision::NoOpinion(why.into())
}

fn by_rules(asked: &Attributes<'_>) -> Decision {
    match RULES.iter().any(|rule| rule.allows(asked)) {
        true => allow(),
        false => refuse(""),
    }
}

fn service_account(relations: &Relations<'_>, asked: &Attributes<'_>) -> Decision {
    if asked.verb == "get" && asked.subresource.is_empty() {
        return relations.read(asked, Relations::account);
    }
    if asked.verb != "create" || asked.name.is_empty() {
        return refuse("can only create tokens for individual service accounts");
    }
    if asked.subresource != "token" {
        return refuse("can only create token subresource of serviceaccount");
    }
    relations.related(asked, Relations::account)
}

/// Whom a kubelet's leases and storage objects belong to is seen by their names; at their creation NodeRestriction
/// looks.
fn by_name(node: &str, asked: &Attributes<'_>, other: &str) -> Decision {
    match asked.verb == "create" || asked.name == node {
        true => allow(),
        false => refuse(other),
    }
}

fn lease(node: &str, asked: &Attributes<'_>) -> Decision {
    if !matches!(asked.verb, "get" | "create" | "update" | "patch" | "delete") {
        return refuse("can only get, create, update, patch, or delete a node lease");
    }
    if asked.namespace != NODE_LEASES {
        return refuse(format!(
            "can only access leases in the {NODE_LEASES:?} system namespace"
        ));
    }
    by_name(
        node,
        asked,
        "can only access node lease with the same name as the requesting node",
    )
}

fn csi_node(node: &str, asked: &Attributes<'_>) -> Decision {
    if !matches!(asked.verb, "get" | "create" | "update" | "patch" | "delete") {
        return refuse("can only get, create, update, patch, or delete a CSINode");
    }
    if !asked.subresource.is_empty() {
        return refuse("cannot authorize CSINode subresources");
    }
    by_name(
        node,
        asked,
        "can only access CSINode with the same name as the requesting node",
    )
}

fn slice(relations: &Relations<'_>, asked: &Attributes<'_>) -> Decision {
    if !asked.subresource.is_empty() {
        return refuse("cannot authorize ResourceSlice subresources");
    }
    match asked.verb {
        "create" => allow(),
        "get" | "update" | "patch" | "delete" => relations.related(asked, Relations::slice),
        "watch" | "list" | "deletecollection" if selects(asked, relations.node) => allow(),
        "watch" | "list" | "deletecollection" => {
            refuse("can only list/watch/deletecollection resourceslices with nodeName field selector")
        }
        _ => refuse(
            "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
        ),
    }
}

fn of_node(node: &str, asked: &Attributes<'_>) -> Decision {
    match (asked.subresource, asked.verb) {
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => allow(),
        ("", "get" | "list" | "watch") => match asked.name {
            name if name == node => allow(),
            "" => refuse(format!(
                "node '{node}' cannot read all nodes, only its own Node object"
            )),
            name => refuse(format!(
                "node '{node}' cannot read '{name}', only its own Node object"
            )),
        },
        _ => refuse(""),
    }
}

fn of_pod(relations: &Relations<'_>, asked: &Attributes<'_>) -> Decision {
    match (asked.subresource, asked.verb) {
        ("", "get") => relations.get(asked, Relations::pod),
        ("", "list" | "watch") if selects(asked, relations.node) => allow(),
        ("", "list" | "watch") if !asked.name.is_empty() => relations.related(asked, Relations::pod),
        ("", "list" | "watch") => refuse("can only list/watch pods with spec.nodeName field selector"),
        ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => allow(),
        _ => refuse(""),
    }
}

/// Whether only objects of that node are asked for.
fn selects(asked: &Attributes<'_>, node: &str) -> bool {
    let parts = asked.fields.split(',');
    let mut pairs = parts.filter_map(|part| part.split_once("==").or_else(|| part.split_once('=')));
    pairs.any(|(field, value)| field == "spec.nodeName" && value == node)
}

/// What leads to one node.
struct Relations<'a> {
    now: &'a Snapshot,
    node: &'a str,
}

impl<'a> Relations<'a> {
    /// Objects of a namespace that are read one by one, or watched so.
    fn read(&self, asked: &Attributes<'_>, leads: impl Fn(&Self, &str, &str) -> bool) -> Decision {
        if !matches!(asked.verb, "get" | "list" | "watch") {
            return refuse("can only read resources of this type");
        }
        if !asked.subresource.is_empty() {
            return refuse("cannot read subresource");
        }
        if asked.namespace.is_empty() {
            return refuse("can only read namespaced object of this type");
        }
        self.related(asked, leads)
    }

    fn get(&self, asked: &Attributes<'_>, leads: impl Fn(&Self, &str, &str) -> bool) -> Decision {
        if asked.verb != "get" {
            return refuse("can only get individual resources of this type");
        }
        if !asked.subresource.is_empty() {
            return refuse("cannot get subresource");
        }
        self.related(asked, leads)
    }

    fn related(&self, asked: &Attributes<'_>, leads: impl Fn(&Self, &str, &str) -> bool) -> Decision {
        if asked.name.is_empty() {
            return refuse("No Object name found");
        }
        if leads(self, asked.namespace, asked.name) {
            return allow();
        }
        let node = self.node;
        refuse(format!(
            "no relationship found between node '{node}' and this object"
        ))
    }

    fn find(&self, resource: &GroupResource, namespace: &str, name: &str) -> Option<&'a Arc<Object>> {
        self.now.get(resource, &ObjectKey::namespaced(namespace, name))
    }

    /// The pods of a namespace that run on the node, mirrors aside.
    fn pods<'s>(&'s self, namespace: &'s str) -> impl Iterator<Item = Value> + use<'s> {
        let all = self.now.list(&PODS.group_resource(), Some(namespace));
        let here = all.filter(|pod| {
            pod.meta()
                .field("spec.nodeName")
                .is_none_or(|node| node == self.node)
        });
        let here = here
            .map(|pod| pod.to_value())
            .filter(|pod| pod.text("/spec/nodeName") == self.node);
        here.filter(|pod| pod.at("/metadata/annotations").field(MIRROR).is_null())
    }

    fn pod(&self, namespace: &str, name: &str) -> bool {
        let pod = self.find(&PODS.group_resource(), namespace, name);
        pod.is_some_and(|pod| pod.to_value().text("/spec/nodeName") == self.node)
    }

    fn account(&self, namespace: &str, name: &str) -> bool {
        self.pods(namespace)
            .any(|pod| pod.text("/spec/serviceAccountName") == name)
    }

    fn config_map(&self, namespace: &str, name: &str) -> bool {
        self.pods(namespace)
            .any(|pod| pod_references::config_maps(&pod).any(|map| map == name))
    }

    fn secret(&self, namespace: &str, name: &str) -> bool {
        let by_pod = self
            .pods(namespace)
            .any(|pod| pod_references::secrets(&pod).any(|secret| secret == name));
        by_pod || self.secret_of_volume(namespace, name)
    }

    /// Secrets that a volume names whose claim a pod here uses.
    fn secret_of_volume(&self, namespace: &str, name: &str) -> bool {
        let volumes = self.now.list(&PERSISTENT_VOLUMES.group_resource(), None);
        volumes.map(|volume| volume.to_value()).any(|volume| {
            let names = volume_secrets(&volume).any(|found| found == (namespace, name));
            names && self.claim_of(&volume)
        })
    }

    fn claim(&self, namespace: &str, name: &str) -> bool {
        self.pods(namespace)
            .any(|pod| pod_references::claims(&pod).any(|claim| claim == name))
    }

    fn claim_of(&self, volume: &Value) -> bool {
        let claim = volume.at("/spec/claimRef");
        claim.is_object() && self.claim(claim.text("/namespace"), claim.text("/name"))
    }

    fn volume(&self, _: &str, name: &str) -> bool {
        let volume = self.find(&PERSISTENT_VOLUMES.group_resource(), "", name);
        volume.is_some_and(|volume| self.claim_of(&volume.to_value()))
    }

    fn device_claim(&self, namespace: &str, name: &str) -> bool {
        self.pods(namespace)
            .any(|pod| pod_references::device_claims(&pod).any(|claim| claim == name))
    }

    fn attachment(&self, _: &str, name: &str) -> bool {
        self.names_node("storage.k8s.io", "volumeattachments", name)
    }

    fn slice(&self, _: &str, name: &str) -> bool {
        self.names_node("resource.k8s.io", "resourceslices", name)
    }

    fn names_node(&self, group: &str, plural: &str, name: &str) -> bool {
        let object = self.find(&GroupResource::new(group, plural), "", name);
        object.is_some_and(|object| object.to_value().text("/spec/nodeName") == self.node)
    }
}

/// The secrets that a kubelet needs for a volume, by namespace and name.
fn volume_secrets(volume: &Value) -> impl Iterator<Item = (&str, &str)> {
    const KINDS: [&str; 7] = [
        "cephfs",
        "cinder",
        "flexVolume",
        "rbd",
        "scaleIO",
        "iscsi",
        "storageos",
    ];
    const OF_DRIVERS: [&str; 3] = [
        "nodePublishSecretRef",
        "nodeStageSecretRef",
        "nodeExpandSecretRef",
    ];
    let of_claim = volume.text("/spec/claimRef/namespace");
    let spec = volume.at("/spec");
    let kinds = KINDS.iter().map(|kind| spec.field(kind).at("/secretRef"));
    let drivers = OF_DRIVERS.iter().map(|field| spec.at("/csi").field(field));
    let file = spec.at("/azureFile");
    let file = (file.text("/secretNamespace"), file.text("/secretName"));
    let named = kinds
        .chain(drivers)
        .map(|secret| (secret.text("/namespace"), secret.text("/name")));
    named
        .chain(std::iter::once(file))
        .filter(|(_, name)| !name.is_empty())
        .map(move |(namespace, name)| {
            let namespace = if namespace.is_empty() { of_claim } else { namespace };
            (namespace, name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::snapshot;

    fn cluster() -> Snapshot {
        let pod = |name: &str, node: &str, spec: Value| {
            let mut pod = json!({"metadata": {"name": name, "namespace": "a", "uid": name}, "spec": spec});
            pod.set("/spec/nodeName", node);
            ("pods", pod)
        };
        let uses = json!({"serviceAccountName": "runner", "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "env"}}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "own", "ephemeral": {"volumeClaimTemplate": {}}}]});
        snapshot(&[
            pod("p", "here", uses),
            pod("q", "there", json!({"imagePullSecrets": [{"name": "other"}]})),
            (
                "persistentvolumes",
                json!({"metadata": {"name": "v", "uid": "v"}, "spec": {"claimRef": {"namespace": "a", "name": "data"},
                    "csi": {"nodeStageSecretRef": {"namespace": "b", "name": "stage"}}}}),
            ),
        ])
    }

    fn check(verb: &str, what: &str, expect: Result<(), &str>) {
        let (namespace, rest) = what.split_once(':').unwrap();
        let mut parts = rest.splitn(3, '/');
        let resource = GroupResource::parse(parts.next().unwrap());
        let name = parts.next().unwrap_or_default();
        let asked = Attributes {
            verb,
            group: &resource.group,
            resource: &resource.resource,
            subresource: parts.next().unwrap_or_default(),
            namespace,
            name,
            ..Attributes::default()
        };
        let found = match decide(&cluster(), "here", &asked) {
            Decision::Allow(_) => Ok(()),
            Decision::NoOpinion(why) => Err(why),
        };
        assert_eq!(
            found.as_ref().map_err(String::as_str).copied(),
            expect,
            "{verb} {what}"
        );
    }

    const NONE: Result<(), &str> = Err("no relationship found between node 'here' and this object");

    #[test]
    fn what_pods_here_need_is_read_and_nothing_else() {
        for what in [
            "a:secrets/pull",
            "a:configmaps/env",
            "a:persistentvolumeclaims/data",
            "a:persistentvolumeclaims/p-own",
            ":persistentvolumes/v",
            "b:secrets/stage",
            "a:serviceaccounts/runner",
            "a:pods/p",
            ":nodes/here",
        ] {
            check("get", what, Ok(()));
        }
        for what in [
            "a:secrets/other",
            "b:secrets/pull",
            "a:configmaps/x",
            "a:persistentvolumeclaims/x",
            ":persistentvolumes/x",
            "a:serviceaccounts/x",
            "a:pods/q",
        ] {
            check("get", what, NONE);
        }
        check("create", "a:serviceaccounts/runner/token", Ok(()));
        check("create", "a:serviceaccounts/x/token", NONE);
    }

    #[test]
    fn refusals_say_what_upstream_says() {
        check("list", "a:secrets", Err("No Object name found"));
        check(
            "list",
            ":secrets",
            Err("can only read namespaced object of this type"),
        );
        check(
            "update",
            "a:secrets/pull",
            Err("can only read resources of this type"),
        );
        check(
            "list",
            "a:persistentvolumeclaims",
            Err("can only get individual resources of this type"),
        );
        check(
            "list",
            "a:pods",
            Err("can only list/watch pods with spec.nodeName field selector"),
        );
        check(
            "list",
            ":nodes",
            Err("node 'here' cannot read all nodes, only its own Node object"),
        );
        check(
            "get",
            ":nodes/x",
            Err("node 'here' cannot read 'x', only its own Node object"),
        );
        check(
            "get",
            "a:leases.coordination.k8s.io/here",
            Err("can only access leases in the \"kube-node-lease\" system namespace"),
        );
        check(
            "update",
            "kube-node-lease:leases.coordination.k8s.io/here",
            Ok(()),
        );
        check("create", "a:events", Ok(()));
        check("create", "a:deployments.apps", Err(""));
    }

    #[test]
    fn a_list_of_its_own_pods_is_its_to_read() {
        let asked = Attributes {
            verb: "watch",
            resource: "pods",
            fields: "spec.nodeName=here",
            ..Attributes::default()
        };
        assert!(decide(&cluster(), "here", &asked).allowed());
        assert!(!decide(&cluster(), "there", &asked).allowed());
    }
}

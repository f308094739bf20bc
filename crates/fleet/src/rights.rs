//! What Warren does on a host, as RBAC has it: what `warren install` grants.
//!
//! The kinds that cross come from the syncer's own table; here is what the fleet itself writes, and the subresources
//! that streams and followed changes go to.

use std::collections::{BTreeMap, BTreeSet};

use warren_apimachinery::resource::{self, Scope};
use warren_apimachinery::{Resource, Value};
use warren_config::VirtualClusterSpec;
use warren_syncer::{Reach, host_kinds};

/// Where a right holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the whole host.
    Host,
    /// Where virtual clusters are.
    Clusters,
    /// In another namespace of the host.
    Namespace(String),
}

/// One rule of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Where it holds.
    pub place: Place,
    /// The API group.
    pub group: String,
    /// Resources and subresources.
    pub resources: Vec<String>,
    /// What may be done.
    pub verbs: Vec<String>,
}

impl Right {
    /// As it stands in `rules` of a role.
    pub fn rule(&self) -> Value {
        serde_json::json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs})
    }
}

/// How virtual clusters are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By `VirtualCluster` objects.
    Objects,
    /// By a file: one virtual cluster, in one namespace, and nothing outside of it.
    File,
}

const KEEPS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
/// What a proxied request may be: RBAC goes by its method.
const PROXIES: &[&str] = &["get", "create", "update", "patch", "delete"];
/// Upgraded streams: an API server from 1.35 on asks for `create` whatever the method.
const STREAMS: &[&str] = &["get", "create"];

/// What a configuration needs. By place, then group, then verbs; nothing twice.
pub fn rights(spec: &VirtualClusterSpec, asked: Asked) -> Vec<Right> {
    let mut all = Rights::default();
    if asked == Asked::Objects {
        let clusters = resource::VIRTUAL_CLUSTERS;
        all.add(
            Place::Clusters,
            clusters.group,
            clusters.plural,
            &["get", "list", "watch", "patch"],
        );
        all.add(
            Place::Clusters,
            clusters.group,
            "virtualclusters/status",
            &["patch"],
        );
        all.add(Place::Clusters, "", "events", &["create", "patch"]);
    }
    for kind in own_kinds(spec, asked) {
        all.add(Place::Clusters, kind.group, kind.plural, KEEPS);
    }
    let own = own_place(spec);
    for kind in host_kinds(spec) {
        let place = match (&kind.reach, kind.resource.scope) {
            (Reach::Namespace(namespace), _) => Place::Namespace(namespace.clone()),
            (Reach::All, _) | (_, Scope::Cluster) => Place::Host,
            (Reach::Ours | Reach::OwnNamespace, Scope::Namespaced) => own.clone(),
        };
        all.add(place, kind.resource.group, kind.resource.plural, kind.verbs);
    }
    subresources(spec, &mut all);
    all.rights(asked)
}

/// The kinds that stand beside a virtual cluster on its host: see `virtual_cluster::host_objects`.
pub(crate) fn own_kinds(spec: &VirtualClusterSpec, asked: Asked) -> Vec<Resource> {
    let (control_plane, policies) = (&spec.control_plane, &spec.policies);
    let wanted = [
        (resource::SERVICES, true),
        (resource::ENDPOINT_SLICES, true),
        (resource::SECRETS, true),
        (resource::CONFIG_MAPS, asked == Asked::File),
        (
            resource::SERVICE_ACCOUNTS,
            control_plane.advanced.workload_service_account.enabled,
        ),
        (resource::RESOURCE_QUOTAS, policies.wants_resource_quota()),
        (resource::LIMIT_RANGES, policies.wants_limit_range()),
        (resource::NETWORK_POLICIES, policies.network_policy.enabled),
        (resource::INGRESSES, control_plane.ingress.enabled),
    ];
    let wanted = wanted.into_iter().filter(|(_, wanted)| *wanted);
    wanted.map(|(resource, _)| resource).collect()
}

/// All kinds that virtual clusters may have on a host, whatever their configuration, custom resources aside: what is to be
/// looked through when nothing may be left.
pub fn crossing_kinds() -> Vec<Resource> {
    const BESIDE: [Resource; 3] = [
        resource::RESOURCE_QUOTAS,
        resource::LIMIT_RANGES,
        resource::NETWORK_POLICIES,
    ];
    let mut kinds = warren_syncer::crossing_kinds();
    for kind in BESIDE {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Where a virtual cluster's objects are: also in namespaces that are made for it.
fn own_place(spec: &VirtualClusterSpec) -> Place {
    match spec.sync.to_host.namespaces.enabled {
        true => Place::Host,
        false => Place::Clusters,
    }
}

/// What streams and followed changes go to.
fn subresources(spec: &VirtualClusterSpec, all: &mut Rights) {
    if spec.sync.to_host.pods.enabled {
        for stream in ["pods/exec", "pods/attach", "pods/portforward"] {
            all.add(own_place(spec), "", stream, STREAMS);
        }
        all.add(own_place(spec), "", "pods/log", &["get"]);
        for proxy in ["pods/proxy", "services/proxy"] {
            all.add(own_place(spec), "", proxy, PROXIES);
        }
        for part in ["pods/status", "pods/ephemeralcontainers", "pods/resize"] {
            all.add(own_place(spec), "", part, &["patch"]);
        }
    }
    let metrics = &spec.integrations.metrics_server;
    if metrics.enabled && metrics.pods {
        all.add(own_place(spec), "metrics.k8s.io", "pods", &["get", "list"]);
    }
    if metrics.enabled && metrics.nodes {
        all.add(Place::Host, "metrics.k8s.io", "nodes", &["get", "list"]);
    }
    if spec.sync.from_host.nodes.enabled {
        all.add(Place::Host, "", "nodes/proxy", &["get"]);
        if spec.sync.from_host.nodes.sync_back_changes {
            all.add(Place::Host, "", "nodes", &["patch"]);
        }
    }
}

/// Rights while they are gathered: by place, group and resource.
#[derive(Default)]
struct Rights(BTreeMap<(Place, String, String), BTreeSet<String>>);

impl Rights {
    fn add(&mut self, place: Place, group: &str, resource: &str, verbs: &[&str]) {
        let row = self
            .0
            .entry((place, group.to_owned(), resource.to_owned()))
            .or_default();
        row.extend(verbs.iter().map(|verb| (*verb).to_owned()));
    }

    /// Resources with the same verbs share a rule. What is asked for by file reaches nothing outside its namespace, and
    /// what is granted everywhere is not granted again in one namespace.
    fn rights(mut self, asked: Asked) -> Vec<Right> {
        if asked == Asked::File {
            self.0.retain(|(place, _, _), _| *place == Place::Clusters);
        }
        let mut rules: BTreeMap<(Place, String, Vec<String>), Vec<String>> = BTreeMap::new();
        for ((place, group, resource), verbs) in self.0 {
            let verbs = in_order(verbs);
            rules.entry((place, group, verbs)).or_default().push(resource);
        }
        let rules = rules.into_iter();
        rules
            .map(|((place, group, verbs), resources)| Right {
                place,
                group,
                resources,
                verbs,
            })
            .collect()
    }
}

/// As people write them: reading first.
fn in_order(verbs: BTreeSet<String>) -> Vec<String> {
    const ORDER: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let mut verbs: Vec<String> = verbs.into_iter().collect();
    verbs.sort_by_key(|verb| ORDER.iter().position(|known| known == verb));
    verbs
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use serde_json::json;

    use super::*;

    fn table(spec: Value, asked: Asked) -> String {
        let spec = serde_json::from_value(spec).unwrap();
        let mut text = String::new();
        for right in rights(&spec, asked) {
            let group = if right.group.is_empty() {
                "core"
            } else {
                &right.group
            };
            let (resources, verbs) = (right.resources.join(" "), right.verbs.join(" "));
            writeln!(text, "{:?} | {group} | {resources} | {verbs}", right.place).unwrap();
        }
        text
    }

    #[test]
    fn the_defaults_need_this_and_no_more() {
        insta::assert_snapshot!("rights", table(json!({}), Asked::Objects));
    }

    #[test]
    fn one_cluster_in_one_namespace_needs_nothing_outside_of_it() {
        let text = table(
            json!({"sync": {"fromHost": {"nodes": {"enabled": true}}}}),
            Asked::File,
        );
        assert!(!text.contains("Host |") && !text.contains("warren.dev"), "{text}");
        assert!(text.contains("pods"), "{text}");
    }

    #[test]
    fn what_is_switched_on_is_asked_for() {
        let spec = json!({"sync": {"toHost": {"ingresses": {"enabled": true}, "priorityClasses": {"enabled": true}},
            "fromHost": {"secrets": {"enabled": true, "mappings": {"byName": {"shared/pull": "default/pull"}}}}},
            "policies": {"resourceQuota": {"enabled": true}},
            "integrations": {"metricsServer": {"enabled": true}}});
        let text = table(spec, Asked::Objects);
        for expect in [
            "ingresses",
            "priorityclasses",
            "resourcequotas",
            "metrics.k8s.io",
            "Namespace(\"shared\")",
        ] {
            assert!(text.contains(expect), "{expect}: {text}");
        }
    }
}

//! Which kinds of the host a configuration reads and writes: what the remote port watches and what `warren install` asks
//! rights for. Derived from the rules' own tables, so that it can't say another thing than they do.

use std::collections::BTreeSet;

use warren_apimachinery::resource::{self, Scope};
use warren_apimachinery::{GroupResource, Resource};
use warren_config::{Mappings, VirtualClusterSpec};

use crate::catalogue::MIRRORED;
use crate::replicated_service;
use crate::shown;

/// A kind of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKind {
    /// The kind. Version and kind are empty for custom resources whose configuration does not say them: discovery does.
    pub resource: Resource,
    /// Which of its objects.
    pub reach: Reach,
    /// What is done with them, as RBAC has it.
    pub verbs: &'static [&'static str],
}

/// Which objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that carry our label: in the virtual cluster's host namespace, or cluster-scoped.
    Ours,
    /// All of the virtual cluster's host namespace, ours or not.
    OwnNamespace,
    /// All of another host namespace.
    Namespace(String),
    /// All of the host.
    All,
}

/// What is done with a kind that goes to the host.
const WRITES: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
/// What is done with a kind that comes from the host.
const READS: &[&str] = &["get", "list", "watch"];

/// See the module.
pub fn host_kinds(spec: &VirtualClusterSpec) -> Vec<HostKind> {
    let to_host = &spec.sync.to_host;
    let always = [
        (resource::PODS, to_host.pods.enabled),
        (resource::SERVICES, to_host.services.enabled),
        (resource::CONFIG_MAPS, to_host.config_maps.enabled),
        // Tokens of pods are in Secrets, whatever becomes of the tenant's.
        (resource::SECRETS, to_host.secrets.enabled || to_host.pods.enabled),
        // The account that pods run as, in each of those.
        (
            resource::SERVICE_ACCOUNTS,
            to_host.namespaces.enabled && !to_host.service_accounts.enabled,
        ),
    ];
    let mirrored = MIRRORED
        .iter()
        .map(|row| (row.resource, (row.setting)(spec).enabled));
    let mut kinds: Vec<HostKind> = always
        .into_iter()
        .chain(mirrored)
        .filter(|(_, enabled)| *enabled)
        .map(|(resource, _)| written(resource))
        .collect();
    let custom = to_host
        .custom_resources
        .iter()
        .filter(|(_, custom)| custom.enabled);
    kinds.extend(
        custom
            .filter_map(|(name, custom)| named(name, custom.scope))
            .map(written),
    );
    from_host(spec, &mut kinds);
    replicated_services(spec, &mut kinds);
    kinds
}

fn from_host(spec: &VirtualClusterSpec, kinds: &mut Vec<HostKind>) {
    let sync = &spec.sync;
    for row in shown::CLASSES {
        if (row.setting)(spec).enabled {
            kinds.push(read(row.resource, Reach::All));
        }
    }
    kinds.push(read(resource::NODES, Reach::All));
    if sync.from_host.events.enabled {
        kinds.push(read(resource::EVENTS, Reach::OwnNamespace));
    }
    if sync.to_host.persistent_volume_claims.enabled {
        kinds.push(read(resource::PERSISTENT_VOLUMES, Reach::All));
    }
    if shown::definitions(spec).next().is_some() {
        kinds.push(read(resource::CUSTOM_RESOURCE_DEFINITIONS, Reach::All));
    }
    for (resource, mapped) in shown::mapped(spec) {
        mapped_reach(mapped, resource.scope)
            .into_iter()
            .for_each(|reach| kinds.push(read(resource, reach)));
    }
}

fn replicated_services(spec: &VirtualClusterSpec, kinds: &mut Vec<HostKind>) {
    let both = [resource::SERVICES, resource::ENDPOINT_SLICES];
    if !spec.networking.replicate_services.to_host.is_empty() {
        kinds.extend(both.map(written));
    }
    for namespace in replicated_service::host_namespaces(spec) {
        let reach = namespace.map_or(Reach::OwnNamespace, Reach::Namespace);
        kinds.extend(both.map(|resource| read(resource, reach.clone())));
    }
}

/// Where the objects that mappings name are.
fn mapped_reach(mappings: &Mappings, scope: Scope) -> Vec<Reach> {
    if scope == Scope::Cluster {
        return vec![Reach::All];
    }
    let namespaces: BTreeSet<&str> = mappings
        .by_name
        .keys()
        .map(|key| key.split_once('/').map_or("", |(namespace, _)| namespace))
        .collect();
    let reach = |namespace: &str| match namespace {
        "" => Reach::OwnNamespace,
        namespace if namespace.contains(['*', '$']) => Reach::All,
        namespace => Reach::Namespace(namespace.to_owned()),
    };
    namespaces.into_iter().map(reach).collect()
}

/// `plural.group[/version]`.
pub(crate) fn named(name: &str, scope: warren_config::Scope) -> Option<Resource> {
    let (name, version) = name.split_once('/').unwrap_or((name, ""));
    let GroupResource { group, resource } = GroupResource::parse(name);
    Resource::interned(&group, version, "", &resource, self::scope(scope))
}

/// The configuration's word for a scope as the API's.
pub(crate) fn scope(said: warren_config::Scope) -> Scope {
    match said {
        warren_config::Scope::Namespaced => Scope::Namespaced,
        warren_config::Scope::Cluster => Scope::Cluster,
    }
}

fn written(resource: Resource) -> HostKind {
    HostKind {
        resource,
        reach: Reach::Ours,
        verbs: WRITES,
    }
}

fn read(resource: Resource, reach: Reach) -> HostKind {
    HostKind {
        resource,
        reach,
        verbs: READS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spec: &VirtualClusterSpec) -> Vec<String> {
        let kinds = host_kinds(spec).into_iter();
        kinds
            .map(|kind| format!("{} {:?}", kind.resource.group_resource(), kind.reach))
            .collect()
    }

    #[test]
    fn only_what_the_configuration_needs_is_watched() {
        let mut spec = VirtualClusterSpec::default();
        let before = said(&spec);
        assert!(before.contains(&"pods Ours".to_owned()));
        assert!(!before.iter().any(|kind| kind.starts_with("ingresses")));
        spec.sync.to_host.ingresses.enabled = true;
        spec.sync.from_host.secrets.enabled = true;
        let mappings = [("", "all/*"), ("team/*", "shown/*"), ("/one", "all/one")];
        spec.sync.from_host.secrets.mappings.by_name =
            mappings.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        let more: Vec<String> = said(&spec)
            .into_iter()
            .filter(|kind| !before.contains(kind))
            .collect();
        assert_eq!(
            more,
            [
                "ingresses.networking.k8s.io Ours",
                "secrets OwnNamespace",
                "secrets Namespace(\"team\")"
            ]
        );
    }
}

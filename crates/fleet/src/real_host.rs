//! The real host of a fleet, behind the remote port: what is watched of it, and whether that has come.

use std::sync::Arc;

use warren_apimachinery::resource::Scope;
use warren_apimachinery::{ClusterId, ObjectKey, Resource, Status, resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{Cluster, Want, Which};
use warren_remote::RemoteCluster;
use warren_syncer::{HostKind, Reach};

use crate::fleet::Fleet;
use crate::rights::{Asked, own_kinds};

/// What is laid over the port to a host: objects that the host itself does not have.
pub(crate) trait Overlay: Send + Sync + 'static {
    /// The host as everything in the fleet sees it.
    fn over(&self, host: Arc<dyn Cluster>) -> Arc<dyn Cluster>;
}

/// See the module.
pub(crate) struct RealHost {
    pub(crate) port: RemoteCluster,
    pub(crate) overlay: Option<Arc<dyn Overlay>>,
    /// The name that is written on the objects that this fleet serves; `None` where they are laid over the host.
    pub(crate) installation: Option<String>,
}

impl RealHost {
    /// The port, writing in the name of `actor`.
    pub(crate) fn acting_as(&self, actor: &'static str) -> Arc<dyn Cluster> {
        let port: Arc<dyn Cluster> = Arc::new(self.port.acting_as(actor));
        match &self.overlay {
            Some(overlay) => overlay.over(port),
            None => port,
        }
    }
}

impl RealHost {
    /// What a virtual cluster needs of this host. One that a file asks for has no rights outside of its namespace.
    fn wants(&self, spec: &VirtualClusterSpec, namespace: &str) -> Vec<Want> {
        let mut wants = wants(spec, namespace);
        if self.overlay.is_some() {
            wants.retain(|want| want.resource.scope == Scope::Namespaced);
        }
        wants
    }
}

/// How far the host is for one virtual cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// What is absent from the cache is absent from the host; these the host refuses to list.
    Yes(Vec<(Resource, Status)>),
    /// Not everything was listed once.
    NotYet,
}

impl Fleet {
    /// The real host; none where the host is embedded.
    pub fn remote_host(&self) -> Option<&RemoteCluster> {
        self.real_host().map(|host| &host.port)
    }

    /// The name that stands on the `VirtualCluster` objects that this fleet serves; `None` where it need not.
    pub(crate) fn installation(&self) -> Option<&str> {
        self.real_host()?.installation.as_deref()
    }

    /// Has what a virtual cluster needs of the host watched, and says whether it came.
    pub(crate) fn want_of_host(&self, id: &ClusterId, key: &ObjectKey, spec: &VirtualClusterSpec) -> Listed {
        let Some(host) = self.real_host() else {
            return Listed::Yes(Vec::new());
        };
        let wanted = host.wants(spec, &key.namespace);
        host.port.want(id.as_str(), wanted.clone());
        match host.port.in_step(&wanted) {
            Ok(refused) => Listed::Yes(refused),
            Err(_) => Listed::NotYet,
        }
    }

    /// The configuration of a virtual cluster changes: what only its last one needed stays watched until the next
    /// change, so that the rules find on the host what is no longer carried, and remove it.
    pub(crate) fn want_as_before(&self, id: &ClusterId, key: &ObjectKey, spec: &VirtualClusterSpec) {
        if let Some(host) = self.real_host() {
            host.port.want(&before(id), host.wants(spec, &key.namespace));
        }
    }

    /// A virtual cluster is gone: what only it needed of the host is no longer watched.
    pub(crate) fn want_no_more(&self, id: &ClusterId) {
        if let Some(host) = self.real_host() {
            host.port.want(id.as_str(), Vec::new());
            host.port.want(&before(id), Vec::new());
        }
    }
}

/// Who wants what a former configuration needed.
fn before(id: &ClusterId) -> String {
    format!("{id} before")
}

fn wants(spec: &VirtualClusterSpec, namespace: &str) -> Vec<Want> {
    let own = own_kinds(spec, Asked::Objects).into_iter();
    let mut wants: Vec<Want> = own.map(Want::ours).collect();
    for kind in warren_syncer::host_kinds(spec) {
        let want = want(kind, namespace);
        if !wants.contains(&want) {
            wants.push(want);
        }
    }
    wants
}

fn want(kind: HostKind, namespace: &str) -> Want {
    let which = match kind.reach {
        Reach::Ours => Which::Ours,
        Reach::All => Which::All,
        // One watch for all virtual clusters, filtered on arrival.
        Reach::OwnNamespace if kind.resource == resource::EVENTS => Which::About,
        Reach::OwnNamespace => Which::In(namespace.into()),
        Reach::Namespace(other) => Which::In(other.into()),
    };
    Want {
        resource: kind.resource,
        which,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_all_virtual_clusters_are_one_watch_and_mapped_kinds_one_of_their_namespace() {
        let mut spec = VirtualClusterSpec::default();
        spec.sync.from_host.config_maps.enabled = true;
        let mapping = ("shared/*".to_owned(), "mapped/*".to_owned());
        spec.sync.from_host.config_maps.mappings.by_name = [mapping].into();
        let wants = wants(&spec, "team");
        assert!(wants.contains(&Want {
            resource: resource::EVENTS,
            which: Which::About
        }));
        assert!(wants.contains(&Want::ours(resource::CONFIG_MAPS)));
        assert!(wants.contains(&Want::of_namespace(resource::CONFIG_MAPS, "shared")));
        let pods = wants.iter().filter(|want| want.resource == resource::PODS);
        assert_eq!(pods.count(), 1);
    }
}

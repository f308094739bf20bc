//! The tenant's pods by their names on the host.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::SmolStr;
use warren_apimachinery::{ObjectKey, resource};
use warren_reconciler::Cluster;
use warren_syncer::{Binding, stands_for};

use super::Way;

/// A tenant's pod, as it is spoken of on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) key: ObjectKey,
    pub(super) uid: SmolStr,
    pub(super) host_uid: SmolStr,
}

/// Finds pods for one answer. Bound of what it remembers: the pods that one kubelet speaks of.
pub(super) struct HostPods {
    binding: Arc<Binding>,
    host: Arc<dyn Cluster>,
    known: HashMap<ObjectKey, Option<Pod>>,
}

impl HostPods {
    pub(super) fn new(way: &Way) -> Self {
        Self {
            binding: Arc::clone(&way.binding),
            host: Arc::clone(&way.host),
            known: HashMap::new(),
        }
    }

    /// `None` for pods that are not the tenant's.
    pub(super) fn find(&mut self, namespace: &str, name: &str) -> Option<&Pod> {
        let key = ObjectKey::namespaced(namespace, name);
        let Self { binding, host, .. } = self;
        let found = self.known.entry(key).or_insert_with_key(|key| {
            let object = host.get(&resource::PODS, key)?;
            let identity = stands_for(binding, &object)?;
            (identity.kind == resource::PODS.kind).then(|| Pod {
                key: identity.key.0,
                uid: identity.uid.0,
                host_uid: object.meta().uid.clone(),
            })
        });
        found.as_ref()
    }
}

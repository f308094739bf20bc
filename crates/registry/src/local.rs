//! `LocalCluster`: the `Cluster` port over a registry of this process.

use std::sync::Arc;

use warren_apimachinery::{ClusterId, UserInfo};
use warren_reconciler::Change;
use warren_storage::{Event, EventKind};

use crate::Registry;

/// A cluster of this process, written to in the name of one actor.
pub struct LocalCluster {
    id: ClusterId,
    registry: Arc<Registry>,
    user: UserInfo,
    field_manager: &'static str,
}

impl LocalCluster {
    /// A port that writes as `system:{actor}` with `actor` as field manager.
    pub fn new(registry: Arc<Registry>, actor: &'static str) -> Self {
        Self {
            id: registry.store().cluster().clone(),
            registry,
            user: UserInfo::system(&format!("system:{actor}")),
            field_manager: actor,
        }
    }
}

/// What a committed event tells the queue.
pub fn change(cluster: &ClusterId, event: &Event) -> Change {
    Change {
        cluster: cluster.clone(),
        resource: event.resource.clone(),
        object: Arc::clone(&event.object),
        previous: event.previous.clone(),
        deleted: event.kind == EventKind::Deleted,
    }
}

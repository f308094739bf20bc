//! From commits to the queue: every store of the fleet tells the one runtime what changed.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc::UnboundedSender;
use warren_apimachinery::ClusterId;
use warren_reconciler::Runtime;
use warren_registry::local::change;
use warren_storage::{CommitListener, Event};

/// The commit listener of all stores. Silent until the runtime is there: the first full pass finds what was missed.
pub(crate) struct Feed {
    runtime: OnceLock<Arc<Runtime>>,
    /// Clusters whose store failed. Bound: one entry per cluster and failure, and a store that failed takes no more
    /// writes that could fail.
    failed: UnboundedSender<ClusterId>,
}

impl Feed {
    /// A feed that tells of failed stores.
    pub(crate) fn new(failed: UnboundedSender<ClusterId>) -> Self {
        Self {
            runtime: OnceLock::new(),
            failed,
        }
    }

    /// From now on `runtime` hears of every commit.
    pub(crate) fn connect(&self, runtime: Arc<Runtime>) {
        // A second runtime would be a second owner of the same queue; the first one stays.
        let _ = self.runtime.set(runtime);
    }
}

impl CommitListener for Feed {
    fn committed(&self, cluster: &ClusterId, events: &[Event]) {
        if let Some(runtime) = self.runtime.get() {
            runtime.observe(events.iter().map(|event| change(cluster, event)));
        }
    }

    fn failed(&self, cluster: &ClusterId) {
        // Nobody listens any more when the fleet goes down.
        let _ = self.failed.send(cluster.clone());
    }
}

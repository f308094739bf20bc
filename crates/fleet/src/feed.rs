//! From commits to the queue: every store of the fleet tells the one runtime what changed.

use std::sync::{Arc, OnceLock};

use warren_apimachinery::ClusterId;
use warren_reconciler::Runtime;
use warren_registry::local::change;
use warren_storage::{CommitListener, Event};

/// The commit listener of all stores. Silent until the runtime is there: the first full pass finds what was missed.
#[derive(Default)]
pub(crate) struct Feed {
    runtime: OnceLock<Arc<Runtime>>,
}

impl Feed {
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
}

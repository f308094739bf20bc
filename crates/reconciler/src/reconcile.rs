//! The `Reconciler` trait: a level-triggered, idempotent decision with a thin shell.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use warren_apimachinery::{ClusterId, ObjectKey, Resource, Status};

use crate::cluster::{Change, Cluster, Clusters};

/// Where triggers put what has to be looked at again.
pub struct Triggers<'a> {
    pub(crate) add: &'a mut dyn FnMut(ClusterId, ObjectKey),
    pub(crate) cluster: ClusterId,
}

impl<'a> Triggers<'a> {
    /// Collects for a change in `cluster`; `add` receives every key. Tests may pass a closure that pushes.
    pub fn new(cluster: ClusterId, add: &'a mut dyn FnMut(ClusterId, ObjectKey)) -> Self {
        Self { add, cluster }
    }

    /// A key in the cluster of the change.
    pub fn add(&mut self, key: ObjectKey) {
        (self.add)(self.cluster.clone(), key);
    }

    /// A key in another cluster.
    pub fn add_to(&mut self, cluster: ClusterId, key: ObjectKey) {
        (self.add)(cluster, key);
    }
}

/// What a pass ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing until something changes.
    Wait,
    /// Look again after this time, even if nothing changes.
    After(Duration),
}

/// Why a pass failed, and when to retry.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReconcileError {
    /// The API refused. Retried with exponential backoff, which starts at 5 ms.
    #[error("{0}")]
    Api(#[from] Status),
    /// Retry with exponential backoff.
    #[error("{0}")]
    Retry(String),
    /// Pointless until something changes; an event or condition already says why.
    #[error("{0}")]
    Never(String),
}

/// What a pass works with.
pub struct Context {
    /// The cluster that the key is in.
    pub cluster: Arc<dyn Cluster>,
    /// The other clusters.
    pub clusters: Arc<dyn Clusters>,
    /// The time of this pass.
    pub now: jiff::Timestamp,
}

/// A controller or a sync rule, for all clusters of the fleet: holds no state per tenant.
///
/// Level-triggered: `reconcile` looks at what is, not at what changed, and may be called at any time, also
/// for keys that are gone. The same key is never reconciled twice at once.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// For queues, metrics and logs: `deployment`, `sync-pods`.
    fn name(&self) -> &'static str;

    /// The user and field manager it writes as, such as `kube-controller-manager`.
    fn actor(&self) -> &'static str {
        "kube-controller-manager"
    }

    /// The resources whose changes it wants to see. The first is its primary one: on start, and in the
    /// periodic full pass, `triggers` is called for every object of all of them.
    fn watches(&self) -> &'static [Resource];

    /// Whether it wants to see the changes of every resource, known and unknown, beyond those it names: the
    /// garbage collector does.
    fn watches_everything(&self) -> bool {
        false
    }

    /// Which keys a change concerns. Called in the commit path, so: quick, no parsing where the index
    /// suffices. `cluster` is the cluster of the change.
    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>);

    /// Brings one key closer to what is desired.
    ///
    /// # Errors
    /// The error says when to retry.
    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError>;
}

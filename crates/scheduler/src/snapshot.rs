//! The cluster as one decision sees it.

use std::sync::Arc;

use warren_apimachinery::Value;

use crate::node_view::NodeView;
use crate::pod_view::PodView;
use crate::requests::Amounts;

/// A node and the pods on it, those included that were just sent there.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) node: Arc<NodeView>,
    pub(crate) pods: Vec<Arc<PodView>>,
    pub(crate) used: Amounts,
}

impl Seat {
    pub(crate) fn new(node: Arc<NodeView>) -> Self {
        Self {
            node,
            pods: Vec::new(),
            used: Amounts::default(),
        }
    }

    pub(crate) fn add(&mut self, pod: Arc<PodView>) {
        self.used.add(&pod.requests);
        self.pods.push(pod);
    }
}

/// All seats, and the labels of namespaces for selectors of namespaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) seats: Vec<Seat>,
    /// Namespace name and its labels object.
    pub(crate) namespaces: Vec<(String, Value)>,
}

impl Snapshot {
    pub(crate) fn pods(&self) -> impl Iterator<Item = (&Seat, &PodView)> {
        self.seats
            .iter()
            .flat_map(|seat| seat.pods.iter().map(move |pod| (seat, pod.as_ref())))
    }
}

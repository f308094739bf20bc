//! May this pod run on this node? One file per upstream plugin; each answers with upstream's reason.

use crate::pod_view::PodView;
use crate::snapshot::{Seat, Snapshot};

pub(crate) mod node_affinity;
mod node_ports;
mod node_resources;
pub(crate) mod pod_affinity;
pub(crate) mod spread;
pub(crate) mod taints;

/// The reasons why `pod` cannot run on `seat`; none if it can. As upstream does, the first filter that
/// refuses decides.
pub(crate) fn refusals(pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> Vec<String> {
    if seat.node.unschedulable && !taints::tolerates_unschedulable(pod) {
        return vec!["node(s) were unschedulable".to_owned()];
    }
    if let Some(reason) = taints::refusal(pod, &seat.node) {
        return vec![reason];
    }
    if let Some(reason) = node_affinity::refusal(pod, &seat.node) {
        return vec![reason.to_owned()];
    }
    if node_ports::conflict(pod, seat) {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    let lacking = node_resources::refusals(pod, seat);
    if !lacking.is_empty() {
        return lacking;
    }
    if let Some(reason) = spread::refusal(pod, seat, snapshot) {
        return vec![reason.to_owned()];
    }
    pod_affinity::refusal(pod, seat, snapshot)
        .map(str::to_owned)
        .into_iter()
        .collect()
}

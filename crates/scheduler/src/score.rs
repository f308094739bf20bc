//! Which of the nodes that would do is best.

use std::cmp::Reverse;

use crate::filter::{node_affinity, pod_affinity, spread, taints};
use crate::pod_view::PodView;
use crate::snapshot::{Seat, Snapshot};

/// Compared as a whole, greater is better: preferences first, then spreading, then free room.
pub(crate) type Score = (
    Reverse<usize>,
    i64,
    Reverse<i64>,
    Reverse<usize>,
    i64,
    Reverse<usize>,
);

/// The score of a node that passed the filters.
pub(crate) fn of(pod: &PodView, seat: &Seat, snapshot: &Snapshot) -> Score {
    let preference =
        node_affinity::preference(pod, &seat.node) + pod_affinity::preference(pod, seat, snapshot);
    let siblings = seat
        .pods
        .iter()
        .filter(|placed| placed.owner.is_some() && placed.owner == pod.owner)
        .count();
    (
        Reverse(taints::disliked(pod, &seat.node)),
        preference,
        Reverse(spread::crowding(pod, seat, snapshot)),
        Reverse(siblings),
        free_share(pod, seat),
        Reverse(seat.pods.len()),
    )
}

/// What stays free of CPU and memory, in thousandths, the pod included.
fn free_share(pod: &PodView, seat: &Seat) -> i64 {
    ["cpu", "memory"]
        .iter()
        .map(|name| {
            let all = seat.node.allocatable.amount(name).max(1);
            let used = seat.used.amount(name).saturating_add(pod.requests.amount(name));
            all.saturating_sub(used)
                .saturating_mul(1000)
                .checked_div(all)
                .unwrap_or_default()
        })
        .sum()
}

//! Room for what a pod requests, as upstream's `NodeResourcesFit`.

use crate::pod_view::PodView;
use crate::snapshot::Seat;

pub(crate) fn refusals(pod: &PodView, seat: &Seat) -> Vec<String> {
    let allocatable = &seat.node.allocatable;
    let mut lacking = Vec::new();
    let most = allocatable.amount("pods");
    if i64::try_from(seat.pods.len())
        .unwrap_or(i64::MAX)
        .saturating_add(1)
        > most
    {
        lacking.push("Too many pods".to_owned());
    }
    for (name, wanted) in pod.requests.0.iter().filter(|(_, wanted)| **wanted > 0) {
        let free = allocatable.amount(name).saturating_sub(seat.used.amount(name));
        if *wanted > free {
            lacking.push(format!("Insufficient {name}"));
        }
    }
    lacking
}

//! The status of a DaemonSet.

use serde_json::Value;

use super::Pass;
use super::plan::{Observed, Place};
use crate::controller_revision;
use crate::status::Fields;

/// The status to write. Of several pods on a node, the oldest counts.
pub(super) fn decide(pass: &Pass<'_>, observed: &Observed<'_>, min_ready: i64) -> Value {
    let (mut desired, mut current, mut misscheduled) = (0, 0, 0);
    let (mut ready, mut available, mut updated) = (0, 0, 0);
    for (node, place) in &observed.places {
        let pods = observed.pods.get(node).map(Vec::as_slice).unwrap_or_default();
        let oldest = pods.iter().min_by_key(|pod| pod.metadata.creation_timestamp);
        if *place != Place::Wanted {
            misscheduled += i64::from(oldest.is_some());
            continue;
        }
        desired += 1;
        let Some(pod) = oldest else {
            continue;
        };
        current += 1;
        ready += i64::from(pod.is_ready());
        available += i64::from(pod.is_available(min_ready, pass.cx.now));
        updated += i64::from(controller_revision::of_pod(pod.meta()) == pass.update.hash());
    }
    let status = &pass.set.status;
    let conditions = status.conditions.iter().flatten();
    Fields::default()
        .with("currentNumberScheduled", current)
        .with("numberMisscheduled", misscheduled)
        .with("desiredNumberScheduled", desired)
        .with("numberReady", ready)
        .number(
            "observedGeneration",
            pass.set.metadata.generation.unwrap_or_default(),
        )
        .number("updatedNumberScheduled", updated)
        .number("numberAvailable", available)
        .number("numberUnavailable", desired - available)
        .option("collisionCount", status.collision_count)
        .list(
            "conditions",
            conditions
                .filter_map(|condition| serde_json::to_value(condition).ok())
                .collect(),
        )
        .build()
}

//! The status of a StatefulSet.

use serde_json::Value;

use super::Pass;
use super::plan::{Member, Strategy, is_healthy};
use crate::controller_revision;
use crate::status::Fields;

/// The status to write. When all pods are of the new revision, it becomes the current one.
pub(super) fn decide(pass: &Pass<'_>, members: &[Member]) -> Value {
    let count = |keep: &dyn Fn(&Member) -> bool| {
        i64::try_from(members.iter().filter(|member| keep(member)).count()).unwrap_or(i64::MAX)
    };
    let of = |member: &Member, revision: &str| {
        !member.pod.meta().deleting && controller_revision::of_pod(member.pod.meta()) == revision
    };
    let min_ready = i64::from(pass.set.spec.min_ready_seconds.unwrap_or_default());
    let now = pass.cx.now;
    let wanted = i64::from(pass.set.spec.replicas.unwrap_or(1));
    let replicas = count(&|_| true);
    let ready = count(&|member| member.pod.status.phase == "Running" && member.pod.is_ready());
    let available = count(&|member| is_healthy(&member.pod) && member.pod.is_available(min_ready, now));
    let updated = count(&|member| of(member, pass.update.name()));
    let done = matches!(pass.strategy(wanted), Strategy::Rolling { .. })
        && updated == wanted
        && ready == wanted
        && replicas == wanted;
    let current = if done { &pass.update } else { &pass.current };
    let conditions = pass.set.status.conditions.iter().flatten();
    Fields::default()
        .number(
            "observedGeneration",
            pass.set.metadata.generation.unwrap_or_default(),
        )
        .with("replicas", replicas)
        .number("readyReplicas", ready)
        .number("currentReplicas", count(&|member| of(member, current.name())))
        .number("updatedReplicas", updated)
        .text("currentRevision", current.name())
        .text("updateRevision", pass.update.name())
        .with(
            "collisionCount",
            pass.set.status.collision_count.unwrap_or_default(),
        )
        .with("availableReplicas", available)
        .list(
            "conditions",
            conditions
                .filter_map(|condition| serde_json::to_value(condition).ok())
                .collect(),
        )
        .build()
}

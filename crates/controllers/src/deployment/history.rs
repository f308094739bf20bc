//! Old ReplicaSets beyond `revisionHistoryLimit` are removed.

use warren_apimachinery::StatusReason;
use warren_apimachinery::resource::REPLICA_SETS;
use warren_reconciler::{DeleteOptions, ReconcileError};

use super::Pass;
use super::replica_sets::ReplicaSet;

/// The sets to remove: the oldest revisions, of those that have no pods and whose controller has seen that.
fn surplus(old: &[ReplicaSet], limit: usize) -> Vec<&ReplicaSet> {
    let mut alive: Vec<&ReplicaSet> = old.iter().filter(|set| !set.object.meta().deleting).collect();
    alive.sort_by_key(|set| (set.revision(), set.by_creation()));
    let surplus = alive.len().saturating_sub(limit);
    let removable =
        |set: &&ReplicaSet| set.replicas == 0 && set.actual == 0 && set.generation <= set.observed_generation;
    alive.into_iter().take(surplus).filter(removable).collect()
}

impl Pass<'_> {
    /// Removes what `surplus` names. `i32::MAX` keeps everything, as upstream.
    pub(super) async fn clean_up(&self) -> Result<(), ReconcileError> {
        let Some(limit) = self
            .deployment
            .spec()
            .revision_history_limit
            .filter(|limit| *limit != i32::MAX)
        else {
            return Ok(());
        };
        for set in surplus(&self.sets.old, usize::try_from(limit).unwrap_or_default()) {
            let options = DeleteOptions {
                uid: Some(set.object.meta().uid.to_string()),
                ..DeleteOptions::default()
            };
            match self
                .cx
                .cluster
                .delete(&REPLICA_SETS, &set.object.key(), options)
                .await
            {
                Err(status) if !status.is(StatusReason::NotFound) => return Err(status.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

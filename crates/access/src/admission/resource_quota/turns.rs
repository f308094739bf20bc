//! Whose turn it is to spend the quotas of a namespace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use smol_str::SmolStr;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// One turn at a time for each namespace with quotas, from the count to the commit of what was counted for. Bounded
/// by the writes in flight: a namespace where nobody waits is forgotten with the next turn.
#[derive(Default)]
pub(crate) struct QuotaTurns(Mutex<HashMap<SmolStr, Arc<Turn<()>>>>);

impl QuotaTurns {
    /// Waits for the turn; it ends when the answer is dropped.
    pub(super) async fn take(&self, namespace: &SmolStr) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(namespace.clone()).or_default())
        };
        turn.lock_owned().await
    }
}

//! Mends stores whose journal failed (a full disk, mostly): opens them anew until they take writes again.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use warren_apimachinery::ClusterId;
use warren_storage::Journal;

use crate::fleet::Fleet;
use crate::template::blocking;

const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Runs until the sender is gone. One cluster after the other, since they share the disk that failed them; each gets
/// its turn however long another one stays broken.
pub(crate) async fn mend(fleet: Weak<Fleet>, mut failed: mpsc::UnboundedReceiver<ClusterId>) {
    let mut broken = VecDeque::new();
    let mut pause = PAUSE;
    loop {
        if broken.is_empty() {
            let Some(cluster) = failed.recv().await else {
                return;
            };
            broken.push_back(cluster);
            pause = PAUSE;
        }
        tokio::time::sleep(pause).await;
        while let Ok(cluster) = failed.try_recv() {
            broken.push_back(cluster);
            pause = PAUSE;
        }
        let Some(fleet) = fleet.upgrade() else { return };
        let before = broken.len();
        for _ in 0..before {
            let Some(cluster) = broken.pop_front() else { break };
            if !is_mended(&fleet, &cluster).await {
                broken.push_back(cluster);
            }
        }
        // Where one was mended, the others may be about to.
        pause = if broken.len() < before {
            PAUSE
        } else {
            (pause * 2).min(PAUSE_MAX)
        };
    }
}

async fn is_mended(fleet: &Fleet, cluster: &ClusterId) -> bool {
    let Some(tenant) = fleet.tenant(cluster) else {
        return true;
    };
    if tenant.store().failure().is_none() {
        return true;
    }
    let journal: &Arc<dyn Journal> = fleet.journal();
    let opened = match blocking(journal, cluster, |journal, id| journal.open(id)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            tracing::warn!(%cluster, %error, "the store is still read-only");
            return false;
        }
        Err(_) => return false,
    };
    if tenant.store().resume(&opened) {
        tracing::info!(%cluster, "the store takes writes again");
        fleet.woke(cluster);
        return true;
    }
    tracing::error!(%cluster, "the journal holds more than is served: restart to serve it");
    true
}

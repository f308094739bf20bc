//! Mends stores whose journal failed (a full disk, mostly): opens them anew until they take writes again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use warren_apimachinery::ClusterId;
use warren_storage::Journal;

use crate::fleet::Fleet;
use crate::template::blocking;

const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Runs until the sender is gone. One cluster after the other: they share the disk that failed them.
pub(crate) async fn mend(fleet: std::sync::Weak<Fleet>, mut failed: mpsc::UnboundedReceiver<ClusterId>) {
    while let Some(cluster) = failed.recv().await {
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let Some(fleet) = fleet.upgrade() else { return };
            if is_mended(&fleet, &cluster).await {
                break;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
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

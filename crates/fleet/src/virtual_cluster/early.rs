//! A virtual cluster while its host is not there yet, or not any more: it is served from its own store, and nothing of
//! it is kept in step until everything that its rules read of the host has been listed.

use std::sync::Arc;
use std::time::Duration;

use warren_apimachinery::{Object, ObjectKey, resource};
use warren_config::VirtualCluster;
use warren_reconciler::{Next, ReconcileError};
use warren_syncer::Bindings;

use super::{VirtualClusters, address, admission, chain, cluster_id, port, standard};
use crate::fleet::Fleet;
use crate::real_host::Listed;
use crate::{kept, names};

/// A safety net: what was listed is told of at once.
const SOON: Duration = Duration::from_secs(1);

impl VirtualClusters {
    /// `Some` while the host is waited for.
    pub(super) async fn early(&self, object: &Object) -> Result<Option<Next>, ReconcileError> {
        let Ok(wanted) = VirtualCluster::read(&object.to_value()) else {
            return Ok(None);
        };
        let id = cluster_id(&wanted.key);
        let Some(fleet) = self.fleet.upgrade() else {
            return Ok(Some(Next::Wait));
        };
        let before = self.bindings.of_virtual(&id);
        if let Some(before) = before.filter(|before| *before.spec != wanted.spec) {
            fleet.want_as_before(&id, &wanted.key, &before.spec);
        }
        match fleet.want_of_host(&id, &wanted.key, &wanted.spec) {
            Listed::Yes(refused) => {
                let pods = refused.iter().find(|(kind, _)| *kind == resource::PODS);
                match pods {
                    // Without them every virtual pod would look as if its host pod were gone.
                    Some((_, status)) => Err(ReconcileError::Retry(format!("pods of the host: {status}"))),
                    None => Ok(None),
                }
            }
            Listed::NotYet => {
                serve(&fleet, &wanted).await;
                Ok(Some(Next::After(SOON)))
            }
        }
    }

    /// The object is gone without our leave: somebody took the finalizer away, or this is another host than the last
    /// time. The cluster is no longer served, but its data is not ours to throw away.
    pub(super) async fn forsaken(&self, key: &ObjectKey) {
        let id = cluster_id(key);
        let Some(fleet) = self.fleet.upgrade().filter(|fleet| fleet.remote_host().is_some()) else {
            return;
        };
        self.bindings.remove(&id);
        fleet.want_no_more(&id);
        let tenant = fleet.tenant(&id);
        let names = tenant.as_ref().and_then(|tenant| tenant.set_name_server(None));
        if let Some(names) = names {
            names.close().await;
        }
        if let Some(listener) = tenant.and_then(|tenant| tenant.set_listener(None)) {
            tracing::warn!(cluster = %id, "its VirtualCluster object is gone: no longer served; the data is kept");
            listener.close().await;
        }
    }

    /// What the next start goes by.
    pub(super) async fn remember(&self, object: &Object) -> Result<(), ReconcileError> {
        let id = cluster_id(&object.key());
        let Some(fleet) = self.fleet.upgrade().filter(|fleet| fleet.remote_host().is_some()) else {
            return Ok(());
        };
        let Some(tenant) = fleet.tenant(&id) else {
            return Ok(());
        };
        let kept = kept::write(tenant.store(), &object.to_value()).await;
        kept.map_err(|error| ReconcileError::Retry(chain(&error)))
    }
}

/// Opens the port of a cluster that was loaded; one that was not is new, and needs its host.
async fn serve(fleet: &Arc<Fleet>, wanted: &VirtualCluster) {
    let id = cluster_id(&wanted.key);
    let Some(tenant) = fleet.tenant(&id).filter(|tenant| tenant.listener().is_none()) else {
        return;
    };
    standard::enforce(&tenant, &wanted.spec);
    admission::apply(fleet, &tenant, &wanted.spec);
    // Pods that run go on asking for names.
    if let Err(error) = names::serve(fleet, &tenant, wanted).await {
        tracing::warn!(cluster = %id, why = chain(&error), "names are not answered while the host is away");
    }
    let names = address::names(fleet.options(), wanted, None);
    match fleet.listen(&tenant, port(wanted), &names).await {
        Ok(_) => fleet.woke(&id),
        Err(error) => tracing::warn!(cluster = %id, why = chain(&error), "not served while the host is away"),
    }
}

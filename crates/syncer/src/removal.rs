//! The end of a virtual cluster on its host: what is cluster-scoped there has no owner that takes it along.

use warren_apimachinery::Resource;
use warren_apimachinery::resource::{self, Scope};
use warren_reconciler::{Cluster, ReconcileError};
use warren_translate::MANAGED_BY;

use crate::binding::Binding;
use crate::catalogue::MIRRORED;
use crate::host_kinds;
use crate::sides::{delete, ours};

/// Removes all cluster-scoped objects of a virtual cluster that is going. What a remote port does not watch, nobody put
/// there.
///
/// # Errors
/// When the host refuses; to be tried again.
pub async fn remove_cluster_scoped(host: &dyn Cluster, binding: &Binding) -> Result<(), ReconcileError> {
    for resource in kinds(binding) {
        for object in host.list(&resource, None) {
            let labelled = object.meta().label(MANAGED_BY) == Some(binding.tenant.cluster());
            if labelled && !object.meta().deleting && ours(binding, &object).is_some() {
                delete(host, &resource, &object, None).await?;
            }
        }
    }
    Ok(())
}

/// All cluster-scoped kinds that rules can put on a host, whatever the configuration says now: it may have been another.
fn kinds(binding: &Binding) -> impl Iterator<Item = Resource> {
    let custom = binding.spec.sync.to_host.custom_resources.iter();
    let custom = custom.filter_map(|(name, custom)| host_kinds::named(name, custom.scope));
    let all = crossing_kinds().into_iter().chain(custom);
    all.filter(|resource| resource.scope == Scope::Cluster)
}

/// All kinds that rules can put on a host, custom resources aside.
pub fn crossing_kinds() -> Vec<Resource> {
    const OTHERS: [Resource; 5] = [
        resource::PODS,
        resource::SERVICES,
        resource::CONFIG_MAPS,
        resource::SECRETS,
        resource::NAMESPACES,
    ];
    MIRRORED.iter().map(|row| row.resource).chain(OTHERS).collect()
}

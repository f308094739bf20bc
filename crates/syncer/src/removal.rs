//! The end of a virtual cluster on its host: what is cluster-scoped there, or in another namespace, has no owner that takes
//! it along.

use warren_apimachinery::resource::{self, Scope};
use warren_apimachinery::{Object, Resource};
use warren_reconciler::{Cluster, ReconcileError};
use warren_translate::{Host, MANAGED_BY};

use crate::binding::Binding;
use crate::catalogue::MIRRORED;
use crate::host_kinds;
use crate::sides::{delete, ours};

/// Removes all objects of a virtual cluster that is going, but those beside their owner. What a remote port does not watch, nobody put
/// there.
///
/// # Errors
/// When the host refuses; to be tried again.
pub async fn remove_cluster_scoped(host: &dyn Cluster, binding: &Binding) -> Result<(), ReconcileError> {
    for resource in kinds(binding) {
        for object in host.list(&resource, None) {
            let labelled = object.meta().label(MANAGED_BY) == Some(binding.tenant.cluster());
            let has_owner = object.meta().namespace == binding.tenant.host_namespace().0;
            if labelled && !has_owner && !object.meta().deleting && is_of(binding, &resource, &object) {
                delete(host, &resource, &object, None).await?;
            }
        }
    }
    Ok(())
}

/// The workload account of a host namespace carries the label alone.
fn is_of(binding: &Binding, resource: &Resource, object: &Object) -> bool {
    let account = &binding.spec.control_plane.advanced.workload_service_account;
    let is_account = *resource == resource::SERVICE_ACCOUNTS
        && object.meta().name == account.account_name(binding.tenant.cluster())
        && binding.tenant.lives_in(Host(&object.meta().namespace));
    is_account || ours(binding, object).is_some()
}

/// All cluster-scoped kinds that rules can put on a host, and all others where virtual namespaces have host namespaces of
/// their own, which may have been there before; whatever the configuration says now: it may have been another.
fn kinds(binding: &Binding) -> impl Iterator<Item = Resource> {
    let custom = binding.spec.sync.to_host.custom_resources.iter();
    let custom = custom.filter_map(|(name, custom)| host_kinds::named(name, custom.scope));
    let all = crossing_kinds().into_iter().chain(custom);
    let everywhere = binding.tenant.has_namespaces();
    all.filter(move |resource| everywhere || resource.scope == Scope::Cluster)
}

/// All kinds that rules can put on a host, custom resources aside.
pub fn crossing_kinds() -> Vec<Resource> {
    const OTHERS: [Resource; 4] = [
        resource::PODS,
        resource::SERVICES,
        resource::CONFIG_MAPS,
        resource::SECRETS,
    ];
    MIRRORED.iter().map(|row| row.resource).chain(OTHERS).collect()
}

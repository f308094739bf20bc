//! Services of the host, shown in the virtual cluster: a Service that selects nothing, with endpoints that lead to the
//! host's. Its namespace is made where it is missing, as vCluster does. What the tenant has under the name is left alone.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use super::copy::{SERVICE_NAME, plain_spec, slice_labels, slice_name, slices};
use super::mapping;
use crate::binding::Bindings;
use crate::from_host::{Shown, is_ours, show};
use crate::sides::{ACTOR, Sides, is_full_pass};

/// The rule. Its keys are of virtual services.
pub(crate) struct FromHost {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for FromHost {
    fn name(&self) -> &'static str {
        "replicate-services-from-host"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[
            resource::SERVICES,
            resource::ENDPOINT_SLICES,
            resource::NAMESPACES,
        ]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if let Some(binding) = self.bindings.of_virtual(&change.cluster) {
            if is_full_pass(change) {
                mapping::from_host(&binding).for_each(|(_, to)| out.add(to.0));
            } else if is_ours(&change.object)
                && let Some(service) = service_of(change)
            {
                out.add(service);
            }
            return;
        }
        let Some(changed) = service_of(change) else { return };
        for binding in self.bindings.shows_services(&change.cluster) {
            let meant = mapping::from_host(&binding).filter(|(from, _)| from.0 == changed);
            let keys: Vec<ObjectKey> = meant.map(|(_, to)| to.0).collect();
            for key in keys {
                out.add_to(binding.virtual_cluster.clone(), key);
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        let meant = mapping::from_host(&sides.binding).find(|(_, to)| to.0 == *key);
        let service = meant.and_then(|(from, _)| {
            let found = sides.host.get(&resource::SERVICES, &from.0)?;
            (!found.meta().deleting).then_some((from.0, found.to_value()))
        });
        match service {
            None => hide(&sides, key).await?,
            Some((from, service)) => {
                let behind = behind(sides.host.as_ref(), &from);
                expose(&sides, key, &service, &behind).await?;
            }
        }
        Ok(Next::Wait)
    }
}

/// The Service that a change is about.
pub(super) fn service_of(change: &Change) -> Option<ObjectKey> {
    let meta = change.object.meta();
    if resource::SERVICES.is(&change.resource) {
        return Some(meta.key());
    }
    if !resource::ENDPOINT_SLICES.is(&change.resource) {
        return None;
    }
    let name = meta.label(SERVICE_NAME)?;
    Some(ObjectKey::namespaced(meta.namespace.clone(), name))
}

/// The slices of a Service.
pub(super) fn slices_of(cluster: &dyn Cluster, service: &ObjectKey) -> Vec<Arc<Object>> {
    let mut all = cluster.list(&resource::ENDPOINT_SLICES, Some(&service.namespace));
    all.retain(|slice| {
        slice.meta().label(SERVICE_NAME) == Some(service.name.as_str()) && !slice.meta().deleting
    });
    all
}

/// The same, as they are read.
pub(super) fn behind(cluster: &dyn Cluster, service: &ObjectKey) -> Vec<Value> {
    slices_of(cluster, service)
        .iter()
        .map(|slice| slice.to_value())
        .collect()
}

async fn hide(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    show(sides, &resource::SERVICES, key, None).await?;
    surplus(sides, key, 0).await
}

/// Removes the slices of ours beyond the first `count`.
async fn surplus(sides: &Sides<'_>, key: &ObjectKey, count: usize) -> Result<(), ReconcileError> {
    let kept: Vec<String> = (0..count).map(|at| slice_name(&key.name, at)).collect();
    for slice in slices_of(sides.virtual_cluster, key) {
        if is_ours(&slice) && !kept.iter().any(|name| *name == slice.meta().name) {
            show(sides, &resource::ENDPOINT_SLICES, &slice.key(), None).await?;
        }
    }
    Ok(())
}

async fn expose(
    sides: &Sides<'_>,
    key: &ObjectKey,
    service: &Value,
    behind: &[Value],
) -> Result<(), ReconcileError> {
    let is_tenants = |found: &Arc<Object>| !is_ours(found);
    if sides
        .virtual_cluster
        .get(&resource::SERVICES, key)
        .is_some_and(|found| is_tenants(&found))
    {
        return Ok(());
    }
    namespace(sides, &key.namespace).await?;
    let shown = Shown {
        object: json!({"metadata": {"name": key.name, "namespace": key.namespace}, "spec": plain_spec(service)}),
        fixed: &["/spec/type"],
        follows: &["/spec/ports", "/spec/externalName"],
    };
    show(sides, &resource::SERVICES, key, Some(shown)).await?;
    let wanted = slices(service, behind);
    for (at, mut slice) in wanted.iter().cloned().enumerate() {
        let place = ObjectKey::namespaced(key.namespace.clone(), slice_name(&key.name, at));
        slice.set(
            "/metadata",
            json!({"name": place.name, "namespace": place.namespace, "labels": slice_labels(&key.name)}),
        );
        let shown = Shown {
            object: slice,
            fixed: &["/addressType"],
            follows: &["/endpoints", "/ports"],
        };
        show(sides, &resource::ENDPOINT_SLICES, &place, Some(shown)).await?;
    }
    surplus(sides, key, wanted.len()).await
}

async fn namespace(sides: &Sides<'_>, name: &str) -> Result<(), ReconcileError> {
    if sides
        .virtual_cluster
        .get(&resource::NAMESPACES, &ObjectKey::cluster(name))
        .is_some()
    {
        return Ok(());
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    match sides
        .virtual_cluster
        .create(&resource::NAMESPACES, namespace)
        .await
    {
        Err(status) if !status.is(StatusReason::AlreadyExists) => Err(status.into()),
        _ => Ok(()),
    }
}

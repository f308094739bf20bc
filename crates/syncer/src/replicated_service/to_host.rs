//! The tenant's services, offered on the host under chosen names, in the virtual cluster's own host namespace. Where the
//! host's pods can be selected, the host's own controllers find them; elsewhere the copy has endpoints that lead to the
//! Service's addresses.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};
use warren_translate::{MANAGED_BY, Virtual};

use super::copy::{plain_spec, ports, slice_labels, slice_name, slices};
use super::from_host::{behind, service_of, slices_of};
use super::mapping;
use crate::binding::Bindings;
use crate::difference::difference;
use crate::sides::{ACTOR, EVERYTHING, Sides, delete, is_full_pass};

/// The annotation of copies: the virtual Service that they are of.
const COPY_OF: &str = "warren.dev/replicated-from";

/// The rule. Its keys are of virtual services.
pub(crate) struct ToHost {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for ToHost {
    fn name(&self) -> &'static str {
        "replicate-services-to-host"
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
                out.add(EVERYTHING);
            }
            let changed = service_of(change);
            for (from, _) in mapping::to_host(&binding) {
                if is_full_pass(change) || changed.as_ref() == Some(&from.0) {
                    out.add(from.0);
                }
            }
            return;
        }
        let meta = change.object.meta();
        let (Some(changed), Some(managed_by)) = (service_of(change), meta.label(MANAGED_BY)) else {
            return;
        };
        let Some(binding) = self
            .bindings
            .of_host(&change.cluster, &meta.namespace, managed_by)
        else {
            return;
        };
        for (from, to) in mapping::to_host(&binding) {
            if to.0 == changed {
                out.add_to(binding.virtual_cluster.clone(), from.0);
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if *key == EVERYTHING {
            sweep(&sides).await?;
            return Ok(Next::Wait);
        }
        let service = cx.cluster.get(&resource::SERVICES, key);
        let service = service.filter(|service| !service.meta().deleting);
        let targets: Vec<ObjectKey> = mapping::to_host(&sides.binding)
            .filter(|(from, _)| from.0 == *key)
            .map(|(_, to)| to.0)
            .collect();
        for to in targets {
            match &service {
                None => withdraw(&sides, &to, Some(key)).await?,
                Some(service) => offer(&sides, service, &to).await?,
            }
        }
        Ok(Next::Wait)
    }
}

/// The virtual Service that a host object is a copy for, if it is one of this virtual cluster's.
fn copy_of(sides: &Sides<'_>, object: &Object) -> Option<ObjectKey> {
    let meta = object.meta();
    let owner = sides.binding.owner.as_ref();
    let owned = owner.is_none_or(|owner| meta.owners.iter().any(|found| found.uid == owner.text("/uid")));
    if !owned || meta.label(MANAGED_BY) != Some(sides.binding.tenant.cluster()) {
        return None;
    }
    let value = object.to_value();
    let (namespace, name) = value
        .at("/metadata/annotations")
        .field(COPY_OF)
        .as_str()?
        .split_once('/')?;
    Some(ObjectKey::namespaced(namespace, name))
}

/// Removes the copy at `to` if it is one of `of`, or of anything where nothing is named.
async fn withdraw(sides: &Sides<'_>, to: &ObjectKey, of: Option<&ObjectKey>) -> Result<(), ReconcileError> {
    let host = sides.host.as_ref();
    let is_meant = |object: &Object| {
        let found = copy_of(sides, object);
        found.is_some_and(|found| of.is_none_or(|of| *of == found))
    };
    for slice in slices_of(host, to) {
        if is_meant(&slice) {
            delete(host, &resource::ENDPOINT_SLICES, &slice, None).await?;
        }
    }
    match host.get(&resource::SERVICES, to) {
        Some(service) if is_meant(&service) => delete(host, &resource::SERVICES, &service, None).await,
        _ => Ok(()),
    }
}

/// Removes the copies that nothing asks for any more.
async fn sweep(sides: &Sides<'_>) -> Result<(), ReconcileError> {
    let own = sides.binding.tenant.host_namespace().0.clone();
    for service in sides.host.list(&resource::SERVICES, Some(&own)) {
        let Some(of) = copy_of(sides, &service) else {
            continue;
        };
        let mut asked = mapping::to_host(&sides.binding);
        let key = service.key();
        if !asked.any(|(from, to)| from.0 == of && to.0 == key) {
            withdraw(sides, &key, None).await?;
        }
    }
    Ok(())
}

async fn offer(sides: &Sides<'_>, service: &Object, to: &ObjectKey) -> Result<(), ReconcileError> {
    let value = service.to_value();
    let of = service.key();
    let selector = selector(sides, &value);
    let is_selected = selector.is_some();
    let wanted = metadata(sides, to, &of, json!({}));
    let spec = match selector {
        None => plain_spec(&value),
        Some(selector) => {
            let mut spec = json!({"type": "ClusterIP", "ports": ports(&value), "selector": selector});
            if value.text("/spec/clusterIP") == "None" {
                spec.set("/clusterIP", "None");
            }
            spec
        }
    };
    let wanted = json!({"metadata": wanted, "spec": spec});
    if !keep(
        sides,
        &resource::SERVICES,
        to,
        &wanted,
        &["/spec/type", "/spec/clusterIP"],
    )
    .await?
    {
        sides.taken(&resource::SERVICES, service).await;
        return Ok(());
    }
    let slices = match is_selected {
        true => Vec::new(),
        false => slices(&value, &behind(sides.virtual_cluster, &of)),
    };
    for (at, mut slice) in slices.iter().cloned().enumerate() {
        let place = ObjectKey::namespaced(to.namespace.clone(), slice_name(&to.name, at));
        slice.set("/metadata", metadata(sides, &place, &of, slice_labels(&to.name)));
        keep(
            sides,
            &resource::ENDPOINT_SLICES,
            &place,
            &slice,
            &["/addressType"],
        )
        .await?;
    }
    let kept: Vec<String> = (0..slices.len()).map(|at| slice_name(&to.name, at)).collect();
    for slice in slices_of(sides.host.as_ref(), to) {
        if copy_of(sides, &slice).is_some() && !kept.iter().any(|name| *name == slice.meta().name) {
            delete(sides.host.as_ref(), &resource::ENDPOINT_SLICES, &slice, None).await?;
        }
    }
    Ok(())
}

/// The selector of the copy, where it can select: not where pods are in other host namespaces.
fn selector(sides: &Sides<'_>, service: &Value) -> Option<Value> {
    let selector = service
        .at("/spec/selector")
        .as_object()
        .filter(|selector| !selector.is_empty())?;
    if sides.binding.spec.sync.to_host.namespaces.enabled || service.text("/spec/type") == "ExternalName" {
        return None;
    }
    let namespace = Virtual(service.text("/metadata/namespace"));
    Some(sides.binding.tenant.host_selector_map(selector, namespace))
}

fn metadata(sides: &Sides<'_>, key: &ObjectKey, of: &ObjectKey, labels: Value) -> Value {
    let mut labels: Map<String, Value> = labels.as_object().cloned().unwrap_or_default();
    labels.insert(MANAGED_BY.to_owned(), sides.binding.tenant.cluster().into());
    let mut metadata = json!({"name": key.name, "namespace": key.namespace, "labels": labels,
        "annotations": {COPY_OF: of.to_string()}});
    if let Some(owner) = &sides.binding.owner {
        metadata.set("/ownerReferences", json!([owner]));
    }
    metadata
}

/// Sees to it that a copy is there as it is wanted; `fixed` are fields that the API does not let change. `false`: the
/// name is taken.
async fn keep(
    sides: &Sides<'_>,
    resource: &Resource,
    key: &ObjectKey,
    wanted: &Value,
    fixed: &[&str],
) -> Result<bool, ReconcileError> {
    let host = sides.host.as_ref();
    if let Some(found) = host.get(resource, key) {
        if copy_of(sides, &found).is_none() {
            return Ok(false);
        }
        let value = found.to_value();
        let is_fixed = |field: &&str| {
            let (is, should) = (value.at(field), wanted.at(field));
            // An address that was given is none that is asked for.
            is != should && (!should.is_null() || is.as_str() == Some("None"))
        };
        if !fixed.iter().any(is_fixed) {
            let Some(patch) = changed(&value, wanted) else {
                return Ok(true);
            };
            host.merge_patch(resource, key, Part::Main, patch).await?;
            return Ok(true);
        }
        delete(host, resource, &found, None).await?;
    }
    let mut object = wanted.clone();
    object.set("/apiVersion", resource.api_version());
    object.set("/kind", resource.kind);
    match host.create(resource, object).await {
        Err(status) if status.is(StatusReason::AlreadyExists) => Ok(false),
        made => made.map(|_| true).map_err(ReconcileError::Api),
    }
}

/// What of a copy is brought in step: ports, selector and target, or endpoints; and whose it is.
fn changed(there: &Value, wanted: &Value) -> Option<Value> {
    let mut patch = json!({});
    for pointer in [
        "/spec/ports",
        "/spec/selector",
        "/spec/externalName",
        "/endpoints",
        "/ports",
    ] {
        if let Some(change) = difference(there.at(pointer), wanted.at(pointer)) {
            patch.set(pointer, change);
        }
    }
    let annotation = |value: &Value| value.at("/metadata/annotations").field(COPY_OF).clone();
    if annotation(there) != annotation(wanted) {
        patch.set("/metadata/annotations", json!({COPY_OF: annotation(wanted)}));
    }
    (patch != json!({})).then_some(patch)
}

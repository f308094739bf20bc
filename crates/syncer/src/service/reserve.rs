//! The order of a Service's creation: first the host's, which gives the addresses, then the virtual one.

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::status::Details;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object, ObjectKey, Status, StatusReason, resource};
use warren_reconciler::{Cluster, DeleteOptions, Part};
use warren_translate::Virtual;

use super::rule::{host_service, is_own, keep_addresses, replaced};
use crate::applied::APPLIED;
use crate::binding::Binding;
use crate::from_host::says_ours;
use crate::sides::ours;

/// Makes or changes the host Service of `service`, which passed admission and validation and is about to be
/// committed, and fills in the addresses that the host gave. A dry run touches nothing.
///
/// # Errors
/// What the host answers, in words of the virtual cluster.
pub async fn reserve(
    host: &dyn Cluster,
    binding: &Binding,
    service: &mut Value,
    old: Option<&Value>,
    dry_run: bool,
) -> Result<(), Status> {
    // What shows a Service of the host has none of its own there.
    if is_own(binding, &virtual_key(service)) || says_ours(service) || dry_run {
        return Ok(());
    }
    if old.is_some_and(|old| old.at("/spec") == service.at("/spec")) {
        return Ok(());
    }
    let mut wanted = host_service(binding, service);
    if old.is_none() {
        // Addresses that the tenant asks for are asked of the host.
        keep_addresses(&mut wanted, service);
    }
    let key = ObjectKey::namespaced(wanted.text("/metadata/namespace"), wanted.text("/metadata/name"));
    let answered = match host.get(&resource::SERVICES, &key) {
        None => host.create(&resource::SERVICES, wanted).await,
        Some(there) => {
            if ours(binding, &there).is_none_or(|identity| identity.key.0 != virtual_key(service)) {
                let why = "the name of its host object is taken";
                return Err(refusal(service, StatusReason::Conflict, why));
            }
            let patch = json!({"spec": replaced(there.to_value().at("/spec"), wanted.at("/spec")),
                "metadata": {"annotations": wanted.at("/metadata/annotations"), "labels": wanted.at("/metadata/labels")}});
            host.merge_patch(&resource::SERVICES, &key, Part::Main, patch)
                .await
        }
    };
    let answered = answered
        .map_err(|status| translated(service, &status))?
        .to_value();
    adopt(service, &answered);
    Ok(())
}

/// Takes a reservation back whose commit failed.
pub async fn undo(host: &dyn Cluster, binding: &Binding, service: &Value, old: Option<&Value>) {
    let Some(there) = reserved(host, binding, service) else {
        return;
    };
    let key = there.key();
    let done = if old.is_some() {
        // Without its base the rule brings the host Service back to what the virtual one says.
        let patch = json!({"metadata": {"annotations": {APPLIED: null}}});
        let patched = host
            .merge_patch(&resource::SERVICES, &key, Part::Main, patch)
            .await;
        patched.map(|_| ())
    } else {
        let options = DeleteOptions {
            uid: Some(there.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        host.delete(&resource::SERVICES, &key, options).await
    };
    if let Err(status) = done {
        tracing::warn!(%key, %status, "a reserved host service is left for the full pass");
    }
}

/// The host Service of exactly this virtual one.
fn reserved(host: &dyn Cluster, binding: &Binding, service: &Value) -> Option<Arc<Object>> {
    let key = virtual_key(service);
    if is_own(binding, &key) {
        return None;
    }
    let host_key = binding
        .tenant
        .host_key(&resource::SERVICES, &Virtual(key.clone()))
        .0;
    let there = host.get(&resource::SERVICES, &host_key)?;
    let identity = ours(binding, &there)?;
    (identity.key.0 == key && identity.uid.0 == service.text("/metadata/uid")).then_some(there)
}

fn virtual_key(service: &Value) -> ObjectKey {
    ObjectKey::namespaced(
        service.text("/metadata/namespace"),
        service.text("/metadata/name"),
    )
}

/// Takes over what the host decided.
pub(super) fn adopt(service: &mut Value, host: &Value) {
    for field in [
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "healthCheckNodePort",
    ] {
        let pointer = format!("/spec/{field}");
        match host.at(&pointer) {
            Value::Null => {
                service.take_at(&pointer);
            }
            value => service.set(&pointer, value.clone()),
        }
    }
    for (at, port) in host.items("/spec/ports").iter().enumerate() {
        let pointer = format!("/spec/ports/{at}/nodePort");
        match port.field("nodePort") {
            Value::Null => {
                service.take_at(&pointer);
            }
            value => service.set(&pointer, value.clone()),
        }
    }
}

/// The host's refusal as a refusal of the virtual object: field errors keep their paths, names are replaced.
fn translated(service: &Value, status: &Status) -> Status {
    let reason = status.reason().unwrap_or(StatusReason::InternalError);
    let causes = status
        .details()
        .map(|details| details.causes.clone())
        .unwrap_or_default();
    let why = if causes.is_empty() {
        match reason {
            StatusReason::Forbidden => "the host cluster refuses it".to_owned(),
            _ => "the host cluster cannot take it now".to_owned(),
        }
    } else {
        let mut said: Vec<String> = Vec::new();
        for cause in &causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !said.contains(&text) {
                said.push(text);
            }
        }
        match said.as_slice() {
            [only] => only.clone(),
            all => format!("[{}]", all.join(", ")),
        }
    };
    if reason == StatusReason::Invalid {
        let details = Details {
            name: service.text("/metadata/name").to_owned(),
            kind: "Service".to_owned(),
            causes,
            ..Details::default()
        };
        return refusal(service, reason, &why).with_details(details);
    }
    refusal(service, reason, &why).with_causes(causes)
}

fn refusal(service: &Value, reason: StatusReason, why: &str) -> Status {
    let name = service.text("/metadata/name");
    let services = GroupResource::new("", "services");
    match reason {
        StatusReason::Conflict | StatusReason::AlreadyExists => Status::conflict(&services, name, why),
        StatusReason::Forbidden => Status::forbidden(&services, name, why),
        _ => Status::new(reason, format!("Service {name:?} is invalid: {why}")),
    }
}

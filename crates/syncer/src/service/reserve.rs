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
use crate::wording::Wording;

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
    let host_key = binding
        .tenant
        .host_key(&resource::SERVICES, &Virtual(virtual_key(service)))
        .0;
    let there = host.get(&resource::SERVICES, &host_key);
    let value = there.as_ref().map(|there| there.to_value()).unwrap_or_default();
    let mut wanted = host_service(binding, service, &value)
        .map_err(|why| refusal(service, StatusReason::InternalError, &why))?;
    if old.is_none() {
        // Addresses that the tenant asks for are asked of the host.
        keep_addresses(&mut wanted, service);
    }
    let answered = match there {
        None => host.create(&resource::SERVICES, wanted).await,
        Some(there) => {
            if ours(binding, &there).is_none_or(|identity| identity.key.0 != virtual_key(service)) {
                let why = "the name of its host object is taken";
                return Err(refusal(service, StatusReason::Conflict, why));
            }
            let patch = json!({"spec": replaced(value.at("/spec"), wanted.at("/spec")),
                "metadata": {"annotations": wanted.at("/metadata/annotations"), "labels": wanted.at("/metadata/labels")}});
            host.merge_patch(&resource::SERVICES, &host_key, Part::Main, patch)
                .await
        }
    };
    let answered = answered
        .map_err(|status| translated(binding, service, &status))?
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
fn translated(binding: &Binding, service: &Value, status: &Status) -> Status {
    let reason = status.reason().unwrap_or(StatusReason::InternalError);
    if reason == StatusReason::Invalid {
        return invalid(service, status);
    }
    let (reason, why) = match reason {
        StatusReason::Forbidden | StatusReason::BadRequest => {
            let mut wording = Wording::of(binding, service.text("/metadata/namespace"));
            let host = binding
                .tenant
                .host_name(&resource::SERVICES, &Virtual(virtual_key(service)));
            wording.replace(&host.0, service.text("/metadata/name"));
            let told = crate::refusal::refusal(status, &wording);
            let why = told.map_or_else(
                || "the host cluster refuses it".to_owned(),
                |(_, message)| message,
            );
            (StatusReason::Forbidden, why)
        }
        StatusReason::AlreadyExists | StatusReason::Conflict => (
            StatusReason::Conflict,
            "its object on the host cluster is being changed, please try again".to_owned(),
        ),
        StatusReason::TooManyRequests => {
            let why = format!(
                "{} cannot get its addresses: the host cluster is busy, please try again",
                named(service)
            );
            return Status::too_many_requests(why, 1);
        }
        // Down, slow, or broken. What it may have done all the same, the rule removes.
        _ => {
            let why = format!(
                "{} cannot get its addresses: the API of the host cluster does not answer, please try again",
                named(service)
            );
            return Status::new(StatusReason::ServiceUnavailable, why);
        }
    };
    refusal(service, reason, &why)
}

fn named(service: &Value) -> String {
    format!("Service {:?}", service.text("/metadata/name"))
}

/// Field errors, each once.
fn invalid(service: &Value, status: &Status) -> Status {
    let causes = status
        .details()
        .map(|details| details.causes.clone())
        .unwrap_or_default();
    let mut said: Vec<String> = Vec::new();
    for cause in &causes {
        let text = format!("{}: {}", cause.field, cause.message);
        if !said.contains(&text) {
            said.push(text);
        }
    }
    let why = match said.as_slice() {
        [] => "the host cluster cannot take it".to_owned(),
        [only] => only.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    let details = Details {
        name: service.text("/metadata/name").to_owned(),
        kind: "Service".to_owned(),
        causes,
        ..Details::default()
    };
    refusal(service, StatusReason::Invalid, &why).with_details(details)
}

fn refusal(service: &Value, reason: StatusReason, why: &str) -> Status {
    let name = service.text("/metadata/name");
    let services = GroupResource::new("", "services");
    match reason {
        StatusReason::Conflict => Status::conflict(&services, name, why),
        StatusReason::Forbidden => Status::forbidden(&services, name, why),
        StatusReason::Invalid => Status::new(reason, format!("Service {name:?} is invalid: {why}")),
        _ => Status::new(reason, format!("Service {name:?}: {why}")),
    }
}

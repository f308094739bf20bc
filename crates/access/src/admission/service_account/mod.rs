//! ServiceAccount: every pod runs as a service account that exists, and gets its token mounted.

mod mountable_secrets;

use std::time::Duration;

use serde_json::{Value, json};
use warren_apimachinery::name::random_suffix;
use warren_apimachinery::resource::{PODS, SERVICE_ACCOUNTS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status};
use warren_registry::admission::{AdmissionRequest, Operation};

use super::Asked;
use super::asked::annotation;

const DEFAULT: &str = "default";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";
const MIRROR: &str = "kubernetes.io/config.mirror";
/// One hour and seven seconds: the lifetime by which an automatic token is known.
const TOKEN_SECONDS: i64 = 3607;
const ENFORCE_MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

/// The default account of a new namespace is made by a controller a moment later: wait for it, as upstream does.
pub(super) async fn await_default(request: &AdmissionRequest<'_>) {
    const TRIES: u32 = 75;
    const PAUSE: Duration = Duration::from_millis(20);
    let creates = request.operation == Operation::Create && request.subresource.is_none();
    if !creates || !PODS.is(&request.definition.group_resource()) {
        return;
    }
    let accounts = SERVICE_ACCOUNTS.group_resource();
    let namespaces = warren_apimachinery::resource::NAMESPACES.group_resource();
    let key = ObjectKey::namespaced(request.key.namespace.clone(), DEFAULT);
    for _ in 0..TRIES {
        let now = request.registry.store().snapshot();
        let namespace = now.get(&namespaces, &ObjectKey::cluster(request.key.namespace.clone()));
        if now.get(&accounts, &key).is_some() || namespace.is_none_or(|namespace| namespace.meta().deleting) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !cx.creates(&PODS) {
        return Ok(());
    }
    if !annotation(pod, MIRROR).is_empty() {
        return validate_mirror(cx, pod);
    }
    let name = [
        pod.text("/spec/serviceAccountName"),
        pod.text("/spec/serviceAccount"),
        DEFAULT,
    ]
    .into_iter()
    .find(|name| !name.is_empty())
    .unwrap_or(DEFAULT)
    .to_owned();
    pod.set("/spec/serviceAccountName", name.as_str());
    pod.set("/spec/serviceAccount", name.as_str());
    let account = account(cx, pod)?;
    if automounts(pod, &account) {
        mount_token(cx, pod);
    }
    let secrets = account.items("/imagePullSecrets");
    if pod.items("/spec/imagePullSecrets").is_empty() && !secrets.is_empty() {
        let names: Vec<Value> = secrets
            .iter()
            .map(|secret| json!({"name": secret.text("/name")}))
            .collect();
        pod.set("/spec/imagePullSecrets", names);
    }
    Ok(())
}

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let Some(pod) = pod.filter(|_| cx.creates(&PODS)) else {
        return Ok(());
    };
    if !annotation(pod, MIRROR).is_empty() {
        return validate_mirror(cx, pod);
    }
    let account = account(cx, pod)?;
    if annotation(&account, ENFORCE_MOUNTABLE) == "true" {
        mountable_secrets::limit(cx, pod, &account)?;
    }
    Ok(())
}

fn account(cx: &Asked<'_>, pod: &Value) -> Result<Value, Status> {
    let namespace = cx.key.namespace.as_str();
    let name = pod.text("/spec/serviceAccountName");
    cx.find(&SERVICE_ACCOUNTS, namespace, name)
        .map(|account| account.to_value())
        .ok_or_else(|| {
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
            );
            cx.forbidden(pod, why)
        })
}

fn automounts(pod: &Value, account: &Value) -> bool {
    pod.at("/spec/automountServiceAccountToken")
        .as_bool()
        .or_else(|| account.at("/automountServiceAccountToken").as_bool())
        .unwrap_or(true)
}

fn mount_token(cx: &Asked<'_>, pod: &mut Value) {
    let existing = pod
        .items("/spec/volumes")
        .iter()
        .map(|volume| volume.text("/name"))
        .find(|name| name.starts_with(VOLUME_PREFIX))
        .map(str::to_owned);
    let name = existing
        .clone()
        .unwrap_or_else(|| format!("{VOLUME_PREFIX}{}", random_suffix(cx.random, 5)));
    let mount = json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH});
    let mut is_needed = false;
    for list in ["/spec/initContainers", "/spec/containers"] {
        let containers = pod.pointer_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let mounts = container.items("/volumeMounts");
            if mounts.iter().all(|mount| mount.text("/mountPath") != MOUNT_PATH) {
                push(container, "/volumeMounts", mount.clone());
                is_needed = true;
            }
        }
    }
    if is_needed && existing.is_none() {
        push(
            pod,
            "/spec/volumes",
            json!({"name": name, "projected": token_source()}),
        );
    }
}

/// Appends to the list at a pointer, made if absent.
pub(super) fn push(object: &mut Value, pointer: &str, item: Value) {
    match object.pointer_mut(pointer) {
        Some(Value::Array(items)) => items.push(item),
        _ => object.set(pointer, vec![item]),
    }
}

fn token_source() -> Value {
    json!({"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]})
}

fn validate_mirror(cx: &Asked<'_>, pod: &Value) -> Result<(), Status> {
    if !pod.text("/spec/serviceAccountName").is_empty() {
        return Err(cx.forbidden(pod, "a mirror pod may not reference service accounts"));
    }
    if mountable_secrets::any(pod) {
        return Err(cx.forbidden(pod, "a mirror pod may not reference secrets"));
    }
    let projects_token = pod.items("/spec/volumes").iter().any(|volume| {
        volume
            .items("/projected/sources")
            .iter()
            .any(|source| source.at("/serviceAccountToken").is_object())
    });
    if projects_token {
        return Err(cx.forbidden(
            pod,
            "a mirror pod may not use ServiceAccountToken volume projections",
        ));
    }
    Ok(())
}

//! ResourceQuota: what a namespace may hold in all.
//!
//! Usage is counted from the objects themselves, writes in flight included, and each writer to a namespace with
//! quotas keeps its turn until its object is committed: a quota holds exactly, however many write at once. What is
//! used stands in the quota's status before the write is answered, as upstream.

mod scope;
mod turns;
mod usage;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{PODS, RESOURCE_QUOTAS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, UserInfo};
use warren_registry::admission::{AdmissionRequest, Operation, Permit};
use warren_registry::{Request, Warnings};
use warren_storage::Snapshot;

use self::scope::in_scope;
pub(crate) use self::turns::QuotaTurns;
use self::usage::{counted, usage_of};
use super::Asked;
use super::pod_resources::{Amounts, add, amounts};
use crate::guard::Guard;

const COMPUTE: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];
/// Who keeps the status of quotas as objects are admitted.
const MANAGER: &str = "kube-apiserver";

/// Counts `object` against the quotas of its namespace. Runs last.
pub(super) async fn charge(
    guard: &Guard,
    request: &AdmissionRequest<'_>,
    object: Option<&Value>,
) -> Result<Permit, Status> {
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    let is_part = request.subresource.is_some_and(|part| part != "resize");
    let namespace = &request.key.namespace;
    let Some(object) = object.filter(|_| writes && !is_part && !namespace.is_empty()) else {
        return Ok(Permit::default());
    };
    let store = request.registry.store();
    let has_quotas = |cluster: &Snapshot| {
        let mut quotas = cluster.list(&RESOURCE_QUOTAS.group_resource(), Some(namespace));
        quotas.next().is_some()
    };
    if !has_quotas(&store.head()) {
        return Ok(Permit::default());
    }
    let turn = guard.quota_turns.take(namespace).await;
    let cluster = store.head();
    let asked = Asked::of(guard, request, &cluster);
    let spent = check(&asked, object)?;
    if !request.dry_run {
        for quota in spent {
            write_status(request, &quota).await;
        }
    }
    Ok(Permit::holding(turn))
}

/// The quotas that the write spends something of, with their status as it will be; or why it may not.
pub(super) fn check(cx: &Asked<'_>, object: &Value) -> Result<Vec<Value>, Status> {
    let quotas: Vec<Value> = cx.all(&RESOURCE_QUOTAS, Some(&cx.key.namespace)).collect();
    quotas.iter().try_for_each(|quota| specified(cx, quota, object))?;
    let mut spent = Vec::new();
    for mut quota in quotas {
        let delta = delta(cx, &quota, object);
        if delta.is_empty() {
            continue;
        }
        let used = usage_of(cx.cluster, &quota);
        within(cx, &quota, object, [&used, &delta])?;
        let mut now = used;
        add(&mut now, &delta);
        let status = status_of(&quota, &now);
        quota.set("/status", status);
        spent.push(quota);
    }
    Ok(spent)
}

/// Refuses a pod that leaves open what the quota limits.
fn specified(cx: &Asked<'_>, quota: &Value, object: &Value) -> Result<(), Status> {
    if !PODS.is(&cx.resource) || cx.operation != Operation::Create || !in_scope(quota, object) {
        return Ok(());
    }
    let missing = unspecified(&amounts(quota.at("/spec/hard")), object);
    if missing.is_empty() {
        return Ok(());
    }
    let name = quota.text("/metadata/name");
    Err(cx.forbidden(object, format!("failed quota: {name}: must specify {missing}")))
}

/// What the write takes of what the quota limits.
fn delta(cx: &Asked<'_>, quota: &Value, object: &Value) -> Amounts {
    let hard = amounts(quota.at("/spec/hard"));
    let mut delta = counted(quota, &cx.resource, object);
    if let (Operation::Update, Some(old)) = (cx.operation, cx.old) {
        for (name, quantity) in counted(quota, &cx.resource, old) {
            *delta.entry(name).or_default() -= quantity;
        }
    }
    delta.retain(|name, quantity| hard.contains_key(name) && quantity.sign() > 0);
    delta
}

/// Refuses what goes beyond the quota.
fn within(cx: &Asked<'_>, quota: &Value, object: &Value, [used, delta]: [&Amounts; 2]) -> Result<(), Status> {
    let hard = amounts(quota.at("/spec/hard"));
    let held = |name: &str| used.get(name).copied().unwrap_or_default();
    let asked = |name: &str| delta.get(name).copied().unwrap_or_default();
    let most = |name: &str| hard.get(name).copied().unwrap_or_default();
    let over: Vec<&String> = delta
        .keys()
        .filter(|name| held(name) + asked(name) > most(name))
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let print = |amount: &dyn Fn(&str) -> Quantity| {
        let pairs: Vec<String> = over
            .iter()
            .map(|name| format!("{name}={}", amount(name)))
            .collect();
        pairs.join(",")
    };
    let why = format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        quota.text("/metadata/name"),
        print(&asked),
        print(&held),
        print(&most),
    );
    Err(cx.forbidden(object, why))
}

/// Shows in a quota what is used. The count does not rest on it, so a failure is only told of.
async fn write_status(request: &AdmissionRequest<'_>, quota: &Value) {
    let (user, warnings) = (UserInfo::system("apiserver"), Warnings::default());
    let catalogue = request.registry.catalogue();
    let Some((definition, _)) = catalogue.served("", "v1", RESOURCE_QUOTAS.plural) else {
        return;
    };
    let cx = Request::new(&user, MANAGER, "v1", &warnings);
    let key = ObjectKey::namespaced(request.key.namespace.clone(), quota.text("/metadata/name"));
    let mut status = quota.clone();
    status.take_at("/metadata/resourceVersion");
    let written = request
        .registry
        .update_status(&cx, definition, &key, status)
        .await;
    if let Err(error) = written {
        tracing::debug!(quota = %key, error = error.message(), "what is used of a quota could not be written");
    }
}

/// The `status` of a quota as the objects are now: `hard` as specified, and `used`.
pub fn quota_status(cluster: &Snapshot, quota: &Value) -> Value {
    status_of(quota, &usage_of(cluster, quota))
}

fn status_of(quota: &Value, usage: &Amounts) -> Value {
    let hard = amounts(quota.at("/spec/hard"));
    let used: Map<String, Value> = hard
        .keys()
        .map(|name| {
            let held = usage.get(name).copied().unwrap_or_default();
            (name.clone(), held.to_string().into())
        })
        .collect();
    json!({"hard": quota.at("/spec/hard"), "used": used})
}

/// What containers must say because the quota limits it: `limits.cpu for: a,b; limits.memory for: a`.
fn unspecified(hard: &Amounts, pod: &Value) -> String {
    let required = COMPUTE.into_iter().filter(|name| hard.contains_key(*name));
    let mut parts: Vec<String> = required
        .filter_map(|name| {
            let (which, resource) = match name.split_once('.') {
                Some((which, resource)) => (which, resource),
                None => ("requests", name),
            };
            let says = |spec: &Value| !spec.at("/resources").field(which).field(resource).is_null();
            let lacking: BTreeSet<&str> = ["/spec/containers", "/spec/initContainers"]
                .into_iter()
                .flat_map(|list| pod.items(list))
                .filter(|container| !says(container))
                .map(|container| container.text("/name"))
                .collect();
            let names: Vec<&str> = lacking.into_iter().collect();
            (!names.is_empty() && !says(pod.at("/spec"))).then(|| format!("{name} for: {}", names.join(",")))
        })
        .collect();
    parts.sort_unstable();
    parts.join("; ")
}

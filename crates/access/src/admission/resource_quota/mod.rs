//! ResourceQuota: what a namespace may hold in all.
//!
//! Usage is counted from the objects themselves, writes in flight included, and each writer to a namespace with
//! quotas keeps its turn until its object is committed: a quota holds exactly, however many write at once. What is
//! used stands in the quota's status before the write is answered, as upstream.

mod check;
mod devices;
mod limited;
mod measured;
mod readings;
mod scope;
mod turns;
mod usage;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use warren_apimachinery::resource::RESOURCE_QUOTAS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, UserInfo};
use warren_registry::admission::{AdmissionRequest, Permit};
use warren_registry::{Request, Warnings};
use warren_storage::Snapshot;

pub(super) use self::check::check;
use self::check::concerns;
pub(super) use self::limited::LimitedResource;
pub(crate) use self::readings::Readings;
pub(super) use self::scope::is_best_effort;
pub(crate) use self::turns::QuotaTurns;
use self::usage::View;
use super::Asked;
use super::pod_resources::{Amounts, amounts};
use crate::guard::Guard;

/// Who keeps the status of quotas as objects are admitted.
const MANAGER: &str = "kube-apiserver";

/// Counts `object` against the quotas of its namespace. Runs last.
pub(super) async fn charge(
    guard: &Guard,
    request: &AdmissionRequest<'_>,
    object: Option<&Value>,
) -> Result<Permit, Status> {
    let namespace = &request.key.namespace;
    let Some(object) = object.filter(|_| !namespace.is_empty()) else {
        return Ok(Permit::default());
    };
    let store = request.registry.store();
    let has_quotas = |cluster: &Snapshot| {
        let mut quotas = cluster.list(&RESOURCE_QUOTAS.group_resource(), Some(namespace));
        quotas.next().is_some()
    };
    let head = store.head();
    let is_limited = has_quotas(&head) || !guard.admission().limited_resources.is_empty();
    if !is_limited || !concerns(&Asked::of(guard, request, &head), object) {
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

impl Guard {
    /// The `status` of a quota as the objects are now: `hard` as specified, and `used`.
    pub fn quota_status(&self, cluster: &Snapshot, quota: &Value, now: Timestamp) -> Value {
        let view = View {
            cluster,
            readings: &self.quota_readings,
            now,
        };
        status_of(quota, &view.usage_of(quota))
    }
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

//! Events: what the host's scheduler, kubelets and controllers say of a tenant's objects, in the tenant's words.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};
use warren_translate::{Identity, MANAGED_BY};

use crate::binding::Bindings;
use crate::catalogue::MIRRORED;
use crate::difference::difference;
use crate::patches;
use crate::pod::pod_wording;
use crate::sides::{ACTOR, Sides, ours};
use crate::wording::Wording;

const EVENTS: Resource = resource::EVENTS;
/// The kinds of other rules whose events are passed on; the rest are rows of `mirrored`.
const KINDS: &[Resource] = &[
    resource::PODS,
    resource::SERVICES,
    resource::CONFIG_MAPS,
    resource::SECRETS,
];
/// What of an event follows the host's; the rest is made anew.
const FIELDS: &[&str] = &[
    "action",
    "count",
    "eventTime",
    "firstTimestamp",
    "lastTimestamp",
    "reason",
    "reportingComponent",
    "reportingInstance",
    "series",
    "source",
    "type",
];

/// The rule. Its keys are of host events, queued in the virtual cluster that they concern.
pub(crate) struct Events {
    pub(crate) bindings: Arc<dyn Bindings>,
}

/// As much of an event as says what it is about.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct About {
    involved_object: Involved,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Involved {
    kind: SmolStr,
    namespace: SmolStr,
    name: SmolStr,
    uid: SmolStr,
}

#[async_trait]
impl Reconciler for Events {
    fn name(&self) -> &'static str {
        "sync-events"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[EVENTS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if change.deleted {
            return;
        }
        if let Some((_, involved)) = involved(&change.object, cluster)
            && let Some(managed_by) = involved.meta().label(MANAGED_BY)
            && let Some(binding) =
                self.bindings
                    .of_host(&change.cluster, &involved.meta().namespace, managed_by)
        {
            out.add_to(binding.virtual_cluster.clone(), change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if !sides.binding.spec.sync.from_host.events.enabled {
            return Ok(Next::Wait);
        }
        if let Some(event) = sides.host.get(&EVENTS, key) {
            pass_on(&sides, &event).await?;
        }
        Ok(Next::Wait)
    }
}

/// The object that an event is about, if it is of a kind that crosses and still the same.
fn involved(event: &Object, cluster: &dyn Cluster) -> Option<(&'static Resource, Arc<Object>)> {
    let About {
        involved_object: about,
    } = event.view().ok()?;
    let mirrored = MIRRORED.iter().map(|row| &row.resource);
    let resource = KINDS
        .iter()
        .chain(mirrored)
        .find(|resource| resource.kind == about.kind)?;
    let key = ObjectKey {
        namespace: about.namespace,
        name: about.name,
    };
    let object = cluster.get(resource, &key)?;
    (about.uid.is_empty() || about.uid == object.meta().uid).then_some((resource, object))
}

async fn pass_on(sides: &Sides<'_>, event: &Object) -> Result<(), ReconcileError> {
    let Some((resource, host)) = involved(event, sides.host.as_ref()) else {
        return Ok(());
    };
    let Some(identity) = ours(&sides.binding, &host).filter(|identity| identity.kind == resource.kind) else {
        return Ok(());
    };
    let Some(object) = sides.virtual_cluster.get(resource, &identity.key.0) else {
        return Ok(());
    };
    if object.meta().uid != identity.uid.0 {
        return Ok(());
    }
    let mut wording = match *resource {
        resource::PODS => pod_wording(sides, &object, &object.to_value(), &host.meta().uid),
        _ => sides.wording(resource, &object),
    };
    wording.replace(&host.meta().uid, &object.meta().uid);
    let host = event.to_value();
    let mut wanted = virtual_event(resource, &identity, &object, &host, &wording);
    let configured = &sides.binding.spec.sync.from_host.events.patches;
    patches::from_host(configured, &sides.binding, &host, &mut wanted).map_err(ReconcileError::Never)?;
    write(sides, wanted).await
}

fn virtual_event(
    resource: &Resource,
    identity: &Identity,
    object: &Object,
    host: &Value,
    wording: &Wording,
) -> Value {
    let key = &identity.key.0;
    // The part behind the last dot tells an object's events apart, on either side.
    let suffix = host.text("/metadata/name").rsplit('.').next().unwrap_or_default();
    // Events about what is of no namespace are in this one.
    let namespace = match key.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    let mut event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{}.{suffix}", key.name), "namespace": namespace},
        "involvedObject": {"apiVersion": resource.api_version(), "kind": resource.kind, "namespace": key.namespace,
            "name": key.name, "uid": identity.uid.0, "resourceVersion": object.meta().revision.to_string()},
        "message": message(host, wording)});
    if !host.text("/involvedObject/fieldPath").is_empty() {
        event.set(
            "/involvedObject/fieldPath",
            host.text("/involvedObject/fieldPath"),
        );
    }
    for field in FIELDS {
        if !host.field(field).is_null() {
            event.set(&format!("/{field}"), host.field(field).clone());
        }
    }
    event
}

/// A preemption names the pod that took the place by its uid, which may be anybody's.
fn message(host: &Value, wording: &Wording) -> String {
    match host.text("/reason") {
        "Preempted" => "Preempted by a pod of higher priority".to_owned(),
        _ => wording.of_text(host.text("/message")),
    }
}

/// Level-triggered: an event that is there is only brought up to date.
async fn write(sides: &Sides<'_>, wanted: Value) -> Result<(), ReconcileError> {
    let key = ObjectKey::namespaced(wanted.text("/metadata/namespace"), wanted.text("/metadata/name"));
    let Some(there) = sides.virtual_cluster.get(&EVENTS, &key) else {
        return match sides.virtual_cluster.create(&EVENTS, wanted).await {
            // The namespace is going, or the tenant's quota is used up: an event is not worth a retry.
            Err(status) if status.is(StatusReason::Forbidden) || status.is(StatusReason::AlreadyExists) => {
                Ok(())
            }
            Err(status) => Err(status.into()),
            Ok(_) => Ok(()),
        };
    };
    let there = there.to_value();
    let mut patch = json!({});
    for field in FIELDS.iter().chain(&["message"]) {
        if let Some(change) =
            difference(there.field(field), wanted.field(field)).filter(|change| !change.is_null())
        {
            patch.set(&format!("/{field}"), change);
        }
    }
    if patch != json!({}) {
        sides
            .virtual_cluster
            .merge_patch(&EVENTS, &key, Part::Main, patch)
            .await?;
    }
    Ok(())
}

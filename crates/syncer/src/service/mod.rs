//! Services. Their addresses are the host's: a virtual Service gets its ClusterIP and node ports from its host
//! Service, which is made before the virtual one is committed (`reserve`). The rule keeps the rest in step.

mod reserve;
mod rule;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason, resource, time};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::applied::{APPLIED, Applied, metadata_patch};
use crate::binding::Bindings;
use crate::difference::difference;
use crate::from_host::is_ours;
use crate::mirrored::Report;
use crate::patches::{self, Scene};
use crate::sides::{ACTOR, Claim, Sides, trigger};

pub use reserve::{reserve, undo};
pub(crate) use rule::is_own;
use rule::{SPEC, host_service, keep_addresses, parts, replaced};

const SERVICES: Resource = resource::SERVICES;
/// How long a host Service without a virtual one is taken for one whose virtual Service is about to be committed.
const COMMIT_TIME: Duration = Duration::from_secs(5);

/// The rule.
pub(crate) struct Services {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for Services {
    fn name(&self) -> &'static str {
        "sync-services"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[SERVICES]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        trigger(self.bindings.as_ref(), &SERVICES, change, out);
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if !sides.binding.spec.sync.to_host.services.enabled || is_own(&sides.binding, key) {
            return Ok(Next::Wait);
        }
        match (cx.cluster.get(&SERVICES, key), sides.claim(&SERVICES, key)) {
            (None, Claim::Ours { object, .. }) => {
                if let Some(left) = may_be_reserved(&object.to_value(), cx.now) {
                    return Ok(Next::After(left));
                }
                sides.delete_host(&SERVICES, &object, None).await?;
            }
            (None, _) => {}
            // It shows a Service of the host.
            (Some(service), _) if is_ours(&service) => {}
            (Some(service), Claim::Foreign) => sides.taken(&SERVICES, &service).await,
            (Some(service), Claim::Absent) => recreate(&sides, &service).await?,
            (Some(service), Claim::Ours { object, .. }) => {
                follow(&sides, &service, &object).await?;
                report(&sides, &service, &object).await?;
            }
        }
        Ok(Next::Wait)
    }
}

/// How long a host Service may still wait for the commit of its virtual Service.
pub(crate) fn may_be_reserved(host: &Value, now: Timestamp) -> Option<Duration> {
    let made = time::parse(host.text("/metadata/creationTimestamp")).ok()?;
    let age = Duration::try_from(now.duration_since(made)).unwrap_or_default();
    COMMIT_TIME.checked_sub(age).filter(|left| !left.is_zero())
}

async fn wanted(
    sides: &Sides<'_>,
    service: &Object,
    value: &Value,
    there: &Value,
) -> Result<Value, ReconcileError> {
    match host_service(&sides.binding, value, there) {
        Ok(wanted) => Ok(wanted),
        Err(why) => {
            sides.warn(&SERVICES, service, &why).await;
            Err(ReconcileError::Never(why))
        }
    }
}

/// Someone deleted the host Service: a new one, with the addresses that the virtual one shows, if they are free.
async fn recreate(sides: &Sides<'_>, service: &Object) -> Result<(), ReconcileError> {
    let value = service.to_value();
    let mut wanted = wanted(sides, service, &value, &Value::Null).await?;
    keep_addresses(&mut wanted, &value);
    match sides.host.create(&SERVICES, wanted).await {
        Ok(_) => Ok(()),
        Err(status) if status.is(StatusReason::AlreadyExists) => Err(ReconcileError::Retry(
            "the host service is there already".to_owned(),
        )),
        Err(status) => Err(sides.refused(&SERVICES, service, status).await),
    }
}

/// Virtual → host.
async fn follow(sides: &Sides<'_>, service: &Object, host: &Object) -> Result<(), ReconcileError> {
    let there = host.to_value();
    let wanted = wanted(sides, service, &service.to_value(), &there).await?;
    let parts = parts(&wanted);
    let base = Applied::read(&there);
    let mut patch = json!({});
    let metadata = metadata_patch(&there, &base, &parts);
    if !metadata.is_null() {
        patch.set("/metadata", metadata);
    }
    if parts.get(SPEC).is_some_and(|spec| !base.has(SPEC, spec)) {
        patch.set("/spec", replaced(there.at("/spec"), wanted.at("/spec")));
    }
    let uid = &service.meta().uid;
    if there
        .at("/metadata/annotations")
        .field(warren_translate::OBJECT_UID)
        != uid.as_str()
    {
        set_annotation(&mut patch, warren_translate::OBJECT_UID, uid);
    }
    if base != Applied::of(&parts) {
        set_annotation(&mut patch, APPLIED, &Applied::of(&parts).to_text());
    }
    if patch == json!({}) {
        return Ok(());
    }
    match sides
        .host
        .merge_patch(&SERVICES, &host.key(), Part::Main, patch)
        .await
    {
        Ok(_) => Ok(()),
        Err(status) => Err(sides.refused(&SERVICES, service, status).await),
    }
}

fn set_annotation(patch: &mut Value, key: &str, value: &str) {
    if let Some(annotations) = patch.object_at("/metadata/annotations") {
        annotations.insert(key.to_owned(), value.into());
    }
}

/// Host → virtual: what the host's load balancer says.
async fn report(sides: &Sides<'_>, service: &Object, host: &Object) -> Result<(), ReconcileError> {
    let (value, host) = (service.to_value(), host.to_value());
    let mut report = Report {
        main: Value::Null,
        status: host.at("/status").clone(),
    };
    sides.wording(&SERVICES, service).of_messages(&mut report.status);
    let scene = Scene {
        binding: &sides.binding,
        virtual_object: &value,
        host_object: &host,
    };
    let configured = &sides.binding.spec.sync.to_host.services.patches;
    patches::to_virtual(configured, &scene, &mut report).map_err(ReconcileError::Never)?;
    if report.status.is_null() {
        return Ok(());
    }
    let Some(patch) = difference(value.at("/status"), &report.status) else {
        return Ok(());
    };
    let patch = json!({"status": patch});
    sides
        .virtual_cluster
        .merge_patch(&SERVICES, &service.key(), Part::Status, patch)
        .await?;
    Ok(())
}

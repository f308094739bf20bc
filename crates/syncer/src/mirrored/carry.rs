//! Carries a plan out: creation, changes, removal, and what comes back.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, StatusReason};
use warren_reconciler::{Part, ReconcileError};

use super::{Notice, Outcome, Pass, Row, Setting, Wanted, wanted};
use crate::applied::{APPLIED, Applied, Parts, metadata_patch};
use crate::difference::difference;
use crate::from_host::is_ours;
use crate::patches;
use crate::sides::{Claim, EVENTS, Sides};

/// Brings one object in step.
pub(crate) async fn reconcile(
    row: &Row,
    setting: Setting<'_>,
    sides: &Sides<'_>,
    key: &ObjectKey,
) -> Result<(), ReconcileError> {
    let claim = sides.claim(&row.resource, key);
    let object = sides.virtual_cluster.get(&row.resource, key);
    // What the host shows its tenants does not come back to it.
    let object = object.filter(|object| setting.enabled && !object.meta().deleting && !is_ours(object));
    let Some(object) = object else {
        return retract(row, sides, &claim).await;
    };
    let value = object.to_value();
    let pass = Pass {
        row,
        patches: setting.patches,
        sides,
        object: &object,
        value: &value,
    };
    let there = match &claim {
        Claim::Ours { object, .. } => object.to_value(),
        Claim::Absent | Claim::Foreign => Value::Null,
    };
    match wanted(&pass, &there) {
        Outcome::Carry(wanted) => pass.carry(*wanted, &claim, &there).await,
        Outcome::Nothing => retract(row, sides, &claim).await,
        Outcome::Waits(notice) => {
            pass.tell(&notice).await;
            pass.report(&claim, &there).await
        }
        Outcome::Refused(notice) => {
            pass.tell(&notice).await;
            retract(row, sides, &claim).await
        }
    }
}

/// Brings what another object is about to refer to in step, as the configuration has it.
pub(crate) async fn ensure(row: &Row, sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    reconcile(row, (row.setting)(&sides.binding.spec), sides, key).await
}

/// Removes the host object, if it is ours.
async fn retract(row: &Row, sides: &Sides<'_>, claim: &Claim) -> Result<(), ReconcileError> {
    match claim {
        Claim::Ours { object, .. } if !object.meta().deleting => {
            sides.delete_host(&row.resource, object, None).await
        }
        _ => Ok(()),
    }
}

impl Pass<'_> {
    async fn carry(&self, wanted: Wanted, claim: &Claim, there: &Value) -> Result<(), ReconcileError> {
        if let Some(message) = self.sides.unlawful(&self.row.resource, &wanted.host) {
            self.tell(&Notice::new(message)).await;
            return retract(self.row, self.sides, claim).await;
        }
        match claim {
            Claim::Foreign => {
                self.sides.taken(&self.row.resource, self.object).await;
                Ok(())
            }
            Claim::Absent => self.create(wanted).await,
            // It is on its way out; its end is heard of.
            Claim::Ours { object, .. } if object.meta().deleting => self.report(claim, there).await,
            Claim::Ours { object, uid } => {
                if *uid != self.object.meta().uid || self.is_another(&wanted.parts, there) {
                    return self.sides.delete_host(&self.row.resource, object, None).await;
                }
                match follow(&wanted.parts, there) {
                    // What comes back of it is seen with the host's change.
                    Some(patch) => self.change(object, patch).await,
                    None => self.report(claim, there).await,
                }
            }
        }
    }

    async fn create(&self, wanted: Wanted) -> Result<(), ReconcileError> {
        let mut host = wanted.host;
        set_base(&mut host, &wanted.parts);
        self.sides
            .create_host(&self.row.resource, self.object, host)
            .await?;
        Ok(())
    }

    /// Whether the tenant changed what the API does not let change.
    fn is_another(&self, parts: &Parts, there: &Value) -> bool {
        let base = Applied::read(there);
        self.row.fixed.iter().any(|place| match parts.get(*place) {
            Some(part) => !base.has(place, part) && there.at(place) != part,
            None => base.knows(place),
        })
    }

    async fn change(&self, host: &Object, patch: Value) -> Result<(), ReconcileError> {
        let resource = &self.row.resource;
        let written = self
            .sides
            .host
            .merge_patch(resource, &host.key(), Part::Main, patch)
            .await;
        match written {
            Ok(_) => Ok(()),
            Err(status) => Err(self.sides.refused(resource, self.object, status).await),
        }
    }

    /// Host → virtual.
    async fn report(&self, claim: &Claim, there: &Value) -> Result<(), ReconcileError> {
        let (Some(report), Claim::Ours { uid, .. }) = (self.row.report, claim) else {
            return Ok(());
        };
        if *uid != self.object.meta().uid {
            return Ok(());
        }
        let mut report = report(self.sides, self.value, there);
        self.sides
            .wording(&self.row.resource, self.object)
            .of_messages(&mut report.status);
        if !self.patches.is_empty() {
            let scene = patches::Scene {
                binding: &self.sides.binding,
                virtual_object: self.value,
                host_object: there,
            };
            if let Err(why) = patches::to_virtual(self.patches, &scene, &mut report) {
                self.tell(&Notice::new(why)).await;
            }
        }
        let (resource, key) = (&self.row.resource, self.object.key());
        if !report.main.is_null() {
            self.sides
                .virtual_cluster
                .merge_patch(resource, &key, Part::Main, report.main)
                .await?;
        }
        if report.status.is_null() {
            return Ok(());
        }
        if let Some(patch) = difference(self.value.at("/status"), &report.status) {
            let patch = json!({"status": patch});
            let port = self.sides.virtual_cluster;
            match port
                .merge_patch(resource, &key, Part::Status, patch.clone())
                .await
            {
                // The definition of a custom resource need not keep the status apart.
                Err(status) if status.is(StatusReason::NotFound) => {
                    port.merge_patch(resource, &key, Part::Main, patch).await?;
                }
                written => drop(written?),
            }
        }
        Ok(())
    }

    async fn tell(&self, notice: &Notice) {
        let about = EVENTS.about(self.sides.cx, &self.row.resource, self.object);
        about.warning(notice.reason, notice.message.clone()).await;
    }
}

/// Virtual → host: the merge patch that carries what the tenant changed since the last time; `None` when its base is theirs.
pub(super) fn follow(parts: &Parts, there: &Value) -> Option<Value> {
    let base = Applied::read(there);
    if base == Applied::of(parts) {
        return None;
    }
    let mut patch = json!({});
    let metadata = metadata_patch(there, &base, parts);
    if !metadata.is_null() {
        patch.set("/metadata", metadata);
    }
    for (place, part) in parts.iter().filter(|(place, _)| place.starts_with('/')) {
        if !base.has(place, part)
            && let Some(change) = difference(there.at(place), part)
        {
            patch.set(place, change);
        }
    }
    for gone in base.dropped("/", parts) {
        patch.set(&format!("/{gone}"), Value::Null);
    }
    set_base(&mut patch, parts);
    Some(patch)
}

fn set_base(host: &mut Value, parts: &Parts) {
    if let Some(annotations) = host.object_at("/metadata/annotations") {
        annotations.insert(APPLIED.to_owned(), Applied::of(parts).to_text().into());
    }
}

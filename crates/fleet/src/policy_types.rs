//! `status.typeChecking` of validating admission policies: what their expressions would say of the kinds that they
//! name, written once for each generation of a policy.

use std::sync::Weak;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_access::type_warnings;
use warren_apimachinery::resource::VALIDATING_ADMISSION_POLICIES;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::fleet::Fleet;

/// See the module.
pub(crate) struct PolicyTypes {
    pub(crate) fleet: Weak<Fleet>,
}

#[async_trait]
impl Reconciler for PolicyTypes {
    fn name(&self) -> &'static str {
        "policy-types"
    }

    fn actor(&self) -> &'static str {
        "validatingadmissionpolicy-status"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[VALIDATING_ADMISSION_POLICIES];
        WATCHES
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if !change.deleted {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let fleet = self.fleet.upgrade();
        let Some(tenant) = fleet.and_then(|fleet| fleet.tenant(cx.cluster.id())) else {
            return Ok(Next::Wait);
        };
        let Some(object) = cx.cluster.get(&VALIDATING_ADMISSION_POLICIES, key) else {
            return Ok(Next::Wait);
        };
        let policy = object.to_value();
        let generation = policy.int("/metadata/generation").unwrap_or_default();
        if generation <= policy.int("/status/observedGeneration").unwrap_or_default() {
            return Ok(Next::Wait);
        }
        let warnings = type_warnings(&tenant.registry().catalogue(), &policy);
        let patch = json!({"status": {"observedGeneration": generation, "typeChecking": told(warnings)}});
        let patched = cx
            .cluster
            .merge_patch(&VALIDATING_ADMISSION_POLICIES, key, Part::Status, patch);
        match patched.await {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(Next::Wait),
        }
    }
}

/// Null takes back what was told of an earlier generation.
fn told(warnings: Vec<Value>) -> Value {
    if warnings.is_empty() {
        return json!({"expressionWarnings": null});
    }
    json!({"expressionWarnings": warnings})
}

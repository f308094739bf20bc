//! Admission: what may change or refuse a write, one file per plugin, named as upstream names them.
//!
//! Every step is a function of what is asked and of the cluster's state. The order is upstream's.

mod asked;
mod certificate_approval;
mod certificate_signing;
mod default_ingress_class;
mod default_storage_class;
mod default_toleration_seconds;
mod limit_ranger;
mod namespace_lifecycle;
mod persistent_volume_claim_resize;
mod pod_resources;
mod pod_security;
mod policy;
mod priority;
mod rbac_escalation;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
mod webhook;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::Status;
use warren_registry::admission::{Admission, AdmissionRequest, Operation, Permit};

pub(crate) use self::asked::Asked;
pub(crate) use self::policy::Policies;
pub(crate) use self::resource_quota::QuotaTurns;
pub use self::resource_quota::quota_status;
pub(crate) use self::webhook::Hooks;
use self::webhook::Turns;
use crate::guard::Guard;

type Mutate = fn(&Asked<'_>, &mut Value) -> Result<(), Status>;
type Validate = fn(&Asked<'_>, Option<&Value>) -> Result<(), Status>;

const MUTATE: &[Mutate] = &[
    namespace_lifecycle::mutate,
    limit_ranger::mutate,
    service_account::mutate,
    taint_nodes_by_condition::mutate,
    priority::mutate,
    default_toleration_seconds::mutate,
    default_storage_class::mutate,
    storage_object_in_use_protection::mutate,
    runtime_class::mutate,
    certificate_signing::mutate,
    default_ingress_class::mutate,
];

const VALIDATE: &[Validate] = &[
    namespace_lifecycle::validate,
    limit_ranger::validate,
    service_account::validate,
    pod_security::validate,
    priority::validate,
    persistent_volume_claim_resize::validate,
    certificate_approval::validate,
    certificate_signing::validate,
];

#[async_trait]
impl Admission for Guard {
    async fn mutate(&self, request: &AdmissionRequest<'_>, object: &mut Value) -> Result<(), Status> {
        service_account::await_default(request).await;
        let cluster = request.registry.store().snapshot();
        let asked = Asked::of(self, request, &cluster);
        MUTATE.iter().try_for_each(|step| step(&asked, object))?;
        if let Some(mut turns) = Turns::of(self, request)
            && turns.mutate(Some(&mut *object)).await?
        {
            // As upstream: what webhooks changed goes through every step once more.
            MUTATE.iter().try_for_each(|step| step(&asked, object))?;
            turns.mutate(Some(&mut *object)).await?;
        }
        // Upstream's registry asks this before validation, so that what one may not grant is not explained either.
        rbac_escalation::mutate(&asked, object)
    }

    async fn validate(
        &self,
        request: &AdmissionRequest<'_>,
        object: Option<&Value>,
    ) -> Result<Permit, Status> {
        let cluster = request.registry.store().head();
        let asked = Asked::of(self, request, &cluster);
        VALIDATE.iter().try_for_each(|step| step(&asked, object))?;
        policy::validate(&asked, request, object)?;
        if let Some(mut turns) = Turns::of(self, request) {
            if matches!(request.operation, Operation::Delete | Operation::Connect) {
                turns.mutate(None).await?;
            }
            turns.validate(&cluster, object).await?;
        }
        // Last, as upstream: what another step refuses must not be counted.
        resource_quota::charge(self, request, object).await
    }
}

#[cfg(test)]
mod tests;

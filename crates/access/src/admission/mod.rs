//! Admission: what may change or refuse a write, one file per plugin, named as upstream names them.
//!
//! Every step is a function of what is asked and of the cluster's state. The order is upstream's.

mod always_deny;
mod always_pull_images;
mod asked;
mod certificate_approval;
mod certificate_signing;
mod configuration;
mod default_ingress_class;
mod default_storage_class;
mod default_toleration_seconds;
mod deny_service_external_ips;
mod event_rate_limit;
mod extended_resource_toleration;
mod limit_pod_hard_anti_affinity_topology;
mod limit_ranger;
mod namespace_auto_provision;
mod namespace_exists;
mod namespace_lifecycle;
mod node_declared_features;
mod node_restriction;
mod owner_references_permission_enforcement;
mod persistent_volume_claim_resize;
mod plugins;
mod pod_node_selector;
mod pod_resize;
mod pod_resources;
mod pod_security;
mod pod_toleration_restriction;
mod pod_topology_labels;
mod policy;
mod priority;
mod rbac_escalation;
mod resource_quota;
mod runtime_class;
mod service_account;
mod settings;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
mod tolerations;
mod webhook;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::Status;
use warren_registry::admission::{Admission, AdmissionRequest, Operation, Permit};

pub(crate) use self::asked::Asked;
pub use self::configuration::AdmissionConfiguration;
use self::plugins::Id;
pub use self::plugins::Plugins;
use self::policy::Mutations;
pub(crate) use self::policy::Policies;
pub use self::policy::type_warnings;
pub(crate) use self::resource_quota::{QuotaTurns, Readings};
pub use self::settings::AdmissionSettings;
use self::webhook::Turns;
pub use self::webhook::admission_answer;
pub(crate) use self::webhook::{Hooks, refused_by_code};
use crate::guard::Guard;

/// What upstream's strategies and registries do that have to know the user: always, whatever is switched off.
const ALWAYS_MUTATE: &[plugins::Mutate] = &[certificate_signing::mutate];
const ALWAYS_VALIDATE: &[plugins::Validate] = &[
    priority::keep_system_classes,
    pod_security::floor::validate,
    policy::parameter_rights::validate,
];

/// Every plugin that changes objects, in order.
fn mutate(cx: &Asked<'_>, object: &mut Value) -> Result<(), Status> {
    let running = cx.settings.plugins.running();
    running
        .filter_map(|plugin| plugin.mutate)
        .try_for_each(|step| step(cx, object))
}

/// Every plugin that only looks, in order.
fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let running = cx.settings.plugins.running();
    let steps = running.filter_map(|plugin| plugin.validate);
    steps
        .chain(ALWAYS_VALIDATE.iter().copied())
        .try_for_each(|step| step(cx, object))
}

/// What tenants have changed objects by: after all that is built in, in this order.
struct Late<'a> {
    policies: Option<Mutations<'a>>,
    turns: Option<Turns<'a>>,
}

impl Late<'_> {
    /// Answers whether every step has to run once more.
    async fn mutate(&mut self, object: &mut Value) -> Result<bool, Status> {
        let mut again = false;
        if let Some(policies) = &mut self.policies {
            again |= policies.mutate(object).await?;
        }
        if let Some(turns) = &mut self.turns {
            again |= turns.mutate(Some(object)).await?;
        }
        Ok(again)
    }
}

#[async_trait]
impl Admission for Guard {
    async fn mutate(&self, request: &AdmissionRequest<'_>, object: &mut Value) -> Result<(), Status> {
        let settings = self.admission();
        if settings.runs(Id::NamespaceAutoProvision) {
            namespace_auto_provision::provision(request).await?;
        }
        if settings.runs(Id::ServiceAccount) {
            service_account::await_default(request).await;
        }
        let cluster = request.registry.store().snapshot();
        let asked = Asked::of(self, request, &cluster);
        ALWAYS_MUTATE.iter().try_for_each(|step| step(&asked, object))?;
        mutate(&asked, object)?;
        let policies = settings
            .runs(Id::MutatingAdmissionPolicy)
            .then(|| Mutations::of(self, request));
        let turns = settings
            .runs(Id::MutatingAdmissionWebhook)
            .then(|| Turns::of(self, request));
        let mut late = Late {
            policies: policies.flatten(),
            turns: turns.flatten(),
        };
        if late.mutate(object).await? {
            // As upstream: what policies and webhooks changed goes through every step once more.
            mutate(&asked, object)?;
            late.mutate(object).await?;
        }
        // Upstream's registry asks this before validation, so that what one may not grant is not explained either.
        rbac_escalation::mutate(&asked, object)
    }

    async fn validate(
        &self,
        request: &AdmissionRequest<'_>,
        object: Option<&Value>,
    ) -> Result<Permit, Status> {
        let settings = self.admission();
        let cluster = request.registry.store().head();
        let asked = Asked::of(self, request, &cluster);
        validate(&asked, object)?;
        if settings.runs(Id::ValidatingAdmissionPolicy) {
            policy::validate(&asked, request, object).await?;
        }
        if let Some(mut turns) = Turns::of(self, request) {
            let is_late = matches!(request.operation, Operation::Delete | Operation::Connect);
            if is_late && settings.runs(Id::MutatingAdmissionWebhook) {
                turns.look(object).await?;
            }
            if settings.runs(Id::ValidatingAdmissionWebhook) {
                turns.validate(&cluster, object).await?;
            }
        }
        if !settings.runs(Id::ResourceQuota) {
            return Ok(Permit::default());
        }
        // Last, as upstream: what another step refuses must not be counted.
        resource_quota::charge(self, request, object).await
    }
}

#[cfg(test)]
mod tests;

//! `pods/eviction`: a deletion that asks the pod's disruption budget first.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::status::{Cause, Details};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Status, StatusReason, resource, time};
use warren_reconciler::{DeleteOptions, Part};
use warren_storage::WriteKind;

use super::pod_condition;
use crate::admission;
use crate::change::Current;
use crate::commit::{Refusal, draft};
use crate::decode::Expected;
use crate::delete::Asking;
use crate::operation::Operation;
use crate::request::delete_options;

/// How often the budget is asked anew because others were quicker.
const ROUNDS: usize = 16;
/// So many disruptions may wait for the budget's controller.
const MAX_DISRUPTED: usize = 2000;

impl Operation<'_> {
    /// Deletes the pod if its budget allows it, and counts it there.
    pub(super) async fn evict(&self, eviction: &Value) -> Result<Value, Status> {
        let mut eviction = self.decode_eviction(eviction.clone())?;
        self.check_body_name(&eviction, "Eviction")?;
        self.mutate(admission::Operation::Create, &mut eviction, None)
            .await?;
        let eviction = &eviction;
        self.admit(admission::Operation::Create, Some(eviction), None)
            .await?;
        let asked = delete_options(eviction.at("/deleteOptions"))?;
        for _ in 0..ROUNDS {
            let pod = self.registry.get(self.definition, self.key)?;
            let value = pod.to_value();
            let verdict = match without_budget(&value) {
                Some(verdict) => verdict,
                None => self.ask_budgets(&pod, &value).await?,
            };
            let mut options = asked.clone();
            if verdict != Verdict::Free {
                // It must still be the pod that was judged.
                let revision = pod.meta().revision.to_string();
                options.resource_version.get_or_insert(revision);
            }
            let result = match self.tell(options).await {
                Ok(options) => self.finish(options).await,
                Err(Refusal::Outrun) => continue,
                Err(Refusal::Status(status)) => Err(status),
            };
            match (result, verdict) {
                (Ok(_), _) => return Ok(super::success()),
                (Err(status), _) if asked.resource_version.is_some() => return Err(status),
                (Err(status), Verdict::WhilePending) if status.is(StatusReason::Conflict) => {}
                (Err(status), Verdict::WhileUnready) if status.is(StatusReason::Conflict) => {
                    return Err(too_many("The pod changed while its eviction was decided.", 10));
                }
                (Err(status), _) => return Err(status),
            }
        }
        Err(self.modified())
    }

    async fn finish(&self, options: DeleteOptions) -> Result<(), Status> {
        // As upstream: who admitted the eviction is not asked about the deletion.
        let deletion = self
            .registry
            .operation(self.cx, self.definition, Part::Main, self.key);
        let deleted = deletion.delete_until_done(&options, Asking::Nobody);
        deleted.await.map(drop)
    }

    /// Writes into the pod that it is evicted. Answers the options that still mean it.
    async fn tell(&self, mut options: DeleteOptions) -> Result<DeleteOptions, Refusal> {
        if self.cx.dry_run {
            return Ok(options);
        }
        let current = self.existing().await?;
        // A pod's conflicts name its kind, not the resource.
        self.check_preconditions(&current, &options)?;
        let mut pod = current.value.clone();
        let why = ("EvictionByEvictionAPI", "Eviction API: evicting");
        let now = time::format(self.registry.now());
        pod_condition::set(&mut pod, "DisruptionTarget", Some(why), &now);
        let change = WriteKind::Update {
            draft: draft(self.definition, pod),
            expected: current.object.meta().revision,
        };
        let told = self.registry.commit(self.definition, self.key, change).await?;
        if options.resource_version.is_some() {
            options.resource_version = Some(told.meta().revision.to_string());
        }
        Ok(options)
    }

    /// Both versions of an `Eviction` say the same.
    fn decode_eviction(&self, eviction: Value) -> Result<Value, Status> {
        let version = match eviction.text("/apiVersion") {
            "policy/v1beta1" => "v1beta1",
            _ => "v1",
        };
        let expected = Expected {
            group: "policy",
            version,
            kind: "Eviction",
        };
        self.registry.decode_part(self.cx, expected, eviction)
    }

    async fn ask_budgets(&self, pod: &Arc<Object>, value: &Value) -> Result<Verdict, Status> {
        let found: Vec<Arc<Object>> = self
            .registry
            .store
            .latest_list(&budgets(), Some(&self.key.namespace))
            .into_iter()
            .filter(|budget| covers(budget, pod))
            .collect();
        let budget = match found.as_slice() {
            [] => return Ok(Verdict::Free),
            [one] => one,
            _ => {
                return Err(Status::unclassified(
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
                ));
            }
        };
        let mut current = Current::of(Arc::clone(budget));
        for _ in 0..ROUNDS {
            if lets_unready_go(&current.value, value) {
                return Ok(Verdict::WhileUnready);
            }
            let counted = self.count_disruption(&current).await;
            if Refusal::unless_outrun(counted)?.is_some() {
                return Ok(Verdict::Free);
            }
            match self.registry.store.latest(&budgets(), &budget.key()) {
                Some(latest) => current = Current::of(latest),
                None => return Ok(Verdict::Free),
            }
        }
        Err(too_many("the disruption budget changes too quickly", 10))
    }

    /// Takes one disruption from the budget.
    async fn count_disruption(&self, current: &Current) -> Result<(), Refusal> {
        let now = time::format(self.registry.now());
        let next = disrupted(&current.value, &self.key.name, &now)?;
        let catalogue = self.registry.catalogue();
        let budgets = budgets();
        let Some(definition) = catalogue.group_resource(&budgets) else {
            return Ok(());
        };
        if self.cx.dry_run {
            return Ok(());
        }
        let change = WriteKind::Update {
            draft: draft(definition, next),
            expected: current.object.meta().revision,
        };
        self.registry
            .commit(definition, &current.object.key(), change)
            .await?;
        Ok(())
    }
}

fn budgets() -> warren_apimachinery::GroupResource {
    resource::POD_DISRUPTION_BUDGETS.group_resource()
}

/// Under which condition a pod may go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Under none.
    Free,
    /// As long as it does not run.
    WhilePending,
    /// As long as it is not ready.
    WhileUnready,
}

/// What does not run, or goes anyway, disrupts nobody; for the others budgets are asked.
fn without_budget(pod: &Value) -> Option<Verdict> {
    let goes = !pod.at("/metadata/deletionTimestamp").is_null();
    match pod.text("/status/phase") {
        "Succeeded" | "Failed" => Some(Verdict::Free),
        _ if goes => Some(Verdict::Free),
        "Pending" => Some(Verdict::WhilePending),
        _ => None,
    }
}

fn covers(budget: &Object, pod: &Object) -> bool {
    let value = budget.to_value();
    LabelSelector::from_json(value.at("/spec/selector")).is_ok_and(|selector| selector.matches(pod.meta()))
}

/// `unhealthyPodEvictionPolicy`: whether a pod that is not ready goes without being counted.
fn lets_unready_go(budget: &Value, pod: &Value) -> bool {
    let ready = pod
        .items("/status/conditions")
        .iter()
        .any(|condition| condition.text("/type") == "Ready" && condition.text("/status") == "True");
    if ready {
        return false;
    }
    let desired = budget.int("/status/desiredHealthy").unwrap_or_default();
    let healthy = budget.int("/status/currentHealthy").unwrap_or_default();
    budget.text("/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow" || (desired > 0 && healthy >= desired)
}

/// The budget with one disruption less, or why there is none left.
fn disrupted(budget: &Value, pod: &str, now: &str) -> Result<Value, Status> {
    let name = budget.text("/metadata/name");
    let observed = budget.int("/status/observedGeneration").unwrap_or_default();
    if observed < budget.int("/metadata/generation").unwrap_or_default() {
        return Err(too_many(
            &format!("The disruption budget {name} is still being processed by the server."),
            10,
        ));
    }
    let allowed = budget.int("/status/disruptionsAllowed").unwrap_or_default();
    if allowed < 0 {
        return Err(Status::forbidden(
            &budgets(),
            name,
            "pdb disruptions allowed is negative",
        ));
    }
    let waiting = budget
        .at("/status/disruptedPods")
        .as_object()
        .map_or(0, serde_json::Map::len);
    if waiting > MAX_DISRUPTED {
        return Err(Status::forbidden(
            &budgets(),
            name,
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ));
    }
    if allowed == 0 {
        let desired = budget.int("/status/desiredHealthy").unwrap_or_default();
        let healthy = budget.int("/status/currentHealthy").unwrap_or_default();
        return Err(too_many(
            &format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"),
            0,
        ));
    }
    let mut next = budget.clone();
    next.set("/status/disruptionsAllowed", allowed - 1);
    if let Some(waiting) = next.object_at("/status/disruptedPods") {
        waiting.insert(pod.to_owned(), now.into());
    }
    if allowed == 1 {
        set_insufficient(&mut next, now);
    }
    Ok(next)
}

/// The last disruption is taken: the budget's condition says so at once.
fn set_insufficient(budget: &mut Value, now: &str) {
    let generation = budget.at("/metadata/generation").clone();
    let mut conditions = budget.items("/status/conditions").to_vec();
    for condition in &mut conditions {
        if condition.text("/type") == "DisruptionAllowed" && condition.text("/status") != "False" {
            condition.set("/status", "False");
            condition.set("/reason", "InsufficientPods");
            condition.set("/lastTransitionTime", now);
            condition.set("/observedGeneration", generation.clone());
        }
    }
    if !conditions.is_empty() {
        budget.set("/status/conditions", conditions);
    }
}

fn too_many(cause: &str, retry_after_seconds: u32) -> Status {
    Status::new(
        StatusReason::TooManyRequests,
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
    .with_details(Details {
        retry_after_seconds,
        causes: vec![Cause {
            reason: "DisruptionBudget".to_owned(),
            message: cause.to_owned(),
            field: String::new(),
        }],
        ..Details::default()
    })
}

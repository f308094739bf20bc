//! PodDisruptionBudgets: how many pods may be evicted now. Owns the shell; `plan` counts.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::policy::v1::{PodDisruptionBudgetSpec, PodDisruptionBudgetStatus};
use serde_json::{Value, json};
use warren_apimachinery::resource::{POD_DISRUPTION_BUDGETS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Meta, Object, ObjectKey, Resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{
    Change, Cluster, Context, Next, ReconcileError, Reconciler, ServedResource, Triggers,
};

use crate::condition::{self, Said};
use crate::custom_scale::CustomScale;
use crate::label_selector::{self, Selector};
use crate::pod::{self, Pod};
use crate::status::Fields;
use crate::timestamp;
use crate::view::{Parts, view};

const RECORDER: Recorder = Recorder {
    component: "controllermanager",
};

/// The controller.
pub(crate) struct DisruptionBudgets;

type DisruptionBudget = Parts<PodDisruptionBudgetSpec, PodDisruptionBudgetStatus>;

fn selector(spec: &PodDisruptionBudgetSpec) -> Selector {
    spec.selector
        .as_ref()
        .map_or_else(Selector::nothing, label_selector::of)
}

#[async_trait]
impl Reconciler for DisruptionBudgets {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn watches(&self) -> &'static [Resource] {
        &[POD_DISRUPTION_BUDGETS, PODS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if POD_DISRUPTION_BUDGETS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        let meta = change.object.meta();
        let before = change.previous.as_ref().map(|pod| pod.meta());
        for budget in cluster.list(&POD_DISRUPTION_BUDGETS, Some(&meta.namespace)) {
            let selector = label_selector::of_object(&budget);
            if selector.matches(meta) || before.is_some_and(|before| selector.matches(before)) {
                out.add(budget.key());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(object) = cluster.get(&POD_DISRUPTION_BUDGETS, key) else {
            return Ok(Next::Wait);
        };
        let budget: DisruptionBudget = view(&object)?;
        let selector = selector(&budget.spec);
        let mut pods = pod::list(cluster, &key.namespace, |meta| selector.matches(meta));
        pods.retain(|pod| !pod.is_terminal());
        if pods.is_empty() {
            let about = RECORDER.about(cx, &POD_DISRUPTION_BUDGETS, &object);
            about.normal("NoPods", "No matching pods found").await;
        }
        let scale = if plan::needs_scale(&budget.spec) {
            scale(cluster, &pods)
        } else {
            Ok(0)
        };
        match scale {
            Ok(scale) => tell(cx, &object, &budget, (&pods, scale)).await,
            Err(why) => {
                fail(cx, &object, &budget, &why).await?;
                Err(ReconcileError::Retry(why))
            }
        }
    }
}

/// What the controllers of the pods want together. A ReplicaSet speaks for its Deployment.
fn scale(cluster: &dyn Cluster, pods: &[Pod]) -> Result<i64, String> {
    let served = cluster.resources();
    let mut seen = BTreeSet::new();
    let mut total = 0;
    for pod in pods {
        let (mut meta, mut found) = (pod.object.clone(), None);
        while let Some((of, owner)) = controller(&served, cluster, meta.meta()) {
            meta = owner.clone();
            found = Some((of, owner));
        }
        let Some((of, owner)) = found else {
            if pod.meta().controller().is_none() {
                continue;
            }
            return Err(format!("found no controllers for pod {:?}", pod.name()));
        };
        if seen.insert(owner.meta().uid.clone()) {
            total += replicas(cluster, of, &owner.to_value())
                .ok_or_else(|| format!("{} does not implement the scale subresource", owner.meta().name))?;
        }
    }
    Ok(total)
}

/// How many pods an owner of a resource wants. Custom resources say so where their definition places it.
fn replicas(cluster: &dyn Cluster, of: &ServedResource, owner: &Value) -> Option<i64> {
    match CustomScale::of(cluster, &of.resource.group, &of.kind) {
        Ok(scale) => scale.replicas(owner),
        Err(_) => owner.int("/spec/replicas"),
    }
}

fn controller<'a>(
    served: &'a [ServedResource],
    cluster: &dyn Cluster,
    meta: &Meta,
) -> Option<(&'a ServedResource, Arc<Object>)> {
    let reference = meta.controller()?;
    let group = reference
        .api_version
        .split_once('/')
        .map_or("", |(group, _)| group);
    let of_kind = served
        .iter()
        .find(|served| served.kind == reference.kind && served.resource.group == group)?;
    let key = ObjectKey::namespaced(meta.namespace.clone(), reference.name.clone());
    cluster
        .find_any(&of_kind.resource, &key)
        .filter(|owner| owner.meta().uid == reference.uid)
        .map(|owner| (of_kind, owner))
}

async fn tell(
    cx: &Context,
    object: &Arc<Object>,
    budget: &DisruptionBudget,
    (pods, scale): (&[Pod], i64),
) -> Result<Next, ReconcileError> {
    let told: BTreeMap<String, Timestamp> = budget
        .status
        .disrupted_pods
        .iter()
        .flatten()
        .map(|(name, time)| (name.clone(), time.0))
        .collect();
    let (disrupted, first_end) = plan::under_way(told, pods, cx.now);
    let numbers = plan::budget(&budget.spec, pods, &disrupted, scale);
    let generation = budget.metadata.generation.unwrap_or_default();
    let mut conditions = object.to_value().items("/status/conditions").to_vec();
    let (status, reason) = if numbers.allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let said = Said {
        kind: "DisruptionAllowed",
        status,
        reason,
        message: String::new(),
    };
    set(&mut conditions, &said, generation, cx.now);
    let disrupted: Value = disrupted
        .into_iter()
        .map(|(name, time)| (name, Value::from(timestamp::text(time))))
        .collect();
    let status = Fields::default()
        .number("observedGeneration", generation)
        .option(
            "disruptedPods",
            disrupted
                .as_object()
                .filter(|map| !map.is_empty())
                .map(|map| json!(map)),
        )
        .with("disruptionsAllowed", numbers.allowed)
        .with("currentHealthy", numbers.healthy)
        .with("desiredHealthy", numbers.desired)
        .with("expectedPods", numbers.expected)
        .list("conditions", conditions)
        .build();
    crate::status::write(cx.cluster.as_ref(), &POD_DISRUPTION_BUDGETS, object, status).await?;
    Ok(first_end.map_or(Next::Wait, |end| Next::After(timestamp::until(end, cx.now))))
}

/// Nothing may be disrupted while it cannot be counted.
async fn fail(
    cx: &Context,
    object: &Arc<Object>,
    budget: &DisruptionBudget,
    why: &str,
) -> Result<(), ReconcileError> {
    let message = format!("Failed to calculate the number of expected pods: {why}");
    let about = RECORDER.about(cx, &POD_DISRUPTION_BUDGETS, object);
    about.warning("CalculateExpectedPodCountFailed", message).await;
    let value = object.to_value();
    let mut status = value.at("/status").clone();
    let mut conditions = status.items("/conditions").to_vec();
    let said = Said {
        kind: "DisruptionAllowed",
        status: "False",
        reason: "SyncFailed",
        message: why.to_owned(),
    };
    set(
        &mut conditions,
        &said,
        budget.metadata.generation.unwrap_or_default(),
        cx.now,
    );
    status.set("/conditions", conditions);
    status.set("/disruptionsAllowed", 0);
    for required in ["/currentHealthy", "/desiredHealthy", "/expectedPods"] {
        if status.at(required).is_null() {
            status.set(required, 0);
        }
    }
    crate::status::write(cx.cluster.as_ref(), &POD_DISRUPTION_BUDGETS, object, status).await?;
    Ok(())
}

fn set(conditions: &mut Vec<Value>, said: &Said<'_>, generation: i64, now: Timestamp) {
    condition::set(conditions, said, now);
    if let Some(own) = conditions.iter_mut().find(|own| own.text("/type") == said.kind) {
        own.set("/observedGeneration", generation);
    }
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::resource::REPLICA_SETS;

    use super::*;
    use crate::fake::{FakeCluster, NOW};

    #[tokio::test]
    async fn a_budget_counts_the_healthy_pods_of_its_controllers() {
        let cluster = FakeCluster::new();
        cluster.serve(&REPLICA_SETS);
        cluster.put(
            &REPLICA_SETS,
            json!({"metadata": {"name": "r", "uid": "r"}, "spec": {"replicas": 3}}),
        );
        for pod in ["a", "b", "c"] {
            cluster.put(&PODS, json!({"metadata": {"name": pod, "labels": {"app": "web"}, "ownerReferences":
                [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": true}]}}));
        }
        cluster.run_pods(NOW);
        cluster.put(
            &POD_DISRUPTION_BUDGETS,
            json!({"metadata": {"name": "web"},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
        );
        cluster.settle(&[&DisruptionBudgets], NOW).await;
        let mut status = cluster
            .value(&POD_DISRUPTION_BUDGETS, "default/web")
            .at("/status")
            .clone();
        let conditions = status.take_at("/conditions").unwrap();
        assert_eq!(
            conditions,
            json!([{"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods",
            "message": "", "lastTransitionTime": NOW, "observedGeneration": 1}])
        );
        assert_eq!(
            status,
            json!({"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 3,
            "desiredHealthy": 2, "expectedPods": 3})
        );
        // An eviction that was granted counts until the pod goes, for two minutes at most.
        cluster.change(&POD_DISRUPTION_BUDGETS, "default/web", |budget| {
            budget.set("/status/disruptedPods", json!({"a": NOW}));
        });
        let next = cluster.settle(&[&DisruptionBudgets], NOW).await;
        assert_eq!(next, Next::After(std::time::Duration::from_secs(120)));
        assert_eq!(
            cluster
                .value(&POD_DISRUPTION_BUDGETS, "default/web")
                .int("/status/disruptionsAllowed"),
            Some(0)
        );
    }
}

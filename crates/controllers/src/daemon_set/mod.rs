//! DaemonSets: one pod on each node that wants one. Owns the shell; `plan` decides node by node, `status` what is told.

mod plan;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::{DaemonSetSpec, DaemonSetStatus};
use serde_json::{Value, json};
use warren_apimachinery::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::controller_revision::{self, History, REVISION_LABEL, Revision};
use crate::label_selector::{self, Selector};
use crate::owner;
use crate::percent::{Rounding, scaled};
use crate::placement::daemon_tolerations;
use crate::pod::Pod;
use crate::pod_control::{self, PodControl};
use crate::timestamp;
use crate::view::{Parts, view};

use plan::{Observed, Place, Update};

const RECORDER: Recorder = Recorder {
    component: "daemonset-controller",
};
/// Where the API server counts the generations of a DaemonSet's template.
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// The controller.
pub(crate) struct DaemonSets;

type DaemonSet = Parts<DaemonSetSpec, DaemonSetStatus>;

struct Pass<'a> {
    cx: &'a Context,
    object: Arc<Object>,
    value: Value,
    set: DaemonSet,
    selector: Selector,
    update: Revision,
}

#[async_trait]
impl Reconciler for DaemonSets {
    fn name(&self) -> &'static str {
        "daemonset"
    }

    fn watches(&self) -> &'static [Resource] {
        &[DAEMON_SETS, PODS, CONTROLLER_REVISIONS, NODES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if DAEMON_SETS.is(&change.resource) {
            out.add(change.object.key());
        } else if !NODES.is(&change.resource) {
            owner::trigger(change, cluster, &DAEMON_SETS, out);
        } else if node_matters(change) {
            cluster
                .list(&DAEMON_SETS, None)
                .iter()
                .for_each(|set| out.add(set.key()));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&DAEMON_SETS, key) else {
            return Ok(Next::Wait);
        };
        let set: DaemonSet = view(&object)?;
        let selector = label_selector::of(&set.spec.selector);
        if selector.is_everything() {
            let message = "This daemon set is selecting all pods. A non-empty selector is required.";
            RECORDER
                .about(cx, &DAEMON_SETS, &object)
                .warning("SelectingAll", message)
                .await;
            return Ok(Next::Wait);
        }
        if object.meta().deleting {
            return Ok(Next::Wait);
        }
        let history = History {
            cluster: cx.cluster.as_ref(),
            resource: &DAEMON_SETS,
            owner: &object,
            collisions: i64::from(set.status.collision_count.unwrap_or_default()),
        };
        let revisions = history.list(&selector).await?;
        let revisions = history.ensure(revisions).await?;
        let limit = usize::try_from(set.spec.revision_history_limit.unwrap_or(10)).unwrap_or_default();
        let pass = Pass {
            cx,
            value: object.to_value(),
            object: object.clone(),
            set,
            selector,
            update: revisions.update.clone(),
        };
        let (next, pods) = pass.run().await?;
        let in_use = |revision: &Revision| {
            let of_pod = |pod: &Pod| controller_revision::of_pod(pod.meta()) == revision.hash();
            revision.name() == pass.update.name() || pods.iter().any(of_pod)
        };
        history.truncate(&revisions.all, limit, in_use).await?;
        Ok(next)
    }
}

/// A heartbeat is no reason to look: only labels, taints, and coming and going are.
fn node_matters(change: &Change) -> bool {
    let Some(previous) = &change.previous else {
        return true;
    };
    let placing = |node: &Object| node.to_value().at("/spec").clone();
    change.deleted
        || previous.meta().labels != change.object.meta().labels
        || placing(previous) != placing(&change.object)
}

impl Pass<'_> {
    async fn run(&self) -> Result<(Next, Vec<Pod>), ReconcileError> {
        let cluster = self.cx.cluster.as_ref();
        let nodes = cluster.list(&NODES, None);
        let pods = self.pods().await?;
        let min_ready = i64::from(self.set.spec.min_ready_seconds.unwrap_or_default());
        let observed = self.observe(&nodes, &pods);
        let desired = observed
            .places
            .values()
            .filter(|place| **place == Place::Wanted)
            .count();
        let update = self.update_strategy(i64::try_from(desired).unwrap_or(i64::MAX));
        let plan = plan::plan(&observed, self.update.hash(), update, (min_ready, self.cx.now));
        let failure = self.carry_out(&plan).await.err();
        let pods_now = if plan.create.is_empty() && plan.delete.is_empty() && plan.ended.is_empty() {
            pods.clone()
        } else {
            self.pods().await?
        };
        let observed = self.observe(&nodes, &pods_now);
        let status = status::decide(self, &observed, min_ready);
        crate::status::write(cluster, &DAEMON_SETS, &self.object, status).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let next = pods_now
            .iter()
            .filter_map(|pod| pod.available_at(min_ready, self.cx.now))
            .min()
            .map_or(Next::Wait, |at| Next::After(timestamp::until(at, self.cx.now)));
        Ok((next, pods_now))
    }

    async fn pods(&self) -> Result<Vec<Pod>, ReconcileError> {
        let meta = self.object.meta();
        let cluster = self.cx.cluster.as_ref();
        let candidates = cluster.list(&PODS, Some(&meta.namespace));
        let owner = (&DAEMON_SETS, meta);
        let claimed = owner::claim(cluster, owner, &self.selector, (&PODS, candidates)).await?;
        Ok(claimed.into_iter().map(Pod::of).collect())
    }

    fn observe<'b>(&self, nodes: &'b [Arc<Object>], pods: &'b [Pod]) -> Observed<'b> {
        let spec = self.value.at("/spec/template/spec");
        let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
        for pod in pods {
            if let Some(node) = plan::target_node(pod) {
                by_node.entry(node).or_default().push(pod);
            }
        }
        Observed {
            places: nodes
                .iter()
                .map(|node| (node.meta().name.as_str(), plan::place(spec, node)))
                .collect(),
            pods: by_node,
        }
    }

    /// `None` for `OnDelete`.
    fn update_strategy(&self, desired: i64) -> Option<Update> {
        let strategy = self.set.spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return None;
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let number = |value: Option<&_>, default: i64| {
            let number = value.map_or(default, |value| scaled(value, desired, Rounding::Up));
            usize::try_from(number).unwrap_or_default()
        };
        let max_surge = number(rolling.and_then(|rolling| rolling.max_surge.as_ref()), 0);
        let max_unavailable = number(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()), 1);
        let stuck = max_surge == 0 && max_unavailable == 0;
        Some(Update {
            max_unavailable: if stuck { 1 } else { max_unavailable },
            max_surge,
        })
    }

    async fn carry_out(&self, plan: &plan::Plan<'_>) -> Result<(), ReconcileError> {
        let control = PodControl {
            cx: self.cx,
            recorder: RECORDER,
            resource: &DAEMON_SETS,
            owner: &self.object,
        };
        for pod in &plan.ended {
            self.tell_end(pod).await;
        }
        for pod in plan.ended.iter().chain(&plan.delete) {
            control.delete(&pod.object).await?;
        }
        let pods = plan
            .create
            .iter()
            .take(pod_control::BURST)
            .map(|node| self.pod(node))
            .collect();
        control.create_all(pods).await?;
        Ok(())
    }

    async fn tell_end(&self, pod: &Pod) {
        let about = RECORDER.about(self.cx, &DAEMON_SETS, &self.object);
        let (namespace, name, node) = (&pod.meta().namespace, pod.name(), &pod.spec.node_name);
        if pod.is_failed() {
            let message =
                format!("Found failed daemon pod {namespace}/{name} on node {node}, will try to kill it");
            about.warning("FailedDaemonPod", message).await;
        } else {
            let message = format!(
                "Found succeeded daemon pod {namespace}/{name} on node {node}, will try to delete it"
            );
            about.normal("SucceededDaemonPod", message).await;
        }
    }

    /// The pod of a node: bound for it by affinity, so that the scheduler still has its say.
    fn pod(&self, node: &str) -> Value {
        let mut pod = pod_control::from_template(&DAEMON_SETS, &self.object, self.value.at("/spec/template"));
        pod.set(
            "/metadata/generateName",
            pod_control::generate_name(&self.object.meta().name),
        );
        pod.set(&format!("/metadata/labels/{REVISION_LABEL}"), self.update.hash());
        let generation = self.value.at("/metadata/annotations").field(GENERATION);
        if generation.is_string() {
            pod.set("/metadata/labels/pod-template-generation", generation.clone());
        }
        let terms = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]);
        let required = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
        pod.set(required, json!({"nodeSelectorTerms": terms}));
        let host_network = pod.at("/spec/hostNetwork").as_bool().unwrap_or_default();
        let mut tolerations = pod.items("/spec/tolerations").to_vec();
        for toleration in daemon_tolerations(host_network) {
            if !tolerations.contains(&toleration) {
                tolerations.push(toleration);
            }
        }
        pod.set("/spec/tolerations", tolerations);
        pod
    }
}

#[cfg(test)]
mod tests;

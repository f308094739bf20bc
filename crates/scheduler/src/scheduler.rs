//! The reconciler: takes pending pods, decides, binds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::decide::{Decision, decide};
use crate::node_view::NodeView;
use crate::pod_view::PodView;
use crate::snapshot::{Seat, Snapshot};
use crate::volumes::{Claims, SELECTED_NODE, look};

const NAME: &str = "default-scheduler";
const EVENTS: Recorder = Recorder { component: NAME };

/// The scheduler of the embedded host. One per process: its cache is that host's, not a tenant's.
#[derive(Default)]
pub struct Scheduler {
    state: Mutex<State>,
}

/// Views by uid, so that a burst of pods is parsed once. Bound: the pods and nodes of the host; what is gone is
/// dropped at the next decision after it outgrew them twice.
#[derive(Default)]
struct State {
    pods: HashMap<SmolStr, Arc<PodView>>,
    nodes: HashMap<SmolStr, (warren_apimachinery::Revision, Arc<NodeView>)>,
    /// Decided, and maybe not yet visible in the cluster: uid to node.
    assumed: HashMap<SmolStr, SmolStr>,
}

#[async_trait]
impl Reconciler for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn actor(&self) -> &'static str {
        "kube-scheduler"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[
            resource::PODS,
            resource::NODES,
            resource::PERSISTENT_VOLUME_CLAIMS,
            resource::STORAGE_CLASSES,
        ];
        WATCHES
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if resource::PODS.is(&change.resource) && !change.deleted && waits(&change.object) {
            return out.add(change.object.key());
        }
        if makes_room(change) {
            for pod in cluster
                .list(&resource::PODS, None)
                .iter()
                .filter(|pod| waits(pod))
            {
                out.add(pod.key());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx
            .cluster
            .get(&resource::PODS, key)
            .filter(|object| waits(object))
        else {
            return Ok(Next::Wait);
        };
        let Some(pod) = PodView::of(&object) else {
            return Err(ReconcileError::Never(
                "the pod has a shape that the scheduler does not know".to_owned(),
            ));
        };
        if pod.spec.scheduler_name.as_deref() != Some(NAME) {
            return Ok(Next::Wait);
        }
        if pod
            .spec
            .scheduling_gates
            .as_ref()
            .is_some_and(|gates| !gates.is_empty())
        {
            let message = "Scheduling is blocked due to non-empty scheduling gates";
            return self.unschedulable(cx, &object, "SchedulingGated", message).await;
        }
        let waiting = match look(cx.cluster.as_ref(), key, &pod.spec) {
            Claims::Bound => Vec::new(),
            Claims::WaitForNode(claims) => claims,
            Claims::Refused(why) => {
                let nodes = cx.cluster.list(&resource::NODES, None).len();
                let message = format!("0/{nodes} nodes are available: {why}.");
                return self.unschedulable(cx, &object, "Unschedulable", &message).await;
            }
        };
        match self.choose(cx.cluster.as_ref(), &object, pod) {
            Decision::Unschedulable(why) => self.unschedulable(cx, &object, "Unschedulable", &why).await,
            Decision::Bind(node) if waiting.is_empty() => self.bind(cx, &object, &node).await,
            Decision::Bind(node) => {
                self.release(&object);
                let patch = json!({"metadata": {"annotations": {SELECTED_NODE: node.as_str()}}});
                for claim in waiting {
                    cx.cluster
                        .merge_patch(
                            &resource::PERSISTENT_VOLUME_CLAIMS,
                            &claim,
                            Part::Main,
                            patch.clone(),
                        )
                        .await?;
                }
                Ok(Next::Wait)
            }
        }
    }
}

impl Scheduler {
    /// Decides under the lock, so that two pods never take the same room, and remembers the choice until it
    /// is visible.
    fn choose(&self, cluster: &dyn Cluster, object: &Object, pod: PodView) -> Decision {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = state.snapshot(cluster);
        let decision = decide(&pod, &snapshot);
        if let Decision::Bind(node) = &decision {
            let uid = object.meta().uid.clone();
            state.assumed.insert(uid.clone(), node.clone());
            state.pods.insert(uid, Arc::new(pod));
        }
        decision
    }

    fn release(&self, object: &Object) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.assumed.remove(&object.meta().uid);
    }

    async fn bind(&self, cx: &Context, object: &Object, node: &str) -> Result<Next, ReconcileError> {
        let key = object.key();
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": object.meta().uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
        let bound = cx.cluster.post(&resource::PODS, &key, "binding", binding).await;
        // Bound, the cluster shows it; refused, the room is free again.
        self.release(object);
        bound?;
        let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
        EVENTS
            .about(cx, &resource::PODS, object)
            .normal("Scheduled", message)
            .await;
        Ok(Next::Wait)
    }

    /// Says why in the `PodScheduled` condition and, when that is news, in an event.
    async fn unschedulable(
        &self,
        cx: &Context,
        object: &Object,
        reason: &str,
        message: &str,
    ) -> Result<Next, ReconcileError> {
        let value = object.to_value();
        let old = value
            .items("/status/conditions")
            .iter()
            .find(|c| c.text("/type") == "PodScheduled");
        if old.is_some_and(|old| old.text("/reason") == reason && old.text("/message") == message) {
            return Ok(Next::Wait);
        }
        let since = match old {
            Some(old) if old.text("/status") == "False" => old.at("/lastTransitionTime").clone(),
            _ => json!(warren_apimachinery::time::format(cx.now)),
        };
        let condition = json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message,
            "lastProbeTime": null, "lastTransitionTime": since});
        let mut conditions: Vec<Value> = value.items("/status/conditions").to_vec();
        conditions.retain(|c| c.text("/type") != "PodScheduled");
        conditions.push(condition);
        let patch = json!({"status": {"conditions": conditions}});
        cx.cluster
            .merge_patch(&resource::PODS, &object.key(), Part::Status, patch)
            .await?;
        if reason == "Unschedulable" {
            EVENTS
                .about(cx, &resource::PODS, object)
                .warning("FailedScheduling", message)
                .await;
        }
        Ok(Next::Wait)
    }
}

impl State {
    fn snapshot(&mut self, cluster: &dyn Cluster) -> Snapshot {
        let nodes = cluster.list(&resource::NODES, None);
        let pods = cluster.list(&resource::PODS, None);
        if self.pods.len() > 2 * pods.len() + 64 {
            let alive: std::collections::HashSet<&SmolStr> = pods.iter().map(|pod| &pod.meta().uid).collect();
            self.pods.retain(|uid, _| alive.contains(uid));
        }
        let mut seats: Vec<Seat> = nodes
            .iter()
            .filter_map(|node| self.node(node))
            .map(Seat::new)
            .collect();
        let by_name: HashMap<SmolStr, usize> = seats
            .iter()
            .enumerate()
            .map(|(at, seat)| (seat.node.name.clone(), at))
            .collect();
        for object in &pods {
            let uid = &object.meta().uid;
            let node = match object.meta().field("spec.nodeName") {
                Some(node) if !node.is_empty() => SmolStr::new(node),
                _ => match self.assumed.get(uid) {
                    Some(node) => node.clone(),
                    None => continue,
                },
            };
            if matches!(object.meta().field("status.phase"), Some("Succeeded" | "Failed")) {
                continue;
            }
            let Some(seat) = by_name.get(&node).and_then(|at| seats.get_mut(*at)) else {
                continue;
            };
            if let Some(pod) = self.pod(object) {
                seat.add(pod);
            }
        }
        let namespaces = cluster
            .list(&resource::NAMESPACES, None)
            .iter()
            .map(|namespace| {
                let labels = namespace.meta().labels.iter();
                let labels = labels.map(|(key, value)| (key.to_string(), Value::from(value.as_str())));
                (namespace.meta().name.to_string(), Value::Object(labels.collect()))
            })
            .collect();
        Snapshot { seats, namespaces }
    }

    fn node(&mut self, object: &Object) -> Option<Arc<NodeView>> {
        let meta = object.meta();
        if let Some((_, view)) = self
            .nodes
            .get(&meta.uid)
            .filter(|(revision, _)| *revision == meta.revision)
        {
            return Some(view.clone());
        }
        let view = Arc::new(NodeView::of(object)?);
        self.nodes.insert(meta.uid.clone(), (meta.revision, view.clone()));
        Some(view)
    }

    fn pod(&mut self, object: &Object) -> Option<Arc<PodView>> {
        if let Some(view) = self.pods.get(&object.meta().uid) {
            return Some(view.clone());
        }
        let view = Arc::new(PodView::of(object)?);
        self.pods.insert(object.meta().uid.clone(), view.clone());
        Some(view)
    }
}

/// A pod without a node that is not on its way out.
fn waits(pod: &Object) -> bool {
    let meta = pod.meta();
    meta.field("spec.nodeName").is_none_or(str::is_empty)
        && !meta.deleting
        && !matches!(meta.field("status.phase"), Some("Succeeded" | "Failed"))
}

/// Whether a change may let a pod in that had no place before.
fn makes_room(change: &Change) -> bool {
    if resource::PODS.is(&change.resource) {
        let ended = matches!(
            change.object.meta().field("status.phase"),
            Some("Succeeded" | "Failed")
        );
        let ran = change.previous.as_ref().is_some_and(|previous| {
            !matches!(
                previous.meta().field("status.phase"),
                Some("Succeeded" | "Failed")
            )
        });
        return change.deleted || (ended && ran);
    }
    if resource::NODES.is(&change.resource) {
        // A heartbeat changes no node's room.
        let view = |object: &Object| {
            let value = object.to_value();
            (
                value.at("/spec").clone(),
                value.at("/status/allocatable").clone(),
                value.at("/metadata/labels").clone(),
            )
        };
        return change
            .previous
            .as_ref()
            .is_none_or(|previous| view(previous) != view(&change.object));
    }
    true
}

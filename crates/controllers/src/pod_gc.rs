//! Pods that nobody else cleans up: those of nodes that are gone, those that go without ever having had a node, and
//! ended ones beyond a bound.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use warren_apimachinery::resource::{NODES, PODS};
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::pod::Pod;
use crate::timestamp;

/// The most ended pods that a cluster keeps, as upstream's `--terminated-pod-gc-threshold`.
const TERMINATED_MAX: usize = 12_500;
/// The key of the pass over all ended pods.
const TERMINATED: &str = "";

/// The controller. For clusters whose nodes are their own: elsewhere a pod may be seen before its node is.
pub(crate) struct PodGc;

fn is_terminal(pod: &Object) -> bool {
    matches!(pod.meta().field("status.phase"), Some("Succeeded" | "Failed"))
}

#[async_trait]
impl Reconciler for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PODS, NODES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        let meta = change.object.meta();
        if NODES.is(&change.resource) {
            if change.deleted {
                let pods = cluster.list(&PODS, None);
                let bound = pods
                    .iter()
                    .filter(|pod| pod.meta().field("spec.nodeName").is_none_or(|n| n == meta.name));
                bound.for_each(|pod| out.add(pod.key()));
            }
            return;
        }
        if change.deleted {
            return;
        }
        if is_terminal(&change.object) {
            out.add(ObjectKey::cluster(TERMINATED));
        }
        let lost = match meta.field("spec.nodeName") {
            None => true,
            Some("") => meta.deleting,
            Some(node) => cluster.get(&NODES, &ObjectKey::cluster(node)).is_none(),
        };
        if lost {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        if key.name == TERMINATED {
            for pod in surplus(cluster.list(&PODS, None), TERMINATED_MAX) {
                delete(cluster, &pod.object).await?;
            }
            return Ok(Next::Wait);
        }
        let Some(pod) = cluster.get(&PODS, key).map(Pod::of) else {
            return Ok(Next::Wait);
        };
        let node = &pod.spec.node_name;
        if node.is_empty() {
            if pod.meta().deleting {
                delete(cluster, &pod.object).await?;
            }
        } else if cluster.get(&NODES, &ObjectKey::cluster(node.as_str())).is_none() {
            mark(cx, &pod).await?;
            delete(cluster, &pod.object).await?;
        }
        Ok(Next::Wait)
    }
}

/// The oldest ended pods beyond `max`.
fn surplus(pods: Vec<Arc<Object>>, max: usize) -> Vec<Pod> {
    let ended: Vec<_> = pods.into_iter().filter(|pod| is_terminal(pod)).collect();
    let count = ended.len().saturating_sub(max);
    if count == 0 {
        return Vec::new();
    }
    let mut ended: Vec<Pod> = ended.into_iter().map(Pod::of).collect();
    ended.sort_by(|a, b| {
        let age = |pod: &Pod| pod.metadata.creation_timestamp;
        (age(a), a.name()).cmp(&(age(b), b.name()))
    });
    ended.truncate(count);
    ended
}

/// A pod that had not ended is told to have failed, so that whoever counts it knows.
async fn mark(cx: &Context, pod: &Pod) -> Result<(), Status> {
    if pod.is_terminal() {
        return Ok(());
    }
    let conditions = pod.object.to_value();
    let mut conditions = crate::status::list(&conditions, "/status/conditions");
    conditions.retain(|condition| {
        condition
            .get("type")
            .is_none_or(|kind| kind != "DisruptionTarget")
    });
    conditions.push(
        json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
        "message": "PodGC: node no longer exists", "lastTransitionTime": timestamp::text(cx.now)}),
    );
    let patch = json!({"status": {"phase": "Failed", "conditions": conditions}});
    match cx
        .cluster
        .merge_patch(&PODS, &pod.object.key(), Part::Status, patch)
        .await
    {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status),
        _ => Ok(()),
    }
}

async fn delete(cluster: &dyn Cluster, pod: &Object) -> Result<(), Status> {
    let options = DeleteOptions {
        grace_period_seconds: Some(0),
        uid: Some(pod.meta().uid.to_string()),
        ..DeleteOptions::default()
    };
    match cluster.delete(&PODS, &pod.key(), options).await {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fake::{FakeCluster, NOW};

    #[tokio::test]
    async fn pods_of_lost_nodes_and_unplaced_ones_that_go_are_removed() {
        let cluster = FakeCluster::new();
        cluster.delete_pods_gracefully();
        cluster.put_nodes(1);
        let pod = |name: &str, extra: Value| {
            let mut value = json!({"metadata": {"name": name}});
            value
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            cluster.put(&PODS, value);
        };
        pod("stays", json!({"spec": {"nodeName": "node-0"}}));
        pod("waits", json!({"spec": {}}));
        pod("lost", json!({"spec": {"nodeName": "node-9"}}));
        cluster.put(
            &PODS,
            json!({"metadata": {"name": "going", "deletionTimestamp": NOW}}),
        );
        cluster.settle(&[&PodGc], NOW).await;
        assert_eq!(cluster.names(&PODS), ["stays", "waits"]);
    }

    #[test]
    fn the_oldest_ended_pods_go_beyond_the_bound() {
        let pod = |name: &str, created: &str| {
            let value = json!({"metadata": {"name": name, "creationTimestamp": created}});
            let mut meta = warren_apimachinery::Meta::of(&value);
            meta.fields = Box::new([("status.phase".into(), "Succeeded".into())]);
            Arc::new(Object::new(serde_json::to_vec(&value).unwrap().into(), meta))
        };
        let pods = vec![pod("b", "2026-01-02T00:00:00Z"), pod("a", "2026-01-01T00:00:00Z")];
        let gone = surplus(pods, 1);
        assert_eq!(gone.iter().map(Pod::name).collect::<Vec<_>>(), ["a"]);
    }
}

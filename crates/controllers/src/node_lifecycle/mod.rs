//! Nodes: one whose lease is not renewed is not ready, and conditions become taints. Owns the shell; `plan` decides. For
//! clusters whose nodes are their own.

mod plan;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use warren_apimachinery::resource::{LEASES, NODES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, Value};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::timestamp;

const RECORDER: Recorder = Recorder {
    component: "node-controller",
};
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// The controller.
pub(crate) struct NodeLifecycle {
    /// Since when nodes are watched: silence from before does not count, as nobody could have been heard.
    pub(crate) since: Timestamp,
}

#[async_trait]
impl Reconciler for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-lifecycle"
    }

    fn watches(&self) -> &'static [Resource] {
        &[NODES]
    }

    // Leases are not watched: a renewal is no news. The pass that is due when one would have run out reads it.
    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if !change.deleted {
            out.add(change.object.key());
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(mut node) = cluster.get(&NODES, key) else {
            return Ok(Next::Wait);
        };
        let mut value = node.to_value();
        let silent_at = timestamp::after_seconds(self.last_heard(cluster, key, &value), plan::GRACE_SECONDS);
        if silent_at <= cx.now {
            let conditions = plan::silent(value.items("/status/conditions"), cx.now);
            if value.items("/status/conditions") != conditions {
                let mut status = value.at("/status").clone();
                status.set("/conditions", conditions);
                node = crate::status::write(cluster, &NODES, &node, status).await?;
                let message = format!("Node {} status is now: NodeNotReady", key.name);
                RECORDER
                    .about(cx, &NODES, &node)
                    .normal("NodeNotReady", message)
                    .await;
                value = node.to_value();
            }
        }
        let taints = plan::taints(&value, cx.now);
        if value.items("/spec/taints") != taints {
            let patch = json!({"metadata": {"resourceVersion": node.meta().revision.to_string()},
                "spec": {"taints": taints}});
            cluster.merge_patch(&NODES, key, Part::Main, patch).await?;
        }
        let wait = timestamp::until(silent_at, cx.now).max(Duration::from_secs(5));
        Ok(Next::After(wait))
    }
}

impl NodeLifecycle {
    /// The lease's renewal, or what the node itself last said.
    fn last_heard(&self, cluster: &dyn Cluster, key: &ObjectKey, node: &Value) -> Timestamp {
        let lease = cluster.get(&LEASES, &ObjectKey::namespaced(LEASE_NAMESPACE, key.name.clone()));
        let renewed = lease.map(|lease| lease.to_value().text("/spec/renewTime").to_owned());
        let conditions = node.items("/status/conditions").iter();
        let heartbeats = conditions.map(|condition| condition.text("/lastHeartbeatTime"));
        heartbeats
            .chain(renewed.as_deref())
            .chain([node.text("/metadata/creationTimestamp")])
            .filter_map(|text| text.parse().ok())
            .fold(self.since, Timestamp::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW, later};

    #[tokio::test]
    async fn a_silent_node_becomes_unreachable_and_recovers() {
        let cluster = FakeCluster::new();
        cluster.put_nodes(1);
        let lifecycle = NodeLifecycle {
            since: NOW.parse().unwrap(),
        };
        cluster.put(
            &LEASES,
            json!({"metadata": {"name": "node-0", "namespace": LEASE_NAMESPACE},
            "spec": {"renewTime": "2026-01-01T00:00:20.000000Z"}}),
        );
        let next = cluster.settle(&[&lifecycle], &later(30)).await;
        assert_eq!(next, Next::After(Duration::from_secs(40)));
        cluster.settle(&[&lifecycle], &later(70)).await;
        let node = cluster.value(&NODES, "node-0");
        assert_eq!(node.text("/status/conditions/0/reason"), "NodeStatusUnknown");
        assert_eq!(node.items("/spec/taints").len(), 2);
        assert_eq!(
            cluster.events(),
            ["NodeNotReady Node node-0 status is now: NodeNotReady"]
        );
        cluster.change(&NODES, "node-0", |node| {
            node.set(
                "/status/conditions/0",
                json!({"type": "Ready", "status": "True",
                "lastHeartbeatTime": later(80)}),
            );
        });
        cluster.settle(&[&lifecycle], &later(81)).await;
        assert!(cluster.value(&NODES, "node-0").items("/spec/taints").is_empty());
    }
}

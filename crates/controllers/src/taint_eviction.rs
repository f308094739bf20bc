//! Pods that do not tolerate a `NoExecute` taint of their node, or not for longer, are evicted.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::resource::{NODES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_reconciler::event::Recorder;
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::condition::{self, Said};
use crate::placement::covers;
use crate::timestamp;

const RECORDER: Recorder = Recorder {
    component: "taint-eviction-controller",
};

/// The controller. For clusters whose nodes are their own.
pub(crate) struct TaintEviction;

/// When a pod has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stays,
    GoesAt(Timestamp),
}

/// The earliest end of what is tolerated: at once where a taint is not tolerated at all.
fn verdict(tolerations: &[Value], taints: &[Value], now: Timestamp) -> Verdict {
    let mut end: Option<Timestamp> = None;
    for taint in taints.iter().filter(|taint| taint.text("/effect") == "NoExecute") {
        let added = taint.text("/timeAdded").parse().unwrap_or(now);
        let covering: Vec<&Value> = tolerations
            .iter()
            .filter(|toleration| covers(toleration, taint))
            .collect();
        if covering.is_empty() {
            return Verdict::GoesAt(now);
        }
        let seconds = covering
            .iter()
            .filter_map(|toleration| toleration.int("/tolerationSeconds"))
            .min();
        let until = seconds.map(|seconds| timestamp::after_seconds(added, seconds.max(0)));
        end = [end, until].into_iter().flatten().min();
    }
    end.map_or(Verdict::Stays, Verdict::GoesAt)
}

#[async_trait]
impl Reconciler for TaintEviction {
    fn name(&self) -> &'static str {
        "taint-eviction"
    }

    fn watches(&self) -> &'static [Resource] {
        &[PODS, NODES]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        let meta = change.object.meta();
        if PODS.is(&change.resource) {
            let node = |meta: &warren_apimachinery::Meta| meta.field("spec.nodeName").map(str::to_owned);
            let before = change.previous.as_ref().and_then(|pod| node(pod.meta()));
            if !change.deleted && (change.previous.is_none() || before != node(meta)) {
                out.add(change.object.key());
            }
            return;
        }
        let taints = |node: &warren_apimachinery::Object| node.to_value().items("/spec/taints").to_vec();
        let now = taints(&change.object);
        let tainted = now.iter().any(|taint| taint.text("/effect") == "NoExecute");
        if tainted
            && change
                .previous
                .as_ref()
                .is_none_or(|previous| taints(previous) != now)
        {
            let pods = cluster.list(&PODS, None);
            let on_node = pods
                .iter()
                .filter(|pod| pod.meta().field("spec.nodeName").is_none_or(|n| n == meta.name));
            on_node.for_each(|pod| out.add(pod.key()));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(pod) = cluster.get(&PODS, key).filter(|pod| !pod.meta().deleting) else {
            return Ok(Next::Wait);
        };
        let value = pod.to_value();
        let ended = matches!(value.text("/status/phase"), "Succeeded" | "Failed");
        let node = cluster.get(&NODES, &ObjectKey::cluster(value.text("/spec/nodeName")));
        let Some(node) = node.filter(|_| !ended) else {
            return Ok(Next::Wait);
        };
        let node = node.to_value();
        match verdict(
            value.items("/spec/tolerations"),
            node.items("/spec/taints"),
            cx.now,
        ) {
            Verdict::Stays => return Ok(Next::Wait),
            Verdict::GoesAt(time) if time > cx.now => return Ok(Next::After(timestamp::until(time, cx.now))),
            Verdict::GoesAt(_) => {}
        }
        RECORDER
            .about(cx, &PODS, &pod)
            .normal("TaintManagerEviction", format!("Marking for deletion Pod {key}"))
            .await;
        let mut conditions = value.items("/status/conditions").to_vec();
        let message = "Taint manager: deleting due to NoExecute taint".to_owned();
        let said = Said {
            kind: "DisruptionTarget",
            status: "True",
            reason: "DeletionByTaintManager",
            message,
        };
        condition::set(&mut conditions, &said, cx.now);
        let patch = json!({"status": {"conditions": conditions}});
        cluster.merge_patch(&PODS, key, Part::Status, patch).await?;
        let options = DeleteOptions {
            uid: Some(pod.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        match cluster.delete(&PODS, key, options).await {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(Next::Wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW, later};

    #[test]
    fn toleration_ends_with_the_shortest() {
        let now: Timestamp = NOW.parse().unwrap();
        let taint = |key: &str| json!({"key": key, "effect": "NoExecute", "timeAdded": NOW});
        let check = |tolerations: Value, expect| {
            let taints = [taint("a"), json!({"key": "b", "effect": "NoSchedule"})];
            assert_eq!(
                verdict(tolerations.as_array().unwrap(), &taints, now),
                expect,
                "{tolerations}"
            );
        };
        check(json!([]), Verdict::GoesAt(now));
        check(json!([{"operator": "Exists"}]), Verdict::Stays);
        let minute = timestamp::after_seconds(now, 60);
        check(
            json!([{"key": "a", "operator": "Exists", "tolerationSeconds": 60}]),
            Verdict::GoesAt(minute),
        );
    }

    #[tokio::test]
    async fn pods_leave_a_tainted_node_in_time() {
        let cluster = FakeCluster::new();
        cluster.put(
            &NODES,
            json!({"metadata": {"name": "node-0"},
            "spec": {"taints": [{"key": "a", "effect": "NoExecute", "timeAdded": NOW}]}}),
        );
        let tolerant = json!([{"key": "a", "operator": "Exists", "tolerationSeconds": 30}]);
        cluster.put(
            &PODS,
            json!({"metadata": {"name": "at-once"}, "spec": {"nodeName": "node-0"}}),
        );
        cluster.put(
            &PODS,
            json!({"metadata": {"name": "later"}, "spec": {"nodeName": "node-0", "tolerations": tolerant}}),
        );
        let next = cluster.settle(&[&TaintEviction], NOW).await;
        assert_eq!(next, Next::After(std::time::Duration::from_secs(30)));
        assert_eq!(cluster.names(&PODS), ["later"]);
        cluster.settle(&[&TaintEviction], &later(30)).await;
        assert!(cluster.values(&PODS).is_empty());
    }
}

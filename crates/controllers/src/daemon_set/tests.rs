use warren_apimachinery::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};

use super::*;
use crate::fake::{FakeCluster, NOW};

const AGENT: &str = "default/agent";

fn set() -> Value {
    json!({"metadata": {"name": "agent", "annotations": {GENERATION: "1"}},
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "template": {"metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "c", "image": "a:1"}]}}}})
}

/// Plays scheduler, then kubelet.
async fn run(cluster: &Arc<FakeCluster>) {
    for _ in 0..12 {
        cluster.settle(&[&DaemonSets], NOW).await;
        for pod in cluster.values(&PODS) {
            let bound = Pod::of(Arc::new(Object::from_value(&pod)));
            let node = plan::target_node(&bound).unwrap().to_owned();
            let key = format!("default/{}", pod.text("/metadata/name"));
            cluster.change(&PODS, &key, |pod| pod.set("/spec/nodeName", node.as_str()));
        }
        cluster.run_pods(NOW);
    }
}

#[tokio::test]
async fn every_node_gets_a_pod_of_its_own() {
    let cluster = FakeCluster::new();
    cluster.put_nodes(3);
    cluster.put(
        &NODES,
        json!({"metadata": {"name": "tainted"},
        "spec": {"taints": [{"key": "x", "effect": "NoSchedule"}]}}),
    );
    cluster.put(&DAEMON_SETS, set());
    run(&cluster).await;
    let pods = cluster.values(&PODS);
    let mut nodes: Vec<_> = pods.iter().map(|pod| pod.text("/spec/nodeName")).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["node-0", "node-1", "node-2"]);
    assert_eq!(pods[0].text("/metadata/labels/pod-template-generation"), "1");
    assert_eq!(pods[0].items("/spec/tolerations").len(), 6);
    let hash = cluster.values(&CONTROLLER_REVISIONS)[0]
        .text("/metadata/labels/controller-revision-hash")
        .to_owned();
    assert_eq!(pods[0].text("/metadata/labels/controller-revision-hash"), hash);
    assert_eq!(
        cluster.value(&DAEMON_SETS, AGENT).at("/status"),
        &json!({"currentNumberScheduled": 3, "numberMisscheduled": 0, "desiredNumberScheduled": 3,
            "numberReady": 3, "observedGeneration": 1, "updatedNumberScheduled": 3, "numberAvailable": 3})
    );
}

#[tokio::test]
async fn a_new_template_is_rolled_out_node_by_node() {
    let cluster = FakeCluster::new();
    cluster.put_nodes(3);
    cluster.put(&DAEMON_SETS, set());
    run(&cluster).await;
    cluster.change(&DAEMON_SETS, AGENT, |set| {
        set.set("/spec/template/spec/containers/0/image", "a:2")
    });
    run(&cluster).await;
    assert!(
        cluster
            .values(&PODS)
            .iter()
            .all(|pod| pod.text("/spec/containers/0/image") == "a:2")
    );
    assert_eq!(
        cluster
            .value(&DAEMON_SETS, AGENT)
            .int("/status/updatedNumberScheduled"),
        Some(3)
    );
    assert_eq!(cluster.values(&CONTROLLER_REVISIONS).len(), 2);
}

#[tokio::test]
async fn a_node_that_no_longer_fits_loses_its_pod() {
    let cluster = FakeCluster::new();
    cluster.put_nodes(2);
    cluster.put(&DAEMON_SETS, set());
    run(&cluster).await;
    cluster.change(&DAEMON_SETS, AGENT, |set| {
        set.set("/spec/template/spec/nodeSelector", json!({"a": "b"}))
    });
    cluster.change(&NODES, "node-1", |node| {
        node.set("/metadata/labels", json!({"a": "b"}))
    });
    run(&cluster).await;
    let pods = cluster.values(&PODS);
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0].text("/spec/nodeName"), "node-1");
}

use super::*;
use crate::fake::{FakeCluster, NOW};

fn service(cluster: &FakeCluster, spec: Value) {
    let mut value = json!({"metadata": {"name": "web", "labels": {"a": "b"}},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.1.0.1", "ports": [{"port": 80}]}});
    for (name, field) in spec.as_object().unwrap() {
        value["spec"][name] = field.clone();
    }
    cluster.put(&SERVICES, value);
}

fn pod(cluster: &FakeCluster, name: &str, ip: &str, ready: &str) {
    cluster.put(
        &PODS,
        json!({"metadata": {"name": name, "uid": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "node-0", "hostname": name, "subdomain": "web"},
        "status": {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": ready}]}}),
    );
}

#[tokio::test]
async fn ready_and_unready_pods_are_told_apart() {
    let cluster = FakeCluster::new();
    service(&cluster, json!({}));
    pod(&cluster, "a", "10.0.0.2", "True");
    pod(&cluster, "b", "10.0.0.1", "False");
    pod(&cluster, "c", "", "False");
    cluster.settle(&[&Endpoints], NOW).await;
    let endpoints = cluster.value(&ENDPOINTS, "default/web");
    assert_eq!(
        endpoints.at("/metadata/labels"),
        &json!({"a": "b", MANAGED_BY: "endpoint-controller"})
    );
    let address = |name: &str, ip: &str| {
        json!({"ip": ip, "nodeName": "node-0", "hostname": name,
            "targetRef": {"kind": "Pod", "namespace": "default", "name": name, "uid": name}})
    };
    assert_eq!(
        endpoints.at("/subsets"),
        &json!([{"addresses": [address("a", "10.0.0.2")], "notReadyAddresses": [address("b", "10.0.0.1")],
            "ports": [{"port": 80, "protocol": "TCP"}]}])
    );
}

#[tokio::test]
async fn a_headless_service_may_publish_what_is_not_ready() {
    let cluster = FakeCluster::new();
    service(
        &cluster,
        json!({"clusterIP": "None", "ports": [], "publishNotReadyAddresses": true}),
    );
    pod(&cluster, "a", "10.0.0.2", "False");
    cluster.settle(&[&Endpoints], NOW).await;
    let endpoints = cluster.value(&ENDPOINTS, "default/web");
    assert_eq!(endpoints.items("/subsets/0/addresses").len(), 1);
    assert!(endpoints.at("/subsets/0/ports").is_null());
    assert_eq!(endpoints.at("/metadata/labels").field(HEADLESS), "");
}

#[tokio::test]
async fn endpoints_go_with_their_service_but_foreign_ones_stay() {
    let cluster = FakeCluster::new();
    service(&cluster, json!({}));
    cluster.put(&ENDPOINTS, json!({"metadata": {"name": "lock"}}));
    cluster.settle(&[&Endpoints], NOW).await;
    cluster.remove(&SERVICES, "default/web");
    cluster.settle(&[&Endpoints], NOW).await;
    assert_eq!(cluster.names(&ENDPOINTS), ["lock"]);
}

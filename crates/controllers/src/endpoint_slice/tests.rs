use super::*;
use crate::fake::{FakeCluster, NOW};

fn pod(cluster: &FakeCluster, name: &str, ready: &str) {
    cluster.put(
        &PODS,
        json!({"metadata": {"name": name, "uid": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "node-0"}, "status": {"phase": "Running", "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
            "conditions": [{"type": "Ready", "status": ready}]}}),
    );
}

fn service(cluster: &FakeCluster, families: Value) {
    cluster.put(
        &SERVICES,
        json!({"metadata": {"name": "web", "uid": "svc"}, "spec": {"selector": {"app": "web"},
        "clusterIP": "None", "ipFamilies": families,
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}}),
    );
}

#[tokio::test]
async fn a_slice_tells_of_ready_and_leaving_pods() {
    let cluster = FakeCluster::new();
    cluster.put(
        &NODES,
        json!({"metadata": {"name": "node-0", "labels": {ZONE: "z1"}}}),
    );
    service(&cluster, json!(["IPv4"]));
    pod(&cluster, "a", "True");
    cluster.settle(&[&EndpointSlices], NOW).await;
    let slice = cluster.values(&ENDPOINT_SLICES).remove(0);
    assert_eq!(
        slice.at("/metadata/labels"),
        &json!({SERVICE_NAME: "web", MANAGED_BY: THIS_CONTROLLER, HEADLESS: ""})
    );
    assert_eq!(slice.text("/metadata/ownerReferences/0/uid"), "svc");
    assert_eq!(
        slice.at("/ports"),
        &json!([{"name": "http", "port": 8080, "protocol": "TCP"}])
    );
    assert_eq!(
        slice.at("/endpoints"),
        &json!([{"addresses": ["10.0.0.1"], "nodeName": "node-0", "zone": "z1",
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "a", "uid": "a"}}])
    );
    cluster.change(&PODS, "default/a", |pod| {
        pod.set("/metadata/deletionTimestamp", NOW)
    });
    cluster.settle(&[&EndpointSlices], NOW).await;
    let slices = cluster.values(&ENDPOINT_SLICES);
    assert_eq!(slices.len(), 1);
    assert_eq!(
        slices[0].at("/endpoints/0/conditions"),
        &json!({"ready": false, "serving": true, "terminating": true})
    );
}

#[tokio::test]
async fn each_address_family_has_slices_of_its_own() {
    let cluster = FakeCluster::new();
    service(&cluster, json!(["IPv4", "IPv6"]));
    pod(&cluster, "a", "True");
    cluster.settle(&[&EndpointSlices], NOW).await;
    let mut kinds: Vec<_> = cluster
        .values(&ENDPOINT_SLICES)
        .iter()
        .map(|slice| {
            (
                slice.text("/addressType").to_owned(),
                slice.text("/endpoints/0/addresses/0").to_owned(),
            )
        })
        .collect();
    kinds.sort();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(kinds, [pair("IPv4", "10.0.0.1"), pair("IPv6", "fd00::1")]);
}

#[tokio::test]
async fn new_labels_of_the_service_reach_its_slices() {
    let cluster = FakeCluster::new();
    service(&cluster, json!(["IPv4"]));
    pod(&cluster, "a", "True");
    cluster.settle(&[&EndpointSlices], NOW).await;
    cluster.change(&SERVICES, "default/web", |service| {
        service.set("/metadata/labels", json!({"x": "y"}))
    });
    cluster.settle(&[&EndpointSlices], NOW).await;
    assert_eq!(
        cluster.values(&ENDPOINT_SLICES)[0].text("/metadata/labels/x"),
        "y"
    );
}

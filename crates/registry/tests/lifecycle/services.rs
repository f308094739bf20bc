//! Addresses and ports of Services.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;

use crate::cluster::{Cluster, refused};

fn service(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
}

fn ports() -> Value {
    json!([{"port": 80, "protocol": "TCP"}])
}

#[tokio::test]
async fn a_service_gets_an_address_of_the_range() {
    let cluster = Cluster::new();
    let made = cluster
        .create("services", service("s", json!({"ports": ports()})))
        .await
        .unwrap();
    let ip = made.text("/spec/clusterIP");
    assert!(ip.starts_with("10.96."), "{ip}");
    assert_eq!(made.at("/spec/clusterIPs"), &json!([ip]));
    assert_eq!(made.at("/spec/ipFamilies"), &json!(["IPv4"]));
    assert_eq!(made.text("/spec/ipFamilyPolicy"), "SingleStack");
    assert!(made.at("/spec/ports/0/nodePort").is_null());
}

#[tokio::test]
async fn an_address_is_given_once_and_free_again_afterwards() {
    let cluster = Cluster::new();
    let first = service("kubernetes", json!({"clusterIP": "10.96.0.1", "ports": ports()}));
    cluster.create("services", first).await.unwrap();
    let second = service("s", json!({"clusterIP": "10.96.0.1", "ports": ports()}));
    refused(
        cluster.create("services", second.clone()).await,
        422,
        "Service \"s\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.1\"]: failed to allocate IP 10.96.0.1: provided IP is already allocated",
    );
    refused(
        cluster
            .create(
                "services",
                service("s", json!({"clusterIP": "1.2.3.4", "ports": ports()})),
            )
            .await,
        422,
        "Service \"s\" is invalid: spec.clusterIPs: Invalid value: [\"1.2.3.4\"]: failed to allocate IP 1.2.3.4: the provided network does not match the current range",
    );
    cluster
        .delete("services", "kubernetes", Default::default())
        .await
        .unwrap();
    cluster.create("services", second).await.unwrap();
}

#[tokio::test]
async fn node_ports_are_given_checked_and_released() {
    let cluster = Cluster::new();
    let spec = json!({"type": "NodePort", "ports": [{"name": "a", "port": 53, "protocol": "TCP"},
        {"name": "b", "port": 53, "protocol": "UDP"}, {"name": "c", "port": 80, "protocol": "TCP", "nodePort": 30080}]});
    let made = cluster.create("services", service("s", spec)).await.unwrap();
    let node = made.int("/spec/ports/0/nodePort").unwrap();
    assert!((30000..=32767).contains(&node));
    assert_eq!(made.int("/spec/ports/1/nodePort"), Some(node));
    let taken = json!({"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]});
    refused(
        cluster.create("services", service("t", taken.clone())).await,
        422,
        "Service \"t\" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
    );
    let low = json!({"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 80}]});
    refused(
        cluster.create("services", service("t", low)).await,
        422,
        "Service \"t\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
    );
    cluster
        .merge(
            "services",
            "s",
            json!({"spec": {"ports": [{"port": 53, "protocol": "TCP", "nodePort": node}]}}),
        )
        .await
        .unwrap();
    cluster.create("services", service("t", taken)).await.unwrap();
}

#[tokio::test]
async fn load_balancers_that_keep_the_client_get_a_health_check_port() {
    let cluster = Cluster::new();
    let spec = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": ports()});
    let made = cluster.create("services", service("s", spec)).await.unwrap();
    let check = made.int("/spec/healthCheckNodePort").unwrap();
    assert!((30000..=32767).contains(&check));
    assert_ne!(made.int("/spec/ports/0/nodePort"), Some(check));
}

#[tokio::test]
async fn headless_and_external_services_get_no_address() {
    let cluster = Cluster::new();
    let spec = json!({"clusterIP": "None", "selector": {"a": "b"}, "ports": ports()});
    let made = cluster
        .create("services", service("headless", spec))
        .await
        .unwrap();
    assert_eq!(made.at("/spec/clusterIPs"), &json!(["None"]));
    let spec = json!({"type": "ExternalName", "externalName": "example.com"});
    let made = cluster
        .create("services", service("external", spec))
        .await
        .unwrap();
    assert!(made.at("/spec/clusterIP").is_null());
    assert!(made.at("/spec/ipFamilies").is_null());
}

#[tokio::test]
async fn a_dry_run_takes_nothing() {
    let mut cluster = Cluster::new();
    let spec = json!({"clusterIP": "10.96.0.7", "ports": ports()});
    cluster.dry_run = true;
    cluster
        .create("services", service("s", spec.clone()))
        .await
        .unwrap();
    cluster.dry_run = false;
    cluster.create("services", service("s", spec)).await.unwrap();
}

#[tokio::test]
async fn a_refused_write_gives_back_what_it_took_and_nothing_else() {
    let cluster = Cluster::new();
    let spec = json!({"clusterIP": "10.96.0.7", "ports": ports()});
    assert!(
        cluster
            .create("services", service("No Name", spec))
            .await
            .is_err()
    );
    let spec = json!({"clusterIP": "10.96.0.7", "ports": ports()});
    cluster
        .create("services", service("s", spec.clone()))
        .await
        .unwrap();
    let other = json!({"clusterIP": "10.96.0.8", "ports": ports()});
    cluster.create("services", service("t", other)).await.unwrap();
    let stolen = json!({"metadata": {"labels": {"no key": "x"}}, "spec": {"clusterIP": "10.96.0.7"}});
    assert!(cluster.merge("services", "t", stolen).await.is_err());
    assert!(cluster.create("services", service("u", spec)).await.is_err());
}

//! Names of a virtual cluster's services, asked of its name server over real sockets.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};
use warren_fleet::{Embedded, Options, host_id, namespace_of, virtual_cluster_id};
use warren_reconciler::{Cluster, Clusters, DeleteOptions, Part};

/// A virtual cluster `demo`, as its administrator sees it, and its host.
struct World {
    embedded: Embedded,
    tenant: Arc<dyn Cluster>,
    host: Arc<dyn Cluster>,
}

impl World {
    async fn new() -> Self {
        let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
        embedded.virtual_cluster("demo", None).await.unwrap();
        let tenant = embedded
            .fleet()
            .cluster(&virtual_cluster_id("demo"), "test")
            .unwrap();
        let host = embedded.fleet().cluster(&host_id(), "test").unwrap();
        Self {
            embedded,
            tenant,
            host,
        }
    }

    fn server(&self) -> SocketAddr {
        let tenant = self.embedded.fleet().tenant(&virtual_cluster_id("demo")).unwrap();
        tenant.dns().unwrap()
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Message {
        ask(self.server(), name, kind).await
    }

    async fn service(&self, name: &str, spec: Value) -> Value {
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec});
        self.tenant
            .create(&resource::SERVICES, service)
            .await
            .unwrap()
            .to_value()
    }
}

async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let mut query = Message::new(1, MessageType::Query, OpCode::Query);
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = [0; 4096];
    let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await;
    Message::from_vec(buffer.get(..received.unwrap().unwrap()).unwrap()).unwrap()
}

fn said(answer: &Message) -> Vec<String> {
    answer
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect()
}

fn in_default(name: &str) -> ObjectKey {
    ObjectKey::namespaced("default", name)
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_found_by_name_and_name_by_address() {
    let world = World::new().await;
    let made = world
        .service("web", json!({"ports": [{"name": "http", "port": 80}]}))
        .await;
    let address = made.text("/spec/clusterIP");
    let name = "web.default.svc.cluster.local.";
    let answer = world.ask(name, RecordType::A).await;
    assert_eq!(
        (said(&answer), answer.authoritative),
        (vec![address.to_owned()], true)
    );
    let port = world
        .ask("_http._tcp.web.default.svc.cluster.local.", RecordType::SRV)
        .await;
    assert_eq!(said(&port), [format!("0 100 80 {name}")]);
    let reversed: Vec<&str> = address.rsplit('.').collect();
    let back = world
        .ask(&format!("{}.in-addr.arpa.", reversed.join(".")), RecordType::PTR)
        .await;
    assert_eq!(said(&back), [name]);
    let api = world
        .ask("kubernetes.default.svc.cluster.local.", RecordType::A)
        .await;
    assert_eq!(api.answers.len(), 1);
    world.embedded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_answered_at_once() {
    let world = World::new().await;
    for round in 0..20 {
        let name = format!("web-{round}");
        world
            .service(
                &name,
                json!({"type": "ExternalName", "externalName": "a.example"}),
            )
            .await;
        let answer = world
            .ask(&format!("{name}.default.svc.cluster.local."), RecordType::CNAME)
            .await;
        assert_eq!(said(&answer), ["a.example."]);
        world
            .tenant
            .delete(&resource::SERVICES, &in_default(&name), DeleteOptions::default())
            .await
            .unwrap();
        let answer = world
            .ask(&format!("{name}.default.svc.cluster.local."), RecordType::CNAME)
            .await;
        assert_eq!(answer.response_code, ResponseCode::NXDomain);
    }
    world.embedded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_a_headless_service_have_their_hostnames() {
    let world = World::new().await;
    world
        .service(
            "db",
            json!({"clusterIP": "None", "ports": [{"name": "sql", "port": 5432}]}),
        )
        .await;
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "db-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "db"}},
        "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.1.0.1"], "hostname": "db-0", "conditions": {"ready": true}},
            {"addresses": ["10.1.0.2"], "hostname": "db-1", "conditions": {"ready": false}}]});
    world
        .tenant
        .create(&resource::ENDPOINT_SLICES, slice)
        .await
        .unwrap();
    let all = world.ask("db.default.svc.cluster.local.", RecordType::A).await;
    assert_eq!(said(&all), ["10.1.0.1"]);
    let one = world
        .ask("db-0.db.default.svc.cluster.local.", RecordType::A)
        .await;
    assert_eq!(said(&one), ["10.1.0.1"]);
    let back = world.ask("1.0.1.10.in-addr.arpa.", RecordType::PTR).await;
    assert_eq!(said(&back), ["db-0.db.default.svc.cluster.local."]);
    world.embedded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_shown_in_the_cluster_and_has_a_service_on_the_host() {
    let world = World::new().await;
    let key = ObjectKey::namespaced(namespace_of("demo"), "demo-dns");
    let host = world.host.get(&resource::SERVICES, &key).unwrap().to_value();
    let shown = ObjectKey::namespaced("kube-system", "kube-dns");
    let shown = world.tenant.get(&resource::SERVICES, &shown).unwrap().to_value();
    assert_eq!(shown.at("/spec/clusterIP"), host.at("/spec/clusterIP"));
    assert_eq!(shown.at("/metadata/labels").field("k8s-app"), "kube-dns");
    let name = format!("kube-dns-x-kube-system-x-{}", "demo");
    let copy = ObjectKey::namespaced(namespace_of("demo"), name);
    assert!(world.host.get(&resource::SERVICES, &copy).is_none());
    let object = ObjectKey::namespaced(namespace_of("demo"), "demo");
    let object = world
        .host
        .get(&resource::VIRTUAL_CLUSTERS, &object)
        .unwrap()
        .to_value();
    assert_eq!(object.text("/status/dns"), world.server().to_string());
    let answer = world.ask("cluster.local.", RecordType::NS).await;
    assert_eq!(said(&answer), ["kube-dns.kube-system.svc.cluster.local."]);
    world.embedded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_answered_by_without_a_restart() {
    let world = World::new().await;
    let server = world.server();
    let key = ObjectKey::namespaced(namespace_of("demo"), "demo");
    let configure = async |spec: Value| {
        let patch = json!({"spec": spec});
        let host = &world.host;
        host.merge_patch(&resource::VIRTUAL_CLUSTERS, &key, Part::Main, patch)
            .await
            .unwrap();
    };
    let rules = json!([{"hostname": "db.corp.example", "target": {"ip": "192.0.2.9"}},
        {"service": "default/api", "target": {"hostService": "default/kubernetes"}}]);
    configure(json!({"networking": {"resolveDNS": rules}})).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while said(&ask(server, "db.corp.example.", RecordType::A).await) != ["192.0.2.9"] {
        assert!(Instant::now() < deadline, "the rule is never followed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let of_host = world.ask("api.default.svc.cluster.local.", RecordType::A).await;
    assert_eq!(said(&of_host), ["10.96.0.1"]);
    configure(json!({"controlPlane": {"coredns": {"enabled": false}}})).await;
    let shown = ObjectKey::namespaced("kube-system", "kube-dns");
    while world.tenant.get(&resource::SERVICES, &shown).is_some() {
        assert!(Instant::now() < deadline, "kube-dns stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let tenant = world
        .embedded
        .fleet()
        .tenant(&virtual_cluster_id("demo"))
        .unwrap();
    assert_eq!(tenant.dns(), None);
    world.embedded.stop().await;
}

//! Writes to parts of pods, nodes and services through a whole registry: what each part takes, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test whose first steps fail has failed")]

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, Status, UserInfo};
use warren_reconciler::Part;
use warren_registry::admission::AdmitAll;
use warren_registry::reserve::{Cidr, LocalAddresses};
use warren_registry::{Catalogue, NoReviews, NoTokens, Parts, Registry, Request, Warnings};
use warren_storage::{Journal, MemoryJournal, Silent, Store};

struct Cluster(Arc<Registry>);

impl Cluster {
    fn new() -> Self {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let id = ClusterId::new("parts");
        journal.create(&id, None).unwrap();
        let opened = journal.open(&id).unwrap();
        Self(Registry::new(Parts {
            store: Store::open(id, journal, opened, Arc::new(Silent)),
            catalogue: Arc::new(Catalogue::new(warren_resources::definitions())),
            admission: Arc::new(AdmitAll),
            reserve: Arc::new(LocalAddresses::new(Cidr::new([10, 96, 0, 0], 16))),
            reviews: Arc::new(NoReviews),
            tokens: Arc::new(NoTokens),
            converter: Arc::new(warren_registry::NoConverter),
            clock: Arc::new(|| "2026-11-22T09:59:32Z".parse().unwrap()),
        }))
    }

    async fn create(&self, plural: &str, namespace: &str, object: Value) -> Value {
        let catalogue = self.0.catalogue();
        let (definition, _) = catalogue.served("", "v1", plural).unwrap();
        let (user, warnings) = (UserInfo::system("admin"), Warnings::default());
        let cx = Request::new(&user, "test", "v1", &warnings);
        let created = self.0.create(&cx, definition, namespace, object).await.unwrap();
        created.to_value()
    }

    /// Writes `object` to a part of itself.
    async fn put(&self, plural: &str, part: Part, object: Value) -> Result<Value, Status> {
        let catalogue = self.0.catalogue();
        let (definition, _) = catalogue.served("", "v1", plural).unwrap();
        let (user, warnings) = (UserInfo::system("admin"), Warnings::default());
        let cx = Request::new(&user, "test", "v1", &warnings);
        let key = ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"));
        let written = self.0.update(&cx, definition, part, &key, object).await?;
        Ok(written.object.to_value())
    }
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "x", "resources": {"requests": {"cpu": "1"}}}]}})
}

#[tokio::test]
async fn ephemeral_containers_are_added_and_stay() {
    let cluster = Cluster::new();
    let mut pod = cluster.create("pods", "default", pod()).await;
    pod.set(
        "/spec/ephemeralContainers",
        json!([{"name": "e", "image": "busybox"}]),
    );
    pod.set("/spec/containers/0/image", "ignored");
    let part = Part::Sub("ephemeralcontainers");
    let written = cluster.put("pods", part, pod).await.unwrap();
    assert_eq!(written.text("/spec/ephemeralContainers/0/name"), "e");
    assert_eq!(
        written.text("/spec/ephemeralContainers/0/imagePullPolicy"),
        "Always"
    );
    assert_eq!(written.text("/spec/containers/0/image"), "x");

    let mut removed = written.clone();
    removed.take_at("/spec/ephemeralContainers");
    let refused = cluster.put("pods", part, removed).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "Pod \"p\" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers \"e\" may not be removed\n"
    );
}

#[tokio::test]
async fn resizes_change_cpu_and_memory_alone() {
    let cluster = Cluster::new();
    let mut pod = cluster.create("pods", "default", pod()).await;
    let part = Part::Sub("resize");
    pod.set("/spec/containers/0/resources/requests/cpu", "2");
    let written = cluster.put("pods", part, pod).await.unwrap();
    assert_eq!(written.text("/spec/containers/0/resources/requests/cpu"), "2");
    assert_eq!(written.int("/metadata/generation"), Some(2));

    let mut without = written.clone();
    without.set(
        "/spec/containers/0/resources",
        json!({"limits": {"memory": "1Gi"}}),
    );
    let refused = cluster.put("pods", part, without).await.unwrap_err();
    assert!(
        refused
            .message()
            .contains("resources.requests: Forbidden: resource requests cannot be removed"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_pods_status_is_written_apart_and_keeps_its_class() {
    let cluster = Cluster::new();
    let mut pod = cluster.create("pods", "default", pod()).await;
    assert_eq!(
        pod.field("status"),
        &json!({"phase": "Pending", "qosClass": "Burstable"})
    );
    pod.set("/status", json!({"phase": "Running"}));
    let written = cluster.put("pods", Part::Status, pod).await.unwrap();
    assert_eq!(
        written.field("status"),
        &json!({"phase": "Running", "qosClass": "Burstable"})
    );
    let mut other = written.clone();
    other.set("/status/qosClass", "Guaranteed");
    let refused = cluster.put("pods", Part::Status, other).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "Pod \"p\" is invalid: status.qosClass: Invalid value: \"Guaranteed\": field is immutable"
    );
    let mut main = written;
    main.set("/status/phase", "Failed");
    let kept = cluster.put("pods", Part::Main, main).await.unwrap();
    assert_eq!(kept.text("/status/phase"), "Running");
}

#[tokio::test]
async fn nodes_register_with_their_status_and_then_write_it_apart() {
    let cluster = Cluster::new();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"},
        "status": {"capacity": {"cpu": "4"}}});
    let mut node = cluster.create("nodes", "", node).await;
    assert_eq!(node.text("/status/allocatable/cpu"), "4");
    node.set("/status/capacity/cpu", "8");
    node.set("/spec/unschedulable", true);
    let main = cluster.put("nodes", Part::Main, node.clone()).await.unwrap();
    assert_eq!(main.text("/status/capacity/cpu"), "4");
    node.set(
        "/metadata/resourceVersion",
        main.at("/metadata/resourceVersion").clone(),
    );
    let status = cluster.put("nodes", Part::Status, node).await.unwrap();
    assert_eq!(status.text("/status/capacity/cpu"), "8");
}

#[tokio::test]
async fn services_change_type_and_give_back_what_they_had() {
    let cluster = Cluster::new();
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    let mut service = cluster.create("services", "default", service).await;
    let (ip, port) = (
        service.text("/spec/clusterIP").to_owned(),
        service.int("/spec/ports/0/nodePort"),
    );
    assert!(port.is_some());
    // A client that knows nothing of what was allocated.
    let plain = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "default"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080}]}});
    let kept = cluster.put("services", Part::Main, plain).await.unwrap();
    assert_eq!(kept.text("/spec/clusterIP"), ip);
    assert_eq!(kept.int("/spec/ports/0/nodePort"), port);

    service = kept;
    service.set("/spec/type", "ClusterIP");
    let inner = cluster.put("services", Part::Main, service).await.unwrap();
    assert_eq!(inner.int("/spec/ports/0/nodePort"), None);
    assert!(inner.at("/spec/externalTrafficPolicy").is_null());

    let mut named = inner;
    named.set("/spec/type", "ExternalName");
    named.set("/spec/externalName", "example.com");
    let named = cluster.put("services", Part::Main, named).await.unwrap();
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        assert!(named.field("spec").field(field).is_null(), "{field}");
    }
}

//! What stands beside virtual clusters on their host, and what becomes of it: on an embedded host, through the `Cluster`
//! port.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, Resource, resource};
use warren_fleet::{Embedded, FrontDoor, Options, cluster_id, host_id};
use warren_reconciler::{Cluster, Clusters, DeleteOptions, Part};

/// Waits until `found` answers something; fails loudly when it never does.
async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "gave up on: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

struct World {
    embedded: Embedded,
    host: Arc<dyn Cluster>,
}

impl World {
    async fn new(options: Options) -> Self {
        let embedded = Embedded::start(options, 1, None).await.unwrap();
        let host = embedded.fleet().cluster(&host_id(), "test").unwrap();
        Self { embedded, host }
    }

    async fn namespace(&self, name: &str) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.host.create(&resource::NAMESPACES, namespace).await.unwrap();
    }

    async fn ask_for(&self, namespace: &str, name: &str, spec: Value) {
        let wanted = json!({"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec});
        self.host
            .create(&resource::VIRTUAL_CLUSTERS, wanted)
            .await
            .unwrap();
        self.phase(namespace, name, "Ready").await;
    }

    async fn change(&self, namespace: &str, name: &str, spec: Value) {
        let key = ObjectKey::namespaced(namespace, name);
        let patch = json!({ "spec": spec });
        self.host
            .merge_patch(&resource::VIRTUAL_CLUSTERS, &key, Part::Main, patch)
            .await
            .unwrap();
    }

    /// Waits for a phase that is about the spec as it is now.
    async fn phase(&self, namespace: &str, name: &str, phase: &str) -> Value {
        until(&format!("{name} is {phase}"), || {
            let object = self.get(&resource::VIRTUAL_CLUSTERS, namespace, name)?;
            let current = object.int("/metadata/generation") == object.int("/status/observedGeneration");
            (current && object.text("/status/phase") == phase).then_some(object)
        })
        .await
    }

    fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Value> {
        let found = self.host.get(resource, &ObjectKey::namespaced(namespace, name));
        found.map(|object| object.to_value())
    }

    fn cluster(&self, namespace: &str, name: &str) -> Arc<dyn Cluster> {
        self.embedded
            .fleet()
            .cluster(&id(namespace, name), "test")
            .unwrap()
    }
}

fn id(namespace: &str, name: &str) -> ClusterId {
    cluster_id(&ObjectKey::namespaced(namespace, name))
}

fn condition(object: &Value, name: &str) -> Option<String> {
    let conditions = object.items("/status/conditions");
    let found = conditions
        .iter()
        .find(|condition| condition.text("/type") == name)?;
    Some(found.text("/status").to_owned())
}

#[tokio::test]
async fn clusters_of_one_name_in_two_namespaces_each_have_what_is_theirs() {
    let world = World::new(Options::in_memory()).await;
    for namespace in ["team-a", "team-b"] {
        world.namespace(namespace).await;
        world.ask_for(namespace, "demo", json!({})).await;
    }
    let mut uids = Vec::new();
    for namespace in ["team-a", "team-b"] {
        let owner = world.get(&resource::VIRTUAL_CLUSTERS, namespace, "demo").unwrap();
        for (kind, name) in [
            (&resource::SERVICES, "demo"),
            (&resource::SECRETS, "vc-demo"),
            (&resource::SERVICE_ACCOUNTS, "vc-workload-demo"),
        ] {
            let object = world.get(kind, namespace, name).unwrap();
            assert_eq!(
                object.text("/metadata/labels/warren.dev~1managed-by"),
                "demo",
                "{name}"
            );
            let owned = object.text("/metadata/ownerReferences/0/uid");
            assert_eq!(owned, owner.text("/metadata/uid"), "{name}");
        }
        uids.push(owner.text("/metadata/uid").to_owned());
    }
    assert_ne!(uids.first(), uids.last());
    assert!(
        world
            .host
            .list(&resource::ENDPOINT_SLICES, Some("team-a"))
            .is_empty(),
        "loopback is no endpoint"
    );
    world.embedded.stop().await;
}

#[tokio::test]
async fn policies_of_the_host_namespace_come_and_go_with_their_switches() {
    let world = World::new(Options::in_memory()).await;
    world.namespace("team-a").await;
    let spec = json!({"policies": {"resourceQuota": {"enabled": true, "quota": {"count/pods": 7}},
        "networkPolicy": {"enabled": true}}});
    world.ask_for("team-a", "demo", spec).await;
    let quota = world
        .get(&resource::RESOURCE_QUOTAS, "team-a", "vc-demo")
        .unwrap();
    assert_eq!(quota.at("/spec/hard").field("count/pods"), "7");
    assert_eq!(
        quota.at("/spec/hard").field("requests.cpu"),
        "10",
        "the rest are vCluster's defaults"
    );
    assert!(
        world.get(&resource::LIMIT_RANGES, "team-a", "vc-demo").is_some(),
        "auto follows the quota"
    );
    let policy = world
        .get(&resource::NETWORK_POLICIES, "team-a", "vc-work-demo")
        .unwrap();
    assert_eq!(
        policy.text("/spec/podSelector/matchLabels/warren.dev~1managed-by"),
        "demo"
    );

    let edited = json!({"spec": {"hard": {"count/pods": "1000"}}});
    let key = ObjectKey::namespaced("team-a", "vc-demo");
    world
        .host
        .merge_patch(&resource::RESOURCE_QUOTAS, &key, Part::Main, edited)
        .await
        .unwrap();
    until("what somebody changed is put right", || {
        let quota = world.get(&resource::RESOURCE_QUOTAS, "team-a", "vc-demo")?;
        (quota.at("/spec/hard").field("count/pods") == "7").then_some(())
    })
    .await;

    let off = json!({"policies": {"resourceQuota": {"enabled": false}, "networkPolicy": {"enabled": false}}});
    world.change("team-a", "demo", off).await;
    world.phase("team-a", "demo", "Ready").await;
    for (kind, name) in [
        (&resource::RESOURCE_QUOTAS, "vc-demo"),
        (&resource::LIMIT_RANGES, "vc-demo"),
        (&resource::NETWORK_POLICIES, "vc-work-demo"),
    ] {
        until("it is gone", || {
            world.get(kind, "team-a", name).is_none().then_some(())
        })
        .await;
    }
    world.embedded.stop().await;
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let world = World::new(Options::in_memory()).await;
    world.namespace("team-a").await;
    let theirs = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "vc-demo", "namespace": "team-a"}, "spec": {"hard": {"pods": "3"}}});
    world
        .host
        .create(&resource::RESOURCE_QUOTAS, theirs)
        .await
        .unwrap();
    world
        .ask_for(
            "team-a",
            "demo",
            json!({"policies": {"resourceQuota": {"enabled": true}}}),
        )
        .await;
    let quota = world
        .get(&resource::RESOURCE_QUOTAS, "team-a", "vc-demo")
        .unwrap();
    assert_eq!(quota.at("/spec/hard"), &json!({"pods": "3"}));
    world.embedded.stop().await;
}

#[tokio::test]
async fn kubeconfigs_elsewhere_go_with_their_cluster() {
    let world = World::new(Options::in_memory()).await;
    for namespace in ["team-a", "ci"] {
        world.namespace(namespace).await;
    }
    let spec = json!({"exportKubeConfig": {"additionalSecrets": [{"name": "demo-for-ci", "namespace": "ci",
        "server": "https://demo.example", "insecure": true,
        "serviceAccount": {"name": "robot", "clusterRole": "view"}}]}});
    world.ask_for("team-a", "demo", spec).await;
    let secret = world.get(&resource::SECRETS, "ci", "demo-for-ci").unwrap();
    assert!(!secret.text("/data/token").is_empty() && secret.text("/data/client-key").is_empty());
    assert!(
        secret.at("/metadata/ownerReferences").is_null(),
        "an owner cannot be in another namespace"
    );
    let account = ObjectKey::namespaced("kube-system", "robot");
    assert!(
        world
            .cluster("team-a", "demo")
            .get(&resource::SERVICE_ACCOUNTS, &account)
            .is_some()
    );

    let key = ObjectKey::namespaced("team-a", "demo");
    let options = DeleteOptions::default();
    world
        .host
        .delete(&resource::VIRTUAL_CLUSTERS, &key, options)
        .await
        .unwrap();
    until("the secret elsewhere is gone", || {
        world
            .get(&resource::SECRETS, "ci", "demo-for-ci")
            .is_none()
            .then_some(())
    })
    .await;
    world.embedded.stop().await;
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "i"}]}})
}

#[tokio::test]
async fn a_pause_takes_the_host_pods_and_a_resume_brings_them_back() {
    let world = World::new(Options::in_memory()).await;
    world.namespace("team-a").await;
    world.ask_for("team-a", "demo", json!({})).await;
    let cluster = world.cluster("team-a", "demo");
    cluster.create(&resource::PODS, pod("app")).await.unwrap();
    let key = ObjectKey::namespaced("default", "app");
    let running = || {
        let pod = cluster.get(&resource::PODS, &key)?.to_value();
        (pod.text("/status/phase") == "Running").then_some(pod)
    };
    let before = until("it runs", running).await;

    world.change("team-a", "demo", json!({"paused": true})).await;
    let paused = world.phase("team-a", "demo", "Paused").await;
    assert_eq!(condition(&paused, "Paused").as_deref(), Some("True"));
    assert_eq!(
        condition(&paused, "Ready").as_deref(),
        Some("True"),
        "the API answers"
    );
    assert!(world.host.list(&resource::PODS, Some("team-a")).is_empty());
    let waits = until("it waits", || {
        let pod = cluster.get(&resource::PODS, &key)?.to_value();
        pod.at("/spec/nodeName").is_null().then_some(pod)
    })
    .await;
    assert_eq!(waits.text("/status/phase"), "Pending");
    assert_eq!(
        waits.text("/metadata/uid"),
        before.text("/metadata/uid"),
        "it is the same pod"
    );
    cluster.create(&resource::PODS, pod("late")).await.unwrap();

    world.change("team-a", "demo", json!({"paused": null})).await;
    let resumed = until("nothing is left of the pause", || {
        let object = world.get(&resource::VIRTUAL_CLUSTERS, "team-a", "demo")?;
        let ready = object.text("/status/phase") == "Ready";
        (ready && condition(&object, "Paused").is_none()).then_some(object)
    })
    .await;
    assert_eq!(
        resumed.int("/metadata/generation"),
        resumed.int("/status/observedGeneration")
    );
    let after = until("it runs again", running).await;
    assert_eq!(after.text("/metadata/uid"), before.text("/metadata/uid"));
    until("what came meanwhile runs, too", || {
        let pod = cluster
            .get(&resource::PODS, &ObjectKey::namespaced("default", "late"))?
            .to_value();
        (pod.text("/status/phase") == "Running").then_some(())
    })
    .await;
    world.embedded.stop().await;
}

#[tokio::test]
async fn the_front_door_leads_to_the_cluster_that_is_named_and_to_no_other() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let door = FrontDoor {
        address,
        domain: "k8s.example".to_owned(),
        public_port: None,
    };
    let options = Options {
        front_door: Some(door),
        ..Options::in_memory()
    };
    let world = World::new(options).await;
    world.namespace("team-a").await;
    for name in ["one", "two"] {
        world.ask_for("team-a", name, json!({})).await;
    }
    let open = world.embedded.fleet().front_door().unwrap();
    let authority = |name: &str| {
        let tenant = world.embedded.fleet().tenant(&id("team-a", name)).unwrap();
        tenant.authority_pem().to_owned()
    };
    let knock = async |authority: &str, name: &str| {
        let config = warren_pki::client_config(authority).unwrap();
        let stream = TcpStream::connect(open).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connected = tokio_rustls::TlsConnector::from(config)
            .connect(name, stream)
            .await;
        connected.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(knock(&authority("one"), "one.team-a.k8s.example").await, Ok(()));
    assert_eq!(knock(&authority("two"), "two.team-a.k8s.example").await, Ok(()));
    assert!(
        knock(&authority("two"), "one.team-a.k8s.example").await.is_err(),
        "another's authority"
    );
    let refused = knock(&authority("one"), "three.team-a.k8s.example")
        .await
        .unwrap_err();
    assert!(
        refused.contains("UnrecognizedName") || refused.contains("UnrecognisedName"),
        "{refused}"
    );
    let object = world.get(&resource::VIRTUAL_CLUSTERS, "team-a", "one").unwrap();
    assert_eq!(
        object.text("/status/endpoint"),
        format!("https://one.team-a.k8s.example:{}", open.port())
    );
    world.embedded.stop().await;
}

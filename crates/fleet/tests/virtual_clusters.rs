//! The life of virtual clusters on an embedded host, through the `Cluster` port and the fleet's own surface.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, ObjectKey, resource};
use warren_fleet::{Embedded, Fleet, FleetError, Options, cluster_id, host_id, namespace_of};
use warren_reconciler::{Cluster, Clusters, DeleteOptions};
use warren_storage::JournalError;

/// Waits until `found` answers something; fails loudly when it never does.
async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "gave up on: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn embedded() -> Embedded {
    Embedded::start(Options::in_memory(), 1, None).await.unwrap()
}

fn host(embedded: &Embedded) -> Arc<dyn Cluster> {
    embedded.fleet().cluster(&host_id(), "test").unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::namespaced(namespace_of(name), name)
}

fn id(name: &str) -> ClusterId {
    cluster_id(&key(name))
}

fn object(host: &Arc<dyn Cluster>, name: &str) -> Option<Value> {
    host.get(&resource::VIRTUAL_CLUSTERS, &key(name))
        .map(|object| object.to_value())
}

fn condition(object: &Value, name: &str) -> Option<(String, String)> {
    let conditions = object.items("/status/conditions");
    let found = conditions
        .iter()
        .find(|condition| condition.text("/type") == name)?;
    Some((
        found.text("/status").to_owned(),
        found.text("/message").to_owned(),
    ))
}

async fn ask_for(host: &Arc<dyn Cluster>, name: &str, spec: Value) {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(name)}});
    host.create(&resource::NAMESPACES, namespace).await.unwrap();
    let wanted = json!({"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster",
        "metadata": {"name": name, "namespace": namespace_of(name)}, "spec": spec});
    host.create(&resource::VIRTUAL_CLUSTERS, wanted).await.unwrap();
}

#[tokio::test]
async fn a_virtual_cluster_is_made_from_its_object_and_goes_with_it() {
    let embedded = embedded().await;
    let host = host(&embedded);
    let config = embedded.virtual_cluster("demo", None).await.unwrap();
    let listener = embedded.fleet().tenant(&id("demo")).unwrap().listener().unwrap();
    assert!(
        config.contains(&format!("https://{}", listener.address())),
        "{config}"
    );
    let secret = host
        .get(
            &resource::SECRETS,
            &ObjectKey::namespaced("warren-demo", "vc-demo"),
        )
        .unwrap()
        .to_value();
    let keys: Vec<&String> = secret.at("/data").as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "certificate-authority",
            "client-certificate",
            "client-key",
            "config"
        ]
    );

    host.delete(
        &resource::VIRTUAL_CLUSTERS,
        &key("demo"),
        DeleteOptions::default(),
    )
    .await
    .unwrap();
    until("the cluster is gone", || {
        embedded.fleet().tenant(&id("demo")).is_none().then_some(())
    })
    .await;
    until("its object is gone", || {
        object(&host, "demo").is_none().then_some(())
    })
    .await;
    until("its secret is gone", || {
        let secret = ObjectKey::namespaced("warren-demo", "vc-demo");
        host.get(&resource::SECRETS, &secret).is_none().then_some(())
    })
    .await;
    assert_eq!(embedded.fleet().known().await.unwrap(), [host_id()]);
    embedded.stop().await;
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name_in_a_condition() {
    let embedded = embedded().await;
    let host = host(&embedded);
    ask_for(
        &host,
        "odd",
        json!({"plugin": {"mine": {"image": "registry.example/plugin"}}}),
    )
    .await;
    let (status, message) = until("a condition", || condition(&object(&host, "odd")?, "ConfigValid")).await;
    assert_eq!(status, "False");
    assert!(message.contains("plugin"), "{message}");
    assert!(embedded.fleet().tenant(&id("odd")).is_none());
    embedded.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_said_in_a_condition_and_hurts_nobody_else() {
    let embedded = embedded().await;
    let host = host(&embedded);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    ask_for(&host, "late", json!({"controlPlane": {"proxy": {"port": port}}})).await;
    let (_, message) = until("a condition", || {
        condition(&object(&host, "late")?, "Ready").filter(|(status, _)| status == "False")
    })
    .await;
    assert!(message.contains(&format!("127.0.0.1:{port}")), "{message}");
    embedded.virtual_cluster("other", None).await.unwrap();
    drop(taken);
    until("the port is free, so it serves", || {
        condition(&object(&host, "late")?, "Ready").filter(|(status, _)| status == "True")
    })
    .await;
    embedded.stop().await;
}

#[tokio::test]
async fn two_virtual_clusters_do_not_see_each_other() {
    let embedded = embedded().await;
    embedded.virtual_cluster("one", None).await.unwrap();
    embedded.virtual_cluster("two", None).await.unwrap();
    let one = embedded.fleet().cluster(&id("one"), "test").unwrap();
    let two = embedded.fleet().cluster(&id("two"), "test").unwrap();
    let config_map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}});
    one.create(&resource::CONFIG_MAPS, config_map).await.unwrap();
    assert!(
        two.get(&resource::CONFIG_MAPS, &ObjectKey::namespaced("default", "a"))
            .is_none()
    );
    let uid = |cluster: &Arc<dyn Cluster>, name: &str| {
        cluster
            .get(&resource::NAMESPACES, &ObjectKey::cluster(name))
            .unwrap()
            .meta()
            .uid
            .clone()
    };
    assert_ne!(
        uid(&one, "default"),
        uid(&two, "default"),
        "a namespace's uid is its cluster's own"
    );
    let (one, two) = (
        embedded.fleet().tenant(&id("one")).unwrap(),
        embedded.fleet().tenant(&id("two")).unwrap(),
    );
    assert_ne!(one.authority_pem(), two.authority_pem());
    embedded.stop().await;
}

#[tokio::test]
async fn a_restart_finds_everything_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let start = async || {
        Embedded::start(Options::in_dir(dir.path()), 2, None)
            .await
            .unwrap()
    };
    let embedded = start().await;
    let before = embedded.virtual_cluster("demo", None).await.unwrap();
    let cluster = embedded.fleet().cluster(&id("demo"), "test").unwrap();
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kept", "namespace": "default"}, "data": {"a": "b"}});
    let made = cluster.create(&resource::CONFIG_MAPS, config_map).await.unwrap();
    drop(cluster);
    embedded.stop().await;

    let embedded = start().await;
    let after = embedded.virtual_cluster("demo", None).await.unwrap();
    assert_eq!(after, before, "kubeconfigs that were handed out stay good");
    let cluster = embedded.fleet().cluster(&id("demo"), "test").unwrap();
    let kept = cluster.get(&resource::CONFIG_MAPS, &made.key()).unwrap();
    assert_eq!(kept.bytes(), made.bytes());
    embedded.stop().await;
}

#[tokio::test]
async fn a_restart_gives_back_what_was_taken_of_the_bootstrap_roles() {
    let dir = tempfile::tempdir().unwrap();
    let start = async || {
        Embedded::start(Options::in_dir(dir.path()), 1, None)
            .await
            .unwrap()
    };
    let roles = &resource::CLUSTER_ROLES;
    let view = ObjectKey::cluster("view");
    let embedded = start().await;
    embedded.virtual_cluster("demo", None).await.unwrap();
    let cluster = embedded.fleet().cluster(&id("demo"), "test").unwrap();
    cluster
        .delete(roles, &view, DeleteOptions::default())
        .await
        .unwrap();
    assert!(cluster.get(roles, &view).is_none());
    drop(cluster);
    embedded.stop().await;

    let embedded = start().await;
    embedded.virtual_cluster("demo", None).await.unwrap();
    let cluster = embedded.fleet().cluster(&id("demo"), "test").unwrap();
    assert!(cluster.get(roles, &view).is_some());
    drop(cluster);
    embedded.stop().await;
}

#[tokio::test]
async fn a_data_directory_belongs_to_one_fleet_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = Fleet::open(Options::in_dir(dir.path())).await.unwrap();
    let second = Fleet::open(Options::in_dir(dir.path())).await;
    assert!(matches!(second, Err(FleetError::Journal(JournalError::Locked))));
    first.close().await;
}

#[tokio::test]
async fn clusters_that_come_and_go_leave_nothing_behind() {
    let embedded = embedded().await;
    let host = host(&embedded);
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    for round in 0..2 {
        for name in &names {
            if round == 0 {
                ask_for(&host, name, json!({})).await;
            } else {
                embedded.virtual_cluster(name, None).await.unwrap();
            }
        }
        for name in &names {
            until("it is ready", || {
                condition(&object(&host, name)?, "Ready").filter(|(s, _)| s == "True")
            })
            .await;
            host.delete(&resource::VIRTUAL_CLUSTERS, &key(name), DeleteOptions::default())
                .await
                .unwrap();
        }
        for name in &names {
            until("it is gone", || object(&host, name).is_none().then_some(())).await;
        }
        assert_eq!(embedded.fleet().ids(), [host_id()]);
        assert_eq!(embedded.fleet().known().await.unwrap(), [host_id()]);
    }
    embedded.stop().await;
}

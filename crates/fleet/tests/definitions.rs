//! The end of a definition of custom resources: its instances go first.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use warren_apimachinery::resource::{CUSTOM_RESOURCE_DEFINITIONS, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, StatusReason};
use warren_fleet::{Embedded, Options, host_id};
use warren_reconciler::{Cluster, Clusters, DeleteOptions, Part};

const TOYS: Resource = Resource {
    group: "example.com",
    version: "v1",
    kind: "Toy",
    plural: "toys",
    scope: Scope::Namespaced,
};

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

fn name() -> ObjectKey {
    ObjectKey::cluster("toys.example.com")
}

fn definition(cluster: &Arc<dyn Cluster>) -> Option<Value> {
    let object = cluster.get(&CUSTOM_RESOURCE_DEFINITIONS, &name());
    object.map(|object| object.to_value())
}

fn reason(definition: &Value, kind: &str) -> Option<String> {
    let mut conditions = definition.items("/status/conditions").iter();
    let found = conditions.find(|condition| condition.text("/type") == kind)?;
    Some(found.text("/reason").to_owned())
}

async fn define(cluster: &Arc<dyn Cluster>) {
    let definition_of_toys = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "toys.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "toys", "kind": "Toy"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    cluster
        .create(&CUSTOM_RESOURCE_DEFINITIONS, definition_of_toys)
        .await
        .unwrap();
    until("the definition is served", || {
        reason(&definition(cluster)?, "Established").filter(|reason| reason == "InitialNamesAccepted")
    })
    .await;
}

fn toy(name: &str, finalizers: &[&str]) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Toy",
        "metadata": {"name": name, "namespace": "default", "finalizers": finalizers}})
}

#[tokio::test]
async fn a_definition_goes_when_its_last_instance_is_gone_and_leaves_none_behind() {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    let cluster = embedded.fleet().cluster(&host_id(), "test").unwrap();
    define(&cluster).await;
    cluster.create(&TOYS, toy("free", &[])).await.unwrap();
    cluster
        .create(&TOYS, toy("held", &["example.com/hold"]))
        .await
        .unwrap();
    let named = name();
    let delete = cluster.delete(&CUSTOM_RESOURCE_DEFINITIONS, &named, DeleteOptions::default());
    delete.await.unwrap();

    until("only what is held is left", || {
        (cluster.list(&TOYS, None).len() == 1).then_some(())
    })
    .await;
    let going = definition(&cluster).unwrap();
    assert_eq!(
        reason(&going, "Terminating").as_deref(),
        Some("InstanceDeletionInProgress")
    );
    let refused = cluster.create(&TOYS, toy("late", &[])).await.unwrap_err();
    assert!(refused.is(StatusReason::MethodNotAllowed), "{refused:?}");
    assert_eq!(
        refused.message(),
        "create not allowed while custom resource definition is terminating"
    );

    let let_go = json!({"metadata": {"finalizers": null}});
    let held = ObjectKey::namespaced("default", "held");
    cluster
        .merge_patch(&TOYS, &held, Part::Main, let_go)
        .await
        .unwrap();
    until("the definition is gone", || {
        definition(&cluster).is_none().then_some(())
    })
    .await;
    define(&cluster).await;
    assert!(cluster.list(&TOYS, None).is_empty());
    embedded.stop().await;
}

/// A definition whose `spec` is long enough to be worth sharing.
fn described(plural: &str, kind: &str) -> Value {
    let description = "What a toy is. ".repeat(200);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.shared.example.com")},
        "spec": {"group": "shared.example.com", "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "description": description}}}]}})
}

#[tokio::test]
async fn equal_definitions_of_several_clusters_are_one_in_memory_and_stay_while_others_come() {
    let mut stored = Vec::new();
    let mut served = Vec::new();
    let both = [
        Embedded::start(Options::in_memory(), 1, None).await.unwrap(),
        Embedded::start(Options::in_memory(), 1, None).await.unwrap(),
    ];
    for embedded in &both {
        let cluster = embedded.fleet().cluster(&host_id(), "test").unwrap();
        let tenant = embedded.fleet().tenant(&host_id()).unwrap();
        let find = |plural: &str| {
            let catalogue = tenant.registry().catalogue();
            catalogue.resource("shared.example.com", plural).cloned()
        };
        let create = |definition| cluster.create(&CUSTOM_RESOURCE_DEFINITIONS, definition);
        create(described("cars", "Car")).await.unwrap();
        let first = until("the first is served", || find("cars")).await;
        create(described("dolls", "Doll")).await.unwrap();
        until("the second is served", || find("dolls")).await;
        assert!(Arc::ptr_eq(&first, &find("cars").unwrap()), "it did not change");
        served.push(first);
        let key = ObjectKey::cluster("cars.shared.example.com");
        stored.push(cluster.get(&CUSTOM_RESOURCE_DEFINITIONS, &key).unwrap());
    }
    assert!(Arc::ptr_eq(&served[0], &served[1]));
    assert!(stored[0].shares_spec(&stored[1]));
    assert_ne!(stored[0].meta().uid, stored[1].meta().uid);
    for embedded in both {
        embedded.stop().await;
    }
}

#[tokio::test]
async fn a_definition_is_served_once_its_status_says_so() {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    let cluster = embedded.fleet().cluster(&host_id(), "test").unwrap();
    let tenant = embedded.fleet().tenant(&host_id()).unwrap();
    let definition = described("boats", "Boat");
    cluster
        .create(&CUSTOM_RESOURCE_DEFINITIONS, definition)
        .await
        .unwrap();
    let is_served = || {
        let catalogue = tenant.registry().catalogue();
        catalogue.resource("shared.example.com", "boats").map(|_| ())
    };
    until("it is served", is_served).await;
    let key = ObjectKey::cluster("boats.shared.example.com");
    let stored = cluster.get(&CUSTOM_RESOURCE_DEFINITIONS, &key).unwrap();
    let conditions = stored.to_value();
    let established = conditions.items("/status/conditions").iter();
    let established: Vec<&str> = established.map(|condition| condition.text("/type")).collect();
    assert_eq!(established, ["NamesAccepted", "Established"]);
    embedded.stop().await;
}

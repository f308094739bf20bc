//! Pods: to the host, back, and away again.

use serde_json::{Value, json};
use warren_apimachinery::resource::{EVENTS, NAMESPACES, PODS, SECRETS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Quantity};
use warren_reconciler::Part;

use crate::world::{World, data, on_host, pod, shop};

const HOST_POD: &str = "web-x-shop-x-demo";

/// What the host's scheduler and kubelet do.
pub(crate) async fn run_on_host(world: &World, name: &str) {
    let key = on_host(name);
    let binding = json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": "node-1"}});
    world.host.post(&PODS, &key, "binding", binding).await;
    let status = json!({"phase": "Running", "podIP": "10.1.0.7", "startTime": "2026-11-22T10:00:00Z",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{"name": "c", "ready": true, "restartCount": 0, "image": "web:1", "imageID": "",
            "state": {"running": {"startedAt": "2026-11-22T10:00:01Z"}}}]});
    world
        .host
        .patch(&PODS, &key, Part::Status, json!({"status": status}))
        .await;
}

#[tokio::test]
async fn a_pod_runs_on_the_host_and_the_tenant_sees_it() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(host.text("/metadata/labels/app"), "web");
    assert_eq!(host.text("/metadata/ownerReferences/0/uid"), "owner-demo");
    assert_eq!(host.at("/spec/automountServiceAccountToken"), &json!(false));
    assert_eq!(host.text("/spec/hostname"), "web");
    run_on_host(&world, HOST_POD).await;
    world.settle().await;
    let seen = world.tenant.value(&PODS, &shop("web"));
    assert_eq!(seen.text("/spec/nodeName"), "node-1");
    assert_eq!(seen.text("/status/phase"), "Running");
    assert_eq!(seen.text("/status/podIP"), "10.1.0.7");
    assert_eq!(seen.at("/status/containerStatuses/0/ready"), &json!(true));
    assert_eq!(seen.text("/status/qosClass"), "BestEffort");
    world.nothing_left_to_write().await;
    assert!(world.neighbour.list(&PODS).is_empty());
}

#[tokio::test]
async fn a_deletion_reaches_the_host_with_its_grace_and_ends_on_both_sides() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    run_on_host(&world, HOST_POD).await;
    world.settle().await;
    world.tenant.delete(&PODS, &shop("web"), Some(7)).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(host.int("/metadata/deletionGracePeriodSeconds"), Some(7));
    world.host.delete(&PODS, &on_host(HOST_POD), Some(0)).await;
    world.settle().await;
    assert_eq!(world.tenant.find(&PODS, &shop("web")), None);
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_pod_that_goes_on_the_host_goes_in_the_virtual_cluster() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    run_on_host(&world, HOST_POD).await;
    world.settle().await;
    world.host.delete(&PODS, &on_host(HOST_POD), Some(30)).await;
    world.settle().await;
    let seen = world.tenant.value(&PODS, &shop("web"));
    assert_eq!(seen.int("/metadata/deletionGracePeriodSeconds"), Some(30));
    world.host.delete(&PODS, &on_host(HOST_POD), Some(0)).await;
    world.settle().await;
    assert_eq!(world.tenant.find(&PODS, &shop("web")), None);
}

#[tokio::test]
async fn a_pod_deleted_by_force_leaves_nothing_on_the_host() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    world.tenant.delete(&PODS, &shop("web"), Some(0)).await;
    world.settle().await;
    assert_eq!(world.host.find(&PODS, &on_host(HOST_POD)), None);
}

#[tokio::test]
async fn a_pod_made_anew_gets_a_host_pod_of_its_own() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    world.tenant.delete(&PODS, &shop("web"), Some(0)).await;
    let again = world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(
        host.text("/metadata/annotations/warren.dev~1object-uid"),
        again.text("/metadata/uid")
    );
}

#[tokio::test]
async fn a_host_pod_that_is_not_ours_is_left_alone() {
    let world = World::new().await;
    let mut theirs = pod(HOST_POD);
    theirs.set("/metadata/namespace", "team-a");
    theirs.set("/metadata/labels/warren.dev~1managed-by", "demo");
    theirs.set("/metadata/labels/warren.dev~1namespace", "shop");
    let theirs = world.host.create(&PODS, theirs).await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    assert_eq!(world.host.value(&PODS, &on_host(HOST_POD)), theirs);
    let warnings = world.tenant.warnings("web");
    assert_eq!(
        warnings,
        ["The name of its object on the host cluster is taken by another object, which is left alone"]
    );
    world.tenant.delete(&PODS, &shop("web"), None).await;
    world.settle().await;
    assert_eq!(world.host.value(&PODS, &on_host(HOST_POD)), theirs);
    assert_eq!(world.tenant.find(&PODS, &shop("web")), None);
}

/// A tenant writes our own marks on its pod, to claim a host pod of the neighbour.
#[tokio::test]
async fn forged_marks_claim_nothing() {
    let world = World::new().await;
    world.neighbour.create(&PODS, pod("web")).await;
    world.settle().await;
    let before = world.host.value(&PODS, &on_host("web-x-shop-x-other"));
    let mut forger = pod("forger");
    forger.set("/metadata/labels/warren.dev~1managed-by", "other");
    forger.set("/metadata/labels/warren.dev~1namespace", "shop");
    forger.set(
        "/metadata/annotations",
        json!({"warren.dev/object-kind": "Pod", "warren.dev/object-name": "web",
        "warren.dev/object-namespace": "shop", "warren.dev/object-uid": "x", "warren.dev/applied": "{}"}),
    );
    world.tenant.create(&PODS, forger).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host("forger-x-shop-x-demo"));
    assert_eq!(host.text("/metadata/labels/warren.dev~1managed-by"), "demo");
    assert_eq!(
        host.text("/metadata/labels/tenant.warren.dev~1managed-by"),
        "other"
    );
    assert_eq!(
        host.text("/metadata/annotations/warren.dev~1object-name"),
        "forger"
    );
    world.tenant.delete(&PODS, &shop("forger"), Some(0)).await;
    world.settle().await;
    assert_eq!(world.host.value(&PODS, &on_host("web-x-shop-x-other")), before);
    assert!(world.neighbour.find(&PODS, &shop("web")).is_some());
}

#[tokio::test]
async fn what_endangers_the_host_never_gets_there() {
    let world = World::new().await;
    let mut bad = pod("bad");
    bad.set(
        "/spec/volumes",
        json!([{"name": "root", "hostPath": {"path": "/"}}]),
    );
    world.tenant.create(&PODS, bad).await;
    world.settle().await;
    assert!(world.host.list(&PODS).is_empty());
    let warnings = world.tenant.warnings("bad");
    assert_eq!(
        warnings,
        ["The pod cannot run: spec.volumes[root].hostPath is not allowed on the host cluster"]
    );
}

#[tokio::test]
async fn tokens_come_from_the_virtual_cluster_and_go_with_the_pod() {
    let world = World::new().await;
    let mut wanted = pod("web");
    wanted.set("/spec/serviceAccountName", "default");
    wanted.set(
        "/spec/volumes",
        json!([{"name": "api", "projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"serviceAccountToken": {"path": "vault", "audience": "vault"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]}}]),
    );
    world.tenant.create(&PODS, wanted).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    let name = host
        .text("/spec/volumes/0/projected/sources/0/secret/name")
        .to_owned();
    assert_eq!(
        host.text("/spec/volumes/0/projected/sources/2/configMap/name"),
        "kube-root-ca.crt-x-demo"
    );
    let tokens = world.host.value(&SECRETS, &on_host(&name));
    // shop/default for ["vault"]
    assert_eq!(tokens.text("/data/0-1"), "c2hvcC9kZWZhdWx0IGZvciBbInZhdWx0Il0=");
    world.nothing_left_to_write().await;
    world.tenant.delete(&PODS, &shop("web"), Some(0)).await;
    world.settle().await;
    assert!(world.host.names(&SECRETS).is_empty());
}

#[tokio::test]
async fn later_changes_reach_the_host() {
    let world = World::new().await;
    world.tenant.create(&PODS, pod("web")).await;
    world.settle().await;
    world
        .host
        .patch(
            &PODS,
            &on_host(HOST_POD),
            Part::Main,
            json!({"metadata": {"labels": {"theirs": "t"}}}),
        )
        .await;
    let patch = json!({"metadata": {"labels": {"app": null, "tier": "front"}, "annotations": {"note": "n"}},
        "spec": {"containers": [{"name": "c", "image": "web:2"}], "activeDeadlineSeconds": 60}});
    world.tenant.patch(&PODS, &shop("web"), Part::Main, patch).await;
    world
        .tenant
        .patch(
            &NAMESPACES,
            &ObjectKey::cluster("shop"),
            Part::Main,
            json!({"metadata": {"labels": {"team": "blue"}}}),
        )
        .await;
    let ephemeral = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}});
    world
        .tenant
        .patch(&PODS, &shop("web"), Part::Sub("ephemeralcontainers"), ephemeral)
        .await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(host.text("/metadata/labels/tier"), "front");
    assert_eq!(host.text("/metadata/labels/theirs"), "t");
    assert!(host.at("/metadata/labels/app").is_null());
    assert_eq!(host.text("/metadata/annotations/note"), "n");
    assert_eq!(host.text("/spec/containers/0/image"), "web:2");
    assert_eq!(host.int("/spec/activeDeadlineSeconds"), Some(60));
    assert_eq!(host.text("/spec/ephemeralContainers/0/name"), "debug");
    let team = warren_translate::namespace_label("team");
    assert_eq!(host.at("/metadata/labels").field(&team), &json!("blue"));
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn readiness_gates_agree_whichever_side_sets_them() {
    let world = World::new().await;
    let mut gated = pod("web");
    gated.set(
        "/spec/readinessGates",
        json!([{"conditionType": "mine.example.com"}, {"conditionType": "host.example.com"}]),
    );
    world.tenant.create(&PODS, gated).await;
    world.settle().await;
    run_on_host(&world, HOST_POD).await;
    world.settle().await;
    let add = |side: Value, kind: &str| {
        let mut all = side.items("/status/conditions").to_vec();
        all.retain(|one| one.text("/type") != kind);
        all.push(json!({"type": kind, "status": "True"}));
        json!({"status": {"conditions": all}})
    };
    let mine = add(world.tenant.value(&PODS, &shop("web")), "mine.example.com");
    world.tenant.patch(&PODS, &shop("web"), Part::Status, mine).await;
    world.settle().await;
    let theirs = add(world.host.value(&PODS, &on_host(HOST_POD)), "host.example.com");
    world
        .host
        .patch(&PODS, &on_host(HOST_POD), Part::Status, theirs)
        .await;
    world.settle().await;
    for side in [
        world.host.value(&PODS, &on_host(HOST_POD)),
        world.tenant.value(&PODS, &shop("web")),
    ] {
        for kind in ["mine.example.com", "host.example.com"] {
            let found = side
                .items("/status/conditions")
                .iter()
                .find(|one| one.text("/type") == kind);
            assert_eq!(found.map(|one| one.text("/status")), Some("True"), "{kind}");
        }
    }
    world.nothing_left_to_write().await;
}

#[tokio::test]
async fn a_gated_pod_waits_on_the_host_too() {
    let world = World::new().await;
    let mut gated = pod("web");
    gated.set("/spec/schedulingGates", json!([{"name": "example.com/wait"}]));
    world.tenant.create(&PODS, gated).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(host.items("/spec/schedulingGates").len(), 1);
    world
        .tenant
        .patch(
            &PODS,
            &shop("web"),
            Part::Main,
            json!({"spec": {"schedulingGates": null}}),
        )
        .await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert!(host.items("/spec/schedulingGates").is_empty());
}

#[tokio::test]
async fn resources_are_resized() {
    let world = World::new().await;
    let mut sized = pod("web");
    sized.set(
        "/spec/containers/0/resources",
        json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}),
    );
    world.tenant.create(&PODS, sized).await;
    world.settle().await;
    let patch = json!({"spec": {"containers": [{"name": "c", "image": "web:1",
        "resources": {"requests": {"cpu": "150m"}, "limits": {"cpu": "200m"}}}]}});
    world
        .tenant
        .patch(&PODS, &shop("web"), Part::Sub("resize"), patch)
        .await;
    let resources = json!({"requests": {"cpu": "150m"}, "limits": {"cpu": "200m"}});
    let image = json!({"spec": {"containers": [{"name": "c", "image": "web:2", "resources": resources}]}});
    world.tenant.patch(&PODS, &shop("web"), Part::Main, image).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    assert_eq!(host.text("/spec/containers/0/image"), "web:2");
    let cpu = host.text("/spec/containers/0/resources/requests/cpu");
    assert_eq!(cpu.parse::<Quantity>().ok(), "150m".parse().ok());
}

#[tokio::test]
async fn references_are_on_the_host_before_the_pod_and_under_its_names() {
    let world = World::new().await;
    world
        .tenant
        .create(&SECRETS, data("Secret", "login", json!({"user": "eA=="})))
        .await;
    let mut wanted = pod("web");
    wanted.set(
        "/spec/containers/0/env",
        json!([
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "USER", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}}]),
    );
    world.tenant.create(&PODS, wanted).await;
    world.settle().await;
    let host = world.host.value(&PODS, &on_host(HOST_POD));
    let env = host.items("/spec/containers/0/env");
    let find = |name: &str| env.iter().find(|one| one.text("/name") == name).unwrap().clone();
    assert_eq!(find("NAME"), json!({"name": "NAME", "value": "web"}));
    assert_eq!(
        find("USER").text("/valueFrom/secretKeyRef/name"),
        "login-x-shop-x-demo"
    );
    assert_eq!(find("KUBERNETES_SERVICE_HOST").text("/value"), "10.96.0.99");
    assert!(
        world
            .host
            .find(&SECRETS, &on_host("login-x-shop-x-demo"))
            .is_some()
    );
    assert!(world.host.list(&EVENTS).is_empty());
}

//! Tenants of one host, even of one host namespace: none claims, meets or sees another's, and none reads what its
//! objects are called on the host.

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::ObjectKey;
use warren_fleet::{Embedded, Options, Tenant, cluster_id};

use crate::client::{Client, tenant};

const PODS: &str = "/api/v1/namespaces/default/pods";
const CLUSTERS: &str = "/apis/warren.dev/v1alpha1/namespaces/shared/virtualclusters";
const HOST_PODS: &str = "/api/v1/namespaces/shared/pods";

/// A fleet whose virtual clusters of these names share the host namespace `shared`.
async fn sharing(names: &[&str]) -> (Embedded, Client) {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    let host = Client::admin(embedded.host());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shared"}});
    host.create("/api/v1/namespaces", &namespace).await;
    for name in names {
        make(&host, name).await;
    }
    (embedded, host)
}

async fn make(host: &Client, name: &str) {
    let wanted =
        json!({"apiVersion": "warren.dev/v1alpha1", "kind": "VirtualCluster", "metadata": {"name": name}});
    host.create(CLUSTERS, &wanted).await;
    host.until(&format!("{CLUSTERS}/{name}"), |reply| {
        (reply.json()["status"]["phase"] == "Ready").then_some(())
    })
    .await;
}

fn shared(embedded: &Embedded, name: &str) -> Arc<Tenant> {
    embedded
        .fleet()
        .tenant(&cluster_id(&ObjectKey::namespaced("shared", name)))
        .unwrap()
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}]}})
}

/// Waits until a pod runs, and answers it.
async fn runs(client: &Client, path: &str) -> Value {
    client
        .until(path, |reply| {
            let pod = reply.json();
            (pod["status"]["phase"] == "Running").then_some(pod)
        })
        .await
}

async fn gone(client: &Client, path: &str) {
    client
        .until(path, |reply| (reply.code == 404).then_some(()))
        .await;
}

/// What stands at a path, and nothing else.
async fn at(client: &Client, path: &str) -> Value {
    let reply = client.get(path).await;
    assert_eq!(reply.code, 200, "{path}: {}", reply.text());
    reply.json()
}

/// The list of every resource that a cluster serves, by path.
async fn everything(client: &Client) -> Vec<(String, Vec<Value>)> {
    let mut versions = vec!["/api/v1".to_owned()];
    for group in at(client, "/apis").await["groups"].as_array().unwrap() {
        versions.push(format!(
            "/apis/{}",
            group["preferredVersion"]["groupVersion"].as_str().unwrap()
        ));
    }
    let mut found = Vec::new();
    for version in versions {
        for resource in at(client, &version).await["resources"].as_array().unwrap() {
            let verbs = resource["verbs"].as_array().unwrap();
            if verbs.contains(&json!("list")) {
                let path = format!("{version}/{}", resource["name"].as_str().unwrap());
                let items = client.list(&path).await;
                found.push((path, items));
            }
        }
    }
    found
}

/// Objects in which a word of the host stands.
fn leaks(all: &[(String, Vec<Value>)], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, items) in all {
        for item in items {
            let text = item.to_string();
            for word in words {
                if let Some(at) = text.find(word) {
                    let from = text[..at]
                        .char_indices()
                        .rev()
                        .nth(100)
                        .map_or(0, |(from, _)| from);
                    let shown: String = text[from..].chars().take(240).collect();
                    found.push(format!("{path} {}: …{shown}…", item["metadata"]["name"]));
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn forged_marks_claim_nothing() {
    let (embedded, host) = sharing(&["red", "blue"]).await;
    let red = Client::admin(&shared(&embedded, "red"));
    let blue = Client::admin(&shared(&embedded, "blue"));
    red.create(PODS, &pod("web")).await;
    runs(&red, &format!("{PODS}/web")).await;
    let reds = format!("{HOST_PODS}/web-x-default-x-red");
    let before = at(&host, &reds).await;
    let (labels, annotations) = (&before["metadata"]["labels"], &before["metadata"]["annotations"]);
    assert_eq!(labels["warren.dev/managed-by"], "red");

    // Everything that marks red's pod, and its name on the host, in pods of blue.
    let host_name = "web-x-default-x-red";
    for name in ["web", host_name] {
        let mut forged = pod(name);
        forged["metadata"]["labels"] = labels.clone();
        forged["metadata"]["annotations"] = annotations.clone();
        blue.create(PODS, &forged).await;
        runs(&blue, &format!("{PODS}/{name}")).await;
    }
    let pods = host.list(HOST_PODS).await;
    let of = |cluster: &str| {
        let marked = pods
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["warren.dev/managed-by"] == cluster);
        marked
            .map(|pod| pod["metadata"]["uid"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!((pods.len(), of("red").len(), of("blue").len()), (3, 1, 2));
    assert_eq!(of("red"), [before["metadata"]["uid"].clone()]);

    // Changing a mark later moves nothing either.
    let patch = json!({"metadata": {"labels": {"warren.dev/managed-by": "red", "warren.dev/namespace": "kube-system"}}});
    let patched = blue
        .call(
            "PATCH",
            &format!("{PODS}/web"),
            "application/merge-patch+json",
            patch.to_string(),
        )
        .await;
    assert_eq!(patched.code, 200, "{}", patched.text());
    for name in ["web", host_name] {
        blue.delete(&format!("{PODS}/{name}?gracePeriodSeconds=0")).await;
        gone(&blue, &format!("{PODS}/{name}")).await;
    }
    host.until(HOST_PODS, |reply| {
        (reply.json()["items"].as_array()?.len() == 1).then_some(())
    })
    .await;
    assert_eq!(
        at(&host, &reds).await["metadata"]["uid"],
        before["metadata"]["uid"]
    );
    assert_eq!(
        runs(&red, &format!("{PODS}/web")).await["metadata"]["labels"],
        Value::Null
    );
    embedded.stop().await;
}

#[tokio::test]
async fn names_that_would_collide_stay_apart() {
    let (embedded, host) = sharing(&["red", "b-x-red"]).await;
    let red = Client::admin(&shared(&embedded, "red"));
    let other = Client::admin(&shared(&embedded, "b-x-red"));
    // Each of these reads `a-x-b-x-c-x-red` or `a-x-default-x-b-x-red` when it is put together without care.
    let places = [
        (&red, "c", "a-x-b"),
        (&red, "b-x-c", "a"),
        (&red, "b", "a-x-default"),
        (&other, "default", "a"),
    ];
    for (client, namespace, name) in places {
        let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        client.post("/api/v1/namespaces", &made).await;
        let path = format!("/api/v1/namespaces/{namespace}");
        client
            .until(&format!("{path}/serviceaccounts/default"), |reply| {
                (reply.code == 200).then_some(())
            })
            .await;
        client.create(&format!("{path}/pods"), &pod(name)).await;
    }
    for (client, namespace, name) in places {
        let seen = runs(client, &format!("/api/v1/namespaces/{namespace}/pods/{name}")).await;
        assert_eq!(seen["metadata"]["name"], name);
    }
    let pods = host.list(HOST_PODS).await;
    assert_eq!(pods.len(), places.len(), "each has a host pod of its own");
    embedded.stop().await;
}

#[tokio::test]
async fn what_is_not_ours_on_the_host_is_never_touched() {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("one", None).await.unwrap();
    let host = Client::admin(embedded.host());
    let one = Client::admin(&tenant(&embedded, "one"));
    let namespace = "/api/v1/namespaces/warren-one";
    let name = "db-x-default-x-one";
    // One of them looks like ours but for what makes it ours.
    let mut theirs = pod(name);
    theirs["metadata"]["labels"] = json!({"warren.dev/managed-by": "one"});
    theirs["spec"]["nodeSelector"] = json!({"no": "such"});
    let metadata = json!({"name": name});
    let objects = [
        ("pods", theirs),
        (
            "configmaps",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"of": "others"}}),
        ),
        (
            "secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"of": "others"}}),
        ),
        (
            "services",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}),
        ),
    ];
    let mut before = Vec::new();
    for (plural, object) in &objects {
        host.until(&format!("{namespace}/serviceaccounts/default"), |reply| {
            (reply.code == 200).then_some(())
        })
        .await;
        before.push((
            *plural,
            host.create(&format!("{namespace}/{plural}"), object).await,
        ));
    }
    let virtual_name = json!({"name": "db"});
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": virtual_name, "data": {"of": "mine"}});
    one.create("/api/v1/namespaces/default/configmaps", &map).await;
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": virtual_name, "stringData": {"of": "mine"}});
    one.create("/api/v1/namespaces/default/secrets", &secret).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": virtual_name, "spec": {"ports": [{"port": 80}]}});
    let answered = one.post("/api/v1/namespaces/default/services", &service).await;
    one.create(PODS, &pod("db")).await;
    let mut user = pod("user");
    user["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": "db"}}, {"secretRef": {"name": "db"}}]);
    one.create(PODS, &user).await;
    // Told about each of those that have a place of their own on the host.
    for about in ["Pod", "ConfigMap", "Secret"] {
        one.until("/api/v1/namespaces/default/events", |reply| {
            let events = reply.json()["items"].as_array().cloned()?;
            events
                .iter()
                .any(|event| {
                    event["involvedObject"]["kind"] == about
                        && event["reason"] == "SyncError"
                        && event["message"]
                            .as_str()
                            .unwrap()
                            .contains("is taken by another object")
                })
                .then_some(())
        })
        .await;
    }
    assert!(
        !answered.text().contains("-x-") && !answered.text().contains("warren-one"),
        "{}",
        answered.text()
    );
    assert_eq!(
        leaks(&everything(&one).await, &["-x-", "warren-one"]),
        Vec::<String>::new()
    );
    // Not even when the tenant's objects go.
    for path in [
        "pods/db",
        "pods/user",
        "services/db",
        "configmaps/db",
        "secrets/db",
    ] {
        let path = format!("/api/v1/namespaces/default/{path}");
        one.delete(&format!("{path}?gracePeriodSeconds=0")).await;
        gone(&one, &path).await;
    }
    for (plural, object) in before {
        let now = at(&host, &format!("{namespace}/{plural}/{name}")).await;
        for part in [
            "/metadata/uid",
            "/metadata/labels",
            "/metadata/annotations",
            "/spec",
            "/data",
        ] {
            assert_eq!(now.pointer(part), object.pointer(part), "{plural} {part}");
        }
        assert!(now["metadata"]["deletionTimestamp"].is_null(), "{plural}");
    }
    embedded.stop().await;
}

/// Objects of every kind that goes to the host, some of them in trouble there.
async fn busy(client: &Client) {
    let in_default = "/api/v1/namespaces/default";
    client
        .until(&format!("{in_default}/serviceaccounts/default"), |reply| {
            (reply.code == 200).then_some(())
        })
        .await;
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {
        "containers": [{"name": "c", "image": "i", "env": [
            {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            "volumeMounts": [{"name": "m", "mountPath": "/m"}]}],
        "volumes": [{"name": "m", "configMap": {"name": "m"}}]}});
    let missing =
        json!({"containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "none"}}]}]});
    let nowhere = json!({"nodeSelector": {"no": "such"}, "containers": [{"name": "c", "image": "i"}]});
    let claimed = json!({"containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "none"}}]});
    let over =
        json!({"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "100000"}}}]});
    let pod = |name: &str, spec: &Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    for (path, object) in [
        (
            "configmaps",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "b"}}),
        ),
        (
            "secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}}),
        ),
        (
            "services",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ),
        (
            "persistentvolumeclaims",
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
        ),
        ("pods", pod("missing", &missing)),
        ("pods", pod("nowhere", &nowhere)),
        ("pods", pod("claimed", &claimed)),
        ("pods", pod("over", &over)),
    ] {
        client.create(&format!("{in_default}/{path}"), &object).await;
    }
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    client.create(deployments, &deployment).await;
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}});
    client
        .create(
            "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
            &ingress,
        )
        .await;
    client
        .until(&format!("{deployments}/web"), |reply| {
            (reply.json()["status"]["readyReplicas"] == 2).then_some(())
        })
        .await;
}

#[tokio::test]
async fn what_a_tenant_reads_is_in_its_own_words() {
    let embedded = Embedded::start(Options::in_memory(), 2, None).await.unwrap();
    embedded.virtual_cluster("one", None).await.unwrap();
    embedded.virtual_cluster("two", None).await.unwrap();
    let one = Client::admin(&tenant(&embedded, "one"));
    busy(&one).await;
    // The host has told its troubles by then.
    one.until("/api/v1/namespaces/default/events", |reply| {
        let text = reply.text();
        ["FailedScheduling", "not found"]
            .iter()
            .all(|word| text.contains(word))
            .then_some(())
    })
    .await;
    let words = ["-x-", "warren-one", "warren-two", "warren.dev/managed-by"];
    assert_eq!(leaks(&everything(&one).await, &words), Vec::<String>::new());
    // Nor do answers of what is passed on to the host.
    let web = one.list(&format!("{PODS}?labelSelector=app%3Dweb")).await[0]["metadata"]["name"].clone();
    let web = web.as_str().unwrap();
    for (method, path) in [
        ("GET", format!("{PODS}/{web}/log")),
        ("GET", format!("{PODS}/{web}/log?container=none")),
        ("GET", format!("{PODS}/{web}/log?previous=true")),
        ("GET", format!("{PODS}/missing/log")),
        ("GET", format!("{PODS}/nowhere/log")),
        ("GET", format!("{PODS}/none/log")),
        (
            "POST",
            format!("{PODS}/{web}/exec?command=ls&container=none&stdout=true"),
        ),
        ("POST", format!("{PODS}/nowhere/exec?command=ls&stdout=true")),
        ("POST", format!("{PODS}/{web}/attach?stdout=true")),
        ("POST", format!("{PODS}/{web}/portforward?ports=1")),
        ("GET", format!("{PODS}/{web}/proxy/")),
        ("GET", format!("{PODS}/nowhere/proxy/")),
        ("GET", "/api/v1/namespaces/default/services/web/proxy/".to_owned()),
        (
            "GET",
            "/api/v1/namespaces/default/services/none/proxy/".to_owned(),
        ),
    ] {
        let reply = one.call(method, &path, "", "").await;
        let text = reply.text();
        assert!(
            !words.iter().any(|word| text.contains(word)),
            "{method} {path}: {text}"
        );
        assert!(reply.code != 500, "{method} {path}: {text}");
    }
    // The other tenant has none of it.
    let two = Client::admin(&tenant(&embedded, "two"));
    for (path, items) in everything(&two).await {
        for item in items {
            let is_web = ["web", "m", "s", "d"]
                .iter()
                .any(|name| item["metadata"]["name"] == *name);
            assert!(!is_web, "{path} {item}");
        }
    }
    embedded.stop().await;
}

#[tokio::test]
async fn a_virtual_cluster_that_is_deleted_leaves_nothing_on_the_host() {
    let (embedded, host) = sharing(&["stays"]).await;
    let stays = Client::admin(&shared(&embedded, "stays"));
    stays.create(PODS, &pod("web")).await;
    runs(&stays, &format!("{PODS}/web")).await;
    make(&host, "goes").await;
    let tenant = shared(&embedded, "goes");
    let goes = Client::admin(&tenant);
    busy(&goes).await;
    drop(tenant);
    host.delete(&format!("{CLUSTERS}/goes")).await;
    gone(&host, &format!("{CLUSTERS}/goes")).await;
    // The host's garbage collector, and the grace of pods, take a moment.
    let deadline = tokio::time::Instant::now() + crate::client::PATIENCE * 2;
    loop {
        let mut all = everything(&host).await;
        // What happened stays told for its hour, as with every object that is gone.
        all.retain(|(path, _)| !path.ends_with("/events"));
        let left = leaks(&all, &["-x-goes", "\"goes\"", "vc-goes"]);
        if left.is_empty() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{left:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(
        embedded.fleet().known().await.unwrap().len(),
        2,
        "the host and the one that stays"
    );
    runs(&stays, &format!("{PODS}/web")).await;
    // One of the same name is another.
    make(&host, "goes").await;
    let again = shared(&embedded, "goes");
    assert!(Client::admin(&again).list(PODS).await.is_empty());
    embedded.stop().await;
}

/// Every way in which a pod may name a secret, a config map or a claim.
fn references(name: &str) -> Vec<Value> {
    let volume = |source: Value| {
        let mut volume = json!({"name": "v"});
        volume
            .as_object_mut()
            .unwrap()
            .extend(source.as_object().unwrap().clone());
        json!({"volumes": [volume]})
    };
    let reference = json!({"name": name});
    let env = |from: Value| json!({"containers": [{"name": "c", "image": "i", "env": [{"name": "E", "valueFrom": from}]}]});
    let env_from = |from: Value| json!({"containers": [{"name": "c", "image": "i", "envFrom": [from]}]});
    vec![
        json!({"imagePullSecrets": [reference]}),
        env(json!({"secretKeyRef": {"name": name, "key": "config"}})),
        env(json!({"configMapKeyRef": {"name": name, "key": "config"}})),
        env_from(json!({"secretRef": reference})),
        env_from(json!({"configMapRef": reference})),
        json!({"initContainers": [{"name": "i", "image": "i", "envFrom": [{"secretRef": reference}]}]}),
        volume(json!({"secret": {"secretName": name}})),
        volume(json!({"configMap": reference})),
        volume(json!({"projected": {"sources": [{"secret": reference}, {"configMap": reference}]}})),
        volume(json!({"persistentVolumeClaim": {"claimName": name}})),
        volume(json!({"csi": {"driver": "d.example.com", "nodePublishSecretRef": reference}})),
        volume(json!({"flexVolume": {"driver": "e/d", "secretRef": reference}})),
        volume(json!({"cephfs": {"monitors": ["m"], "secretRef": reference}})),
        volume(json!({"rbd": {"monitors": ["m"], "image": "i", "secretRef": reference}})),
        volume(
            json!({"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:storage", "lun": 0,
            "chapAuthSession": true, "secretRef": reference}}),
        ),
        volume(
            json!({"scaleIO": {"gateway": "g", "system": "s", "volumeName": "v", "secretRef": reference}}),
        ),
        volume(json!({"storageos": {"volumeName": "v", "secretRef": reference}})),
        volume(json!({"azureFile": {"secretName": name, "shareName": "s"}})),
        volume(
            json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"],
            "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name},
            "resources": {"requests": {"storage": "1Gi"}}}}}}),
        ),
        volume(json!({"glusterfs": {"endpoints": name, "path": "p"}})),
        volume(
            json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"],
            "dataSource": {"kind": "PersistentVolumeClaim", "name": name},
            "resources": {"requests": {"storage": "1Gi"}}}}}}),
        ),
    ]
}

#[tokio::test]
async fn a_pod_reaches_nothing_on_the_host_by_its_name() {
    let embedded = Embedded::start(Options::in_memory(), 1, None).await.unwrap();
    embedded.virtual_cluster("one", None).await.unwrap();
    let host = Client::admin(embedded.host());
    let one = Client::admin(&tenant(&embedded, "one"));
    // The tenant's own objects of the name of the host's Secret with the kubeconfig.
    let name = "vc-one";
    let host_secret = at(&host, &format!("/api/v1/namespaces/warren-one/secrets/{name}")).await;
    for (plural, object) in [
        (
            "secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"config": "mine"}}),
        ),
        (
            "configmaps",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"config": "mine"}}),
        ),
        (
            "persistentvolumeclaims",
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
        ),
    ] {
        one.create(&format!("/api/v1/namespaces/default/{plural}"), &object)
            .await;
    }
    one.until("/api/v1/namespaces/default/serviceaccounts/default", |reply| {
        (reply.code == 200).then_some(())
    })
    .await;
    let mut synced = 0;
    for (number, spec) in references(name).into_iter().enumerate() {
        let mut wanted = pod(&format!("p{number}"));
        wanted["spec"]
            .as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        let answered = one.post(PODS, &wanted).await;
        if answered.code != 201 {
            // Refused by what the tenant's pods may be; then it never gets to the host.
            assert!(matches!(answered.code, 403 | 422), "{spec}: {}", answered.text());
            continue;
        }
        // Either it is on the host, or the tenant reads why it is not.
        let on_host = format!("/api/v1/namespaces/warren-one/pods/p{number}-x-default-x-one");
        let events =
            format!("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp{number}");
        let deadline = tokio::time::Instant::now() + crate::client::PATIENCE;
        let seen = loop {
            let pod = host.get(&on_host).await;
            if pod.code == 200 {
                break Some(pod.text());
            }
            let told = one.list(&events).await;
            if told.iter().any(|event| event["type"] == "Warning") {
                break None;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{spec}: neither synced nor refused"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        if let Some(pod) = seen {
            synced += 1;
            assert!(!pod.contains("\"vc-one\""), "{spec}: {pod}");
        }
    }
    assert!(synced > 8, "{synced}");
    let after = at(&host, &format!("/api/v1/namespaces/warren-one/secrets/{name}")).await;
    assert_eq!(after, host_secret);
    embedded.stop().await;
}

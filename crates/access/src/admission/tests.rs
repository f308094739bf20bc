//! Each plugin against what upstream answers.

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, ObjectKey, Status, UserInfo};
use warren_registry::admission::Operation;
use warren_registry::{Catalogue, Warnings};
use warren_storage::Snapshot;

use super::{ALWAYS_MUTATE, AdmissionSettings, Asked};
use crate::PodSecurityFloor;
use crate::testing::{grant, guard, named, now, snapshot, user};

/// A write that meets a cluster, by default as a master and of the object itself.
struct Try<'a> {
    operation: Operation,
    user: UserInfo,
    resource: &'a str,
    subresource: &'a str,
    old: Option<Value>,
    cluster: Vec<(&'a str, Value)>,
    floor: Option<PodSecurityFloor>,
    settings: Arc<AdmissionSettings>,
}

fn create<'a>(resource: &'a str, cluster: &[(&'a str, Value)]) -> Try<'a> {
    let mut all = vec![
        ("namespaces", named("Namespace", "", "default", "1")),
        (
            "serviceaccounts",
            named("ServiceAccount", "default", "default", "1"),
        ),
    ];
    all.extend(cluster.iter().cloned());
    Try {
        operation: Operation::Create,
        user: user("admin", &["system:masters"]),
        resource,
        subresource: "",
        old: None,
        cluster: all,
        floor: None,
        settings: Arc::default(),
    }
}

fn update<'a>(resource: &'a str, old: Value, cluster: &[(&'a str, Value)]) -> Try<'a> {
    Try {
        operation: Operation::Update,
        old: Some(old),
        ..create(resource, cluster)
    }
}

impl Try<'_> {
    fn run(&self, object: Value) -> Result<(Value, Vec<String>), Status> {
        let state: Snapshot = snapshot(&self.cluster);
        let key = ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"));
        let (guard, warnings) = (guard(), Warnings::default());
        guard.enforce_pod_security(self.floor);
        let cx = Asked {
            guard: &guard,
            cluster: &state,
            operation: self.operation,
            user: &self.user,
            resource: GroupResource::parse(self.resource),
            key: &key,
            subresource: self.subresource,
            old: self.old.as_ref(),
            warnings: &warnings,
            dry_run: false,
            settings: Arc::clone(&self.settings),
            now: now(),
            catalogue: Arc::new(Catalogue::new(Vec::new())),
            random: 7,
        };
        let mut object = object;
        if self.operation != Operation::Delete {
            ALWAYS_MUTATE.iter().try_for_each(|step| step(&cx, &mut object))?;
            super::mutate(&cx, &mut object)?;
            super::rbac_escalation::mutate(&cx, &mut object)?;
        }
        super::validate(&cx, Some(&object))?;
        if self.operation != Operation::Delete && self.subresource.is_empty() {
            super::resource_quota::check(&cx, &object)?;
        }
        Ok((object, warnings.take()))
    }

    fn refused(&self, object: Value, message: &str) -> Status {
        let status = self.run(object).unwrap_err();
        assert_eq!(status.message(), message);
        status
    }

    fn becomes(&self, object: Value, pointer: &str, expect: Value) {
        assert_eq!(self.run(object).unwrap().0.at(pointer), &expect, "{pointer}");
    }
}

fn pod(spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x"}]}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn object(name: &str, more: Value) -> Value {
    let mut value = json!({"metadata": {"name": name, "namespace": "default"}});
    for (key, field) in more.as_object().into_iter().flatten() {
        value[key] = field.clone();
    }
    value
}

#[test]
fn a_pod_becomes_what_upstream_makes_of_it() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/pod.json")).unwrap();
    let (pod, _) = create("pods", &[]).run(fixture["given"].clone()).unwrap();
    let name = pod.text("/spec/containers/0/volumeMounts/0/name").to_owned();
    assert!(name.starts_with("kube-api-access-") && name.len() == 21, "{name}");
    let text = pod
        .at("/spec")
        .to_string()
        .replace(&name, "kube-api-access-h7xkx");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), fixture["want"]);
}

#[test]
fn namespaces_must_exist_live_and_some_stay() {
    let missing = json!({"metadata": {"name": "a", "namespace": "none"}});
    let status = create("configmaps", &[]).refused(missing, "namespaces \"none\" not found");
    assert_eq!(status.code(), 404);

    let mut going = named("Namespace", "", "going", "1");
    going["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
    let status = create("configmaps", &[("namespaces", going)]).refused(
        json!({"metadata": {"name": "a", "namespace": "going"}}),
        "configmaps \"a\" is forbidden: unable to create new content in namespace going because it is being terminated",
    );
    assert_eq!(status.details().unwrap().causes[0].reason, "NamespaceTerminating");

    let mut delete = create("namespaces", &[]);
    delete.operation = Operation::Delete;
    let default = json!({"metadata": {"name": "default"}});
    delete.refused(
        default,
        "namespaces \"default\" is forbidden: this namespace may not be deleted",
    );
    assert!(
        delete
            .run(json!({"metadata": {"name": "kube-node-lease"}}))
            .is_ok()
    );
}

#[test]
fn pods_run_as_an_account_that_exists() {
    create("pods", &[]).refused(
        pod(json!({"serviceAccountName": "nope"})),
        "pods \"p\" is forbidden: error looking up service account default/nope: serviceaccount \"nope\" not found",
    );
    let mut account = named("ServiceAccount", "default", "quiet", "1");
    account["automountServiceAccountToken"] = json!(false);
    account["imagePullSecrets"] = json!([{"name": "registry"}]);
    let write = create("pods", &[("serviceaccounts", account)]);
    let quiet = json!({"serviceAccountName": "quiet"});
    write.becomes(pod(quiet.clone()), "/spec/volumes", Value::Null);
    write.becomes(
        pod(quiet),
        "/spec/imagePullSecrets",
        json!([{"name": "registry"}]),
    );
    let loud = json!({"serviceAccountName": "quiet", "automountServiceAccountToken": true});
    assert_eq!(write.run(pod(loud)).unwrap().0.items("/spec/volumes").len(), 1);
}

#[test]
fn a_containers_own_mount_of_the_token_path_stays() {
    let mine = json!([{"name": "mine", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]);
    let spec = json!({"containers": [{"name": "c", "volumeMounts": mine}]});
    create("pods", &[]).becomes(pod(spec), "/spec/volumes", Value::Null);
}

#[test]
fn priorities_come_from_classes() {
    let class = |name: &str, value: i64, is_default: bool| {
        (
            "priorityclasses.scheduling.k8s.io",
            json!({"metadata": {"name": name}, "value": value, "globalDefault": is_default, "preemptionPolicy": "Never"}),
        )
    };
    let write = create("pods", &[class("high", 100, false), class("usual", 5, true)]);
    write.becomes(
        pod(json!({"priorityClassName": "high"})),
        "/spec/priority",
        json!(100),
    );
    write.becomes(pod(json!({})), "/spec/priorityClassName", json!("usual"));
    write.becomes(pod(json!({})), "/spec/preemptionPolicy", json!("Never"));
    write.refused(
        pod(json!({"priorityClassName": "nope"})),
        "pods \"p\" is forbidden: no PriorityClass with name nope was found",
    );
    write.refused(
        pod(json!({"priorityClassName": "high", "priority": 7})),
        "pods \"p\" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 100 from the given PriorityClass name",
    );
    create("priorityclasses.scheduling.k8s.io", &[class("usual", 5, true)]).refused(
        json!({"metadata": {"name": "other"}, "globalDefault": true}),
        "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist",
    );
}

#[test]
fn a_toleration_of_ones_own_stays() {
    let own = json!([{"operator": "Exists"}]);
    create("pods", &[]).becomes(pod(json!({"tolerations": own})), "/spec/tolerations", own.clone());
}

#[test]
fn limit_ranges_give_defaults_and_bounds() {
    let range = (
        "limitranges",
        object(
            "l",
            json!({"spec": {"limits": [{"type": "Container",
        "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m", "memory": "1Gi"}, "max": {"cpu": "2"},
        "min": {"cpu": "100m"}}, {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}}),
        ),
    );
    let write = create("pods", std::slice::from_ref(&range));
    write.becomes(
        pod(json!({})),
        "/spec/containers/0/resources",
        json!({"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1"}}),
    );
    write.becomes(
        pod(json!({})),
        "/metadata/annotations",
        json!({"kubernetes.io/limit-ranger":
            "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c"}),
    );
    let sized = |cpu: &str| {
        pod(
            json!({"containers": [{"name": "c", "resources": {"limits": {"cpu": cpu}, "requests": {"cpu": cpu}}}]}),
        )
    };
    write.refused(
        sized("3"),
        "pods \"p\" is forbidden: maximum cpu usage per Container is 2, but limit is 3",
    );
    write.refused(
        sized("10m"),
        "pods \"p\" is forbidden: minimum cpu usage per Container is 100m, but request is 10m",
    );
    create("persistentvolumeclaims", &[range]).refused(
        object("v", json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}})),
        "persistentvolumeclaims \"v\" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
    );
}

#[test]
fn quotas_count_what_is_there() {
    let quota = |hard: Value| ("resourcequotas", object("q", json!({"spec": {"hard": hard}})));
    let running = (
        "pods",
        object(
            "other",
            json!({"spec": {"containers": [{"name": "c",
        "resources": {"requests": {"cpu": "1"}}}]}}),
        ),
    );
    let done = ("pods", object("done", json!({"status": {"phase": "Succeeded"}})));
    let asking = pod(json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "600m"}}}]}));
    let full = create(
        "pods",
        &[quota(json!({"pods": "1"})), running.clone(), done.clone()],
    );
    full.refused(
        pod(json!({})),
        "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
    );
    let cpu = create(
        "pods",
        &[quota(json!({"requests.cpu": "1500m"})), running.clone(), done],
    );
    cpu.refused(
        asking.clone(),
        "pods \"p\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=1, limited: requests.cpu=1500m",
    );
    cpu.refused(
        pod(json!({})),
        "pods \"p\" is forbidden: failed quota: q: must specify requests.cpu for: c",
    );
    assert!(
        create("pods", &[quota(json!({"requests.cpu": "2"})), running.clone()])
            .run(asking)
            .is_ok()
    );
    create("deployments.apps", &[quota(json!({"count/deployments.apps": "0"}))]).refused(
        object("d", json!({})),
        "deployments.apps \"d\" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0",
    );
    let (_, spec) = quota(json!({"pods": "4", "services": "2"}));
    let status = guard().quota_status(&snapshot(&[running]), &spec, now());
    assert_eq!(
        status,
        json!({"hard": {"pods": "4", "services": "2"}, "used": {"pods": "1", "services": "0"}})
    );
}

#[test]
fn claims_and_ingresses_get_the_default_class() {
    let class = |resource, name: &str, mark: &str, made: &str| {
        (
            resource,
            json!({"metadata": {"name": name, "annotations": {mark: "true"}, "creationTimestamp": made}}),
        )
    };
    let mark = "storageclass.kubernetes.io/is-default-class";
    let storage = |name, made| class("storageclasses.storage.k8s.io", name, mark, made);
    let write = create(
        "persistentvolumeclaims",
        &[
            storage("old", "2026-01-01T00:00:00Z"),
            storage("new", "2026-02-01T00:00:00Z"),
        ],
    );
    write.becomes(
        object("v", json!({"spec": {}})),
        "/spec/storageClassName",
        json!("new"),
    );
    write.becomes(
        object("v", json!({"spec": {"storageClassName": ""}})),
        "/spec/storageClassName",
        json!(""),
    );
    write.becomes(
        object("v", json!({"spec": {}})),
        "/metadata/finalizers",
        json!(["kubernetes.io/pvc-protection"]),
    );

    let mark = "ingressclass.kubernetes.io/is-default-class";
    let ingress = class(
        "ingressclasses.networking.k8s.io",
        "nginx",
        mark,
        "2026-01-01T00:00:00Z",
    );
    create("ingresses.networking.k8s.io", &[ingress]).becomes(
        object("i", json!({"spec": {}})),
        "/spec/ingressClassName",
        json!("nginx"),
    );
}

#[test]
fn claims_grow_only_where_their_class_allows_it() {
    let claim = |size: &str| {
        object(
            "v",
            json!({"spec": {"storageClassName": "s", "resources": {"requests": {"storage": size}}},
        "status": {"phase": "Bound"}}),
        )
    };
    let class = |allow: bool| {
        (
            "storageclasses.storage.k8s.io",
            json!({"metadata": {"name": "s"}, "allowVolumeExpansion": allow}),
        )
    };
    update("persistentvolumeclaims", claim("1Gi"), &[class(false)]).refused(
        claim("2Gi"),
        "persistentvolumeclaims \"v\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
    );
    assert!(
        update("persistentvolumeclaims", claim("1Gi"), &[class(true)])
            .run(claim("2Gi"))
            .is_ok()
    );
}

#[test]
fn runtime_classes_bring_overhead_and_placement() {
    let class = (
        "runtimeclasses.node.k8s.io",
        json!({"metadata": {"name": "vm"}, "handler": "x",
        "overhead": {"podFixed": {"cpu": "100m"}}, "scheduling": {"nodeSelector": {"vm": "yes"}}}),
    );
    let write = create("pods", &[class]);
    write.becomes(
        pod(json!({"runtimeClassName": "vm"})),
        "/spec/overhead",
        json!({"cpu": "100m"}),
    );
    write.becomes(
        pod(json!({"runtimeClassName": "vm"})),
        "/spec/nodeSelector",
        json!({"vm": "yes"}),
    );
    write.refused(
        pod(json!({"runtimeClassName": "nope"})),
        "pods \"p\" is forbidden: pod rejected: RuntimeClass \"nope\" not found",
    );
}

#[test]
fn a_new_node_waits_until_it_is_ready() {
    let taint = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
    let node = |status: Value| json!({"metadata": {"name": "n"}, "status": status});
    create("nodes", &[]).becomes(node(json!({})), "/spec/taints", taint);
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    create("nodes", &[]).becomes(node(ready), "/spec/taints", Value::Null);
}

#[test]
fn pod_security_refuses_and_warns_by_namespace() {
    let namespace = |mode: &str| {
        let label = format!("pod-security.kubernetes.io/{mode}");
        (
            "namespaces",
            json!({"metadata": {"name": "safe", "labels": {label: "baseline"}}}),
        )
    };
    let account = ("serviceaccounts", named("ServiceAccount", "safe", "default", "1"));
    let mut bad = pod(json!({"hostNetwork": true}));
    bad["metadata"]["namespace"] = json!("safe");
    create("pods", &[namespace("enforce"), account.clone()]).refused(
        bad.clone(),
        "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)",
    );
    let (_, warnings) = create("pods", &[namespace("warn"), account.clone()])
        .run(bad.clone())
        .unwrap();
    let text = "would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)";
    assert_eq!(warnings, [text]);
    let deployment = json!({"metadata": {"name": "d", "namespace": "safe"}, "spec": {"template": bad}});
    let (_, warnings) = create("deployments.apps", &[namespace("warn"), account])
        .run(deployment)
        .unwrap();
    assert_eq!(warnings, [text]);
}

#[test]
fn a_clusters_floor_holds_whatever_a_namespace_says() {
    let label = "pod-security.kubernetes.io/enforce";
    let namespace = json!({"metadata": {"name": "default", "labels": {label: "privileged"}}});
    let with = |floor| Try {
        floor: Some(floor),
        ..create("pods", &[("namespaces", namespace.clone())])
    };
    with(PodSecurityFloor::Baseline).refused(
        pod(json!({"hostNetwork": true})),
        "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)",
    );
    let locks =
        json!([{"name": "c", "image": "x", "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}}}]);
    assert!(
        with(PodSecurityFloor::Baseline)
            .run(pod(json!({"containers": locks})))
            .is_ok()
    );
    let status = with(PodSecurityFloor::Restricted)
        .run(pod(json!({})))
        .unwrap_err();
    assert!(
        status
            .message()
            .contains("violates PodSecurity \"restricted:latest\"")
    );
}

#[test]
fn raising_a_level_tells_of_pods_that_are_there() {
    let namespace = |level: &str| json!({"metadata": {"name": "safe", "labels": {"pod-security.kubernetes.io/enforce": level}}});
    let there = |name: &str| {
        (
            "pods",
            json!({"metadata": {"name": name, "namespace": "safe"},
            "spec": {"hostPID": true, "containers": [{"name": "c"}]}}),
        )
    };
    let raise = update(
        "namespaces",
        namespace("privileged"),
        &[there("a"), there("b"), there("c")],
    );
    let (_, warnings) = raise.run(namespace("baseline")).unwrap();
    assert_eq!(
        warnings,
        [
            "existing pods in namespace \"safe\" violate the new PodSecurity enforce level \"baseline:latest\"",
            "a (and 2 other pods): host namespaces",
        ]
    );
    let lower = update("namespaces", namespace("restricted"), &[there("a")]);
    assert!(lower.run(namespace("baseline")).unwrap().1.is_empty());
}

#[test]
fn nobody_grants_what_they_do_not_hold() {
    let rule = |verb: &str| json!({"verbs": [verb], "apiGroups": [""], "resources": ["pods"]});
    let held = grant("held", "jane", rule("get"));
    let secret = grant(
        "secrets",
        "nobody",
        json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}),
    );
    let cluster = [held, secret].concat();
    let as_jane = |resource| Try {
        user: user("jane", &["devs"]),
        ..create(resource, &cluster)
    };
    let roles = "roles.rbac.authorization.k8s.io";
    assert!(
        as_jane(roles)
            .run(object("r", json!({"rules": [rule("get")]})))
            .is_ok()
    );
    as_jane(roles).refused(
        object("r", json!({"rules": [rule("get"), rule("list")]})),
        "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"jane\" (groups=[\"devs\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}",
    );
    let bindings = "rolebindings.rbac.authorization.k8s.io";
    let binding = |role: &str| object("b", json!({"roleRef": {"kind": "ClusterRole", "name": role}}));
    assert!(as_jane(bindings).run(binding("held")).is_ok());
    as_jane(bindings).refused(
        binding("secrets"),
        "rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"jane\" (groups=[\"devs\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}",
    );
    let status = as_jane(bindings).refused(
        binding("gone"),
        "rolebindings.rbac.authorization.k8s.io \"gone\" not found",
    );
    assert_eq!(status.code(), 404);
    as_jane("clusterroles.rbac.authorization.k8s.io").refused(
        json!({"metadata": {"name": "a"}, "aggregationRule": {"clusterRoleSelectors": [{}]}}),
        "clusterroles.rbac.authorization.k8s.io \"a\" is forbidden: must have cluster-admin privileges to use the aggregationRule",
    );
}

#[test]
fn who_may_escalate_or_bind_is_not_asked_further() {
    let rule = json!({"verbs": ["escalate", "bind"], "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "clusterroles"]});
    let cluster = grant("power", "jane", rule);
    let as_jane = |resource| Try {
        user: user("jane", &[]),
        ..create(resource, &cluster)
    };
    let anything = json!({"rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]});
    assert!(
        as_jane("roles.rbac.authorization.k8s.io")
            .run(object("r", anything))
            .is_ok()
    );
    let binding = object("b", json!({"roleRef": {"kind": "ClusterRole", "name": "power"}}));
    assert!(
        as_jane("rolebindings.rbac.authorization.k8s.io")
            .run(binding)
            .is_ok()
    );
}

#[test]
fn certificates_are_asked_approved_and_signed_by_those_who_may() {
    let resource = "certificatesigningrequests.certificates.k8s.io";
    let request =
        json!({"metadata": {"name": "c"}, "spec": {"signerName": "example.com/x", "username": "forged"}});
    create(resource, &[]).becomes(request.clone(), "/spec/username", json!("admin"));
    let cluster = grant(
        "a",
        "jane",
        json!({"verbs": ["approve"], "apiGroups": ["certificates.k8s.io"],
        "resources": ["signers"], "resourceNames": ["example.com/*"]}),
    );
    let approve = |who: &str| Try {
        user: user(who, &[]),
        subresource: "approval",
        ..update(resource, request.clone(), &cluster)
    };
    assert!(approve("jane").run(request.clone()).is_ok());
    approve("joe").refused(
        request.clone(),
        "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: user not permitted to approve requests with signerName \"example.com/x\"",
    );
    let mut signed = request.clone();
    signed["status"] = json!({"certificate": "Zm9v"});
    Try { subresource: "status", ..approve("jane") }.refused(
        signed,
        "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: user not permitted to sign requests with signerName \"example.com/x\"",
    );
}

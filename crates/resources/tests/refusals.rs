//! What is refused of pods, services and jobs, in upstream's words: one line per rule.

#![expect(
    clippy::unwrap_used,
    reason = "a test that does not find its resource has failed"
)]

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_registry::definition::Definition;

fn definition(group: &str, plural: &str) -> Arc<Definition> {
    warren_resources::definitions()
        .into_iter()
        .find(|known| known.group == group && known.plural == plural)
        .unwrap()
}

fn ready(definition: &Definition, mut object: Value) -> Value {
    let schema = definition.versions.first().unwrap().schema.get();
    let checked = schema.check(&mut object);
    assert_eq!(checked.type_error, None, "{object}");
    schema.default(&mut object);
    definition.strategy.default(&mut object);
    object
}

fn refusals(group: &str, plural: &str, object: Value) -> Vec<String> {
    let definition = definition(group, plural);
    let mut object = ready(&definition, object);
    object.set("/metadata/uid", "u");
    definition.strategy.prepare_for_create(&mut object);
    let mut errors = definition.strategy.validate(&object);
    errors.extend(definition.strategy.validate_create(&object));
    errors.iter().map(ToString::to_string).collect()
}

/// A pod with one good container, `patch` laid over its spec and `container` over its container.
fn pod(patch: Value, container: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "x"}]}});
    for (key, value) in patch.as_object().unwrap() {
        pod.set(&format!("/spec/{key}"), value.clone());
    }
    for (key, value) in container.as_object().unwrap() {
        pod.set(&format!("/spec/containers/0/{key}"), value.clone());
    }
    pod
}

fn check_container(container: Value, expected: &[&str]) {
    let pod = pod(json!({}), container);
    assert_eq!(refusals("", "pods", pod.clone()), expected, "{pod}");
}

fn check_spec(spec: Value, expected: &[&str]) {
    let pod = pod(spec, json!({}));
    assert_eq!(refusals("", "pods", pod.clone()), expected, "{pod}");
}

#[test]
fn containers_are_checked() {
    check_container(json!({}), &[]);
    check_container(
        json!({"name": "C_"}),
        &[
            "spec.containers[0].name: Invalid value: \"C_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ],
    );
    check_container(
        json!({"image": " x"}),
        &["spec.containers[0].image: Invalid value: \" x\": must not have leading or trailing whitespace"],
    );
    check_container(
        json!({"imagePullPolicy": "Sometimes"}),
        &[
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ],
    );
    check_container(
        json!({"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a", "protocol": "X"}]}),
        &[
            "spec.containers[0].ports[1].name: Duplicate value: \"a\"",
            "spec.containers[0].ports[1].protocol: Unsupported value: \"X\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ],
    );
    check_container(
        json!({"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]}),
        &["spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//80\""],
    );
}

#[test]
fn environments_are_checked() {
    check_container(
        json!({"env": [{"name": ""}]}),
        &["spec.containers[0].env[0].name: Required value"],
    );
    check_container(
        json!({"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
        &[
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ],
    );
    check_container(
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]}),
        &[
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\"",
        ],
    );
    check_container(
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}]}),
        &[],
    );
    check_container(
        json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nope"}}}]}),
        &[
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.nope\": error converting fieldPath: field label not supported: spec.nope",
        ],
    );
    check_container(
        json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a/b"}}}]}),
        &[
            "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ],
    );
    check_container(
        json!({"envFrom": [{}]}),
        &[
            "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
        ],
    );
    check_container(
        json!({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "5m"}}}]}),
        &[
            "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported with the cpu resource",
        ],
    );
}

#[test]
fn resources_are_checked() {
    check_container(
        json!({"resources": {"requests": {"cpu": "-1"}}}),
        &[
            "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
        ],
    );
    check_container(
        json!({"resources": {"limits": {"gold": "1"}}}),
        &[
            "spec.containers[0].resources.limits[gold]: Invalid value: \"gold\": must be a standard resource type or fully qualified",
            "spec.containers[0].resources.limits[gold]: Invalid value: \"gold\": must be a standard resource for containers",
            "spec.containers[0].resources.requests[gold]: Invalid value: \"gold\": must be a standard resource type or fully qualified",
            "spec.containers[0].resources.requests[gold]: Invalid value: \"gold\": must be a standard resource for containers",
        ],
    );
    check_container(
        json!({"resources": {"requests": {"example.com/gpu": "1"}}}),
        &[
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ],
    );
    check_container(
        json!({"resources": {"limits": {"example.com/gpu": "1500m"}}}),
        &[
            "spec.containers[0].resources.limits[example.com/gpu]: Invalid value: \"1500m\": must be an integer",
            "spec.containers[0].resources.requests[example.com/gpu]: Invalid value: \"1500m\": must be an integer",
        ],
    );
    check_spec(
        json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}),
        &["spec.resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"],
    );
}

#[test]
fn probes_and_hooks_are_checked() {
    check_container(
        json!({"livenessProbe": {}}),
        &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    );
    check_container(
        json!({"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}}),
        &["spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    );
    check_container(
        json!({"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}}),
        &["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    );
    check_container(
        json!({"readinessProbe": {"httpGet": {"port": 0}, "timeoutSeconds": -1}}),
        &[
            "spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.containers[0].readinessProbe.timeoutSeconds: Invalid value: -1: must be greater than or equal to 0",
        ],
    );
    check_container(
        json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}),
        &[
            "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
        ],
    );
}

#[test]
fn init_containers_and_sidecars_are_checked() {
    check_spec(
        json!({"initContainers": [{"name": "c", "image": "x"}]}),
        &["spec.initContainers[0].name: Duplicate value: \"c\""],
    );
    check_spec(
        json!({"initContainers": [{"name": "i", "image": "x", "livenessProbe": {"tcpSocket": {"port": 1}}}]}),
        &[
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ],
    );
    check_spec(
        json!({"initContainers": [{"name": "i", "image": "x", "restartPolicy": "Always",
            "livenessProbe": {"tcpSocket": {"port": 1}}}]}),
        &[],
    );
    check_spec(
        json!({"ephemeralContainers": [{"name": "e", "image": "x"}]}),
        &["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    );
}

#[test]
fn volumes_and_mounts_are_checked() {
    check_spec(
        json!({"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]}),
        &["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    );
    check_spec(
        json!({"volumes": [{"name": "v", "secret": {}}, {"name": "w", "configMap": {"name": ""}}]}),
        &[
            "spec.volumes[0].secret.secretName: Required value",
            "spec.volumes[1].configMap.name: Required value",
        ],
    );
    check_spec(
        json!({"volumes": [{"name": "v"}, {"name": "v"}]}),
        &["spec.volumes[1].name: Duplicate value: \"v\""],
    );
    check_spec(
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/a/../b", "type": "Nope"}}]}),
        &[
            "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
            "spec.volumes[0].hostPath.type: Unsupported value: \"Nope\": supported values: \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\"",
        ],
    );
    check_spec(
        json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]}}],
            "serviceAccountName": "a"}),
        &[
            "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes",
        ],
    );
    check_spec(
        json!({"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]}),
        &[
            "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required",
            "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
        ],
    );
    let mounted = |mounts: Value| {
        let spec = json!({"volumes": [{"name": "v"}]});
        refusals("", "pods", pod(spec, json!({"volumeMounts": mounts})))
    };
    assert_eq!(
        mounted(json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}])),
        ["spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"]
    );
    assert_eq!(
        mounted(json!([{"name": "v", "mountPath": "/a", "subPath": "/b"}])),
        ["spec.containers[0].volumeMounts.subPath: Invalid value: \"/b\": must be a relative path"]
    );
}

#[test]
fn scheduling_is_checked() {
    check_spec(
        json!({"tolerations": [{"operator": "Equal"}, {"key": "a", "operator": "Exists", "value": "b"},
            {"key": "a", "effect": "Nope"}]}),
        &[
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            "spec.tolerations[1].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'",
            "spec.tolerations[2].effect: Unsupported value: \"Nope\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"",
        ],
    );
    check_spec(
        json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}, "topologyKey": ""}]}}}),
        &[
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"\": name part must be non-empty",
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ],
    );
    check_spec(
        json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "Nope",
            "labelSelector": {}}]}),
        &[
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: \"Nope\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
        ],
    );
    check_spec(
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}}),
        &[
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term",
        ],
    );
    check_spec(
        json!({"nodeName": "n", "schedulingGates": [{"name": "a"}]}),
        &["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    );
}

#[test]
fn networks_and_security_are_checked() {
    check_spec(
        json!({"dnsPolicy": "None"}),
        &["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    );
    check_spec(
        json!({"dnsConfig": {"nameservers": ["x"]}}),
        &[
            "spec.dnsConfig.nameservers[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ],
    );
    check_spec(
        json!({"hostAliases": [{"ip": "1.2.3", "hostnames": ["a"]}]}),
        &[
            "spec.hostAliases[0].ip: Invalid value: \"1.2.3\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ],
    );
    check_spec(
        json!({"hostNetwork": true, "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80, "hostPort": 81}]}]}),
        &[
            "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
        ],
    );
    check_spec(
        json!({"securityContext": {"runAsUser": -1, "seccompProfile": {"type": "Localhost"}}}),
        &[
            "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
        ],
    );
    check_container(
        json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}}),
        &[
            "spec.containers[0].securityContext: Invalid value: {\"Capabilities\":null,\"Privileged\":true,\"SELinuxOptions\":null,\"WindowsOptions\":null,\"RunAsUser\":null,\"RunAsGroup\":null,\"RunAsNonRoot\":null,\"ReadOnlyRootFilesystem\":null,\"AllowPrivilegeEscalation\":false,\"ProcMount\":null,\"SeccompProfile\":null,\"AppArmorProfile\":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ],
    );
    check_spec(
        json!({"shareProcessNamespace": true, "hostPID": true}),
        &[
            "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
        ],
    );
}

fn update_of(old: Value, change: impl Fn(&mut Value)) -> Vec<String> {
    let definition = definition("", "pods");
    let old = ready(&definition, old);
    let mut new = old.clone();
    change(&mut new);
    let mut errors = definition.strategy.validate(&new);
    errors.extend(definition.strategy.validate_update(&new, &old));
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn pods_change_only_where_they_may() {
    let old = || pod(json!({}), json!({}));
    let none: [&str; 0] = [];
    assert_eq!(
        update_of(old(), |pod| pod.set("/spec/containers/0/image", "y")),
        none
    );
    assert_eq!(
        update_of(old(), |pod| pod.set("/spec/activeDeadlineSeconds", 5)),
        none
    );
    assert_eq!(
        update_of(old(), |pod| pod
            .set("/spec/tolerations", json!([{"operator": "Exists"}]))),
        none
    );
    let refused = update_of(old(), |pod| pod.set("/spec/nodeSelector/a", "b"));
    assert_eq!(refused.len(), 1, "{refused:?}");
    let (words, diff) = refused.first().unwrap().split_once('\n').unwrap();
    assert_eq!(
        words,
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    );
    let changed: Vec<&str> = diff.lines().filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(
        changed,
        [
            "- \"NodeSelector\": null,",
            "+ \"NodeSelector\": {",
            "+  \"a\": \"b\"",
            "+ },"
        ]
    );
    let added = update_of(old(), |pod| {
        let mut containers = pod.items("/spec/containers").to_vec();
        let mut second = containers.first().unwrap().clone();
        second.set("/name", "d");
        containers.push(second);
        pod.set("/spec/containers", containers);
    });
    assert_eq!(
        added,
        ["spec.containers: Forbidden: pod updates may not add or remove containers"]
    );
    let gated = pod(json!({"schedulingGates": [{"name": "a.b/c"}]}), json!({}));
    assert_eq!(update_of(gated, |pod| pod.set("/spec/nodeSelector/a", "b")), none);
}

#[test]
fn services_are_checked() {
    let service = |spec: Value| {
        let mut service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec});
        warren_registry::reserve::service::normalize(&mut service, None);
        refusals("", "services", service)
    };
    assert_eq!(service(json!({})), ["spec.ports: Required value"]);
    assert!(service(json!({"clusterIP": "None"})).is_empty());
    assert_eq!(
        service(json!({"type": "ExternalName"})),
        ["spec.externalName: Required value"]
    );
    assert_eq!(
        service(json!({"type": "Nope", "ports": [{"port": 80}]})),
        [
            "spec.type: Unsupported value: \"Nope\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\""
        ]
    );
    assert_eq!(
        service(json!({"ports": [{"port": 80, "nodePort": 30000}]})),
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]
    );
    assert_eq!(
        service(json!({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "a"}]})),
        [
            "spec.ports[1].name: Duplicate value: \"a\"",
            "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}",
        ]
    );
    assert_eq!(
        service(json!({"ports": [{"port": 80}], "clusterIP": "x"})),
        [
            "spec.clusterIPs[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        ]
    );
    assert_eq!(
        service(json!({"ports": [{"port": 80}], "sessionAffinity": "Cookie"})),
        ["spec.sessionAffinity: Unsupported value: \"Cookie\": supported values: \"ClientIP\", \"None\""]
    );
    assert_eq!(
        service(json!({"ports": [{"port": 80}], "externalIPs": ["127.0.0.1"]})),
        [
            "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"
        ]
    );
}

#[test]
fn jobs_and_cron_jobs_are_checked() {
    let job = |spec: Value| {
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}});
        for (key, value) in spec.as_object().unwrap() {
            job.set(&format!("/spec/{}", key.replace('.', "/")), value.clone());
        }
        refusals("batch", "jobs", job)
    };
    assert!(job(json!({})).is_empty());
    assert_eq!(
        job(json!({"template.spec.restartPolicy": "Always"})),
        ["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""]
    );
    assert_eq!(
        job(json!({"completionMode": "Indexed", "parallelism": 1})),
        ["spec.completions: Required value: when completion mode is Indexed"]
    );
    assert_eq!(
        job(json!({"template.metadata.labels": {"controller-uid": "other"}})),
        [
            "spec.template.metadata.labels[controller-uid]: Invalid value: {\"batch.kubernetes.io/controller-uid\":\"u\",\"batch.kubernetes.io/job-name\":\"j\",\"controller-uid\":\"other\",\"job-name\":\"j\"}: must be 'u'"
        ]
    );
    let cron_job = |schedule: &str| {
        let object = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"},
            "spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}}});
        refusals("batch", "cronjobs", object)
    };
    assert!(cron_job("*/5 * * * *").is_empty());
    assert_eq!(
        cron_job("often"),
        ["spec.schedule: Invalid value: \"often\": expected exactly 5 fields, found 1: [often]"]
    );
    assert_eq!(cron_job(""), ["spec.schedule: Required value"]);
}

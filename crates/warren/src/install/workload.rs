//! The stateful set that runs Warren, its Service, and the configuration of a virtual cluster that is alone.

use serde_json::{Map, json};
use warren_apimachinery::Value;
use warren_apimachinery::value::ValueExt;

use super::Plan;

/// The image unless another one is named: as it is called where it was built.
pub(super) const IMAGE: &str = concat!("warren:v", env!("CARGO_PKG_VERSION"));

const DATA: &str = "/data";
const CONFIG: &str = "/etc/warren";
const CONFIG_FILE: &str = "vcluster.yaml";
const FRONT_DOOR_PORT: u16 = 8443;
const API_PORT: u16 = 8443;
const HEALTH_PORT: u16 = 8081;
/// A user of no name, as distroless images have it.
const USER: u32 = 65532;

/// All of it.
pub(super) fn all(plan: &Plan) -> Vec<Value> {
    let config = plan.names.cluster().map(|_| config(plan));
    config
        .into_iter()
        .chain([service(plan), stateful_set(plan)])
        .collect()
}

fn config(plan: &Plan) -> Value {
    let text = match &plan.config {
        Some(config) => serde_saphyr::to_string(config).unwrap_or_default(),
        None => "{}\n".to_owned(),
    };
    json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": plan.names.metadata(&plan.names.config()),
        "stringData": {CONFIG_FILE: text}})
}

/// Leads to the front door where there is one; else it only governs the stateful set.
fn service(plan: &Plan) -> Value {
    let mut spec = json!({"selector": plan.names.selector()});
    match &plan.front_door {
        Some((_, kind)) => {
            spec.set("/type", kind.as_str());
            spec.set(
                "/ports",
                json!([{"name": "front-door", "port": 443, "targetPort": "front-door", "protocol": "TCP"}]),
            );
        }
        None => {
            spec.set("/clusterIP", "None");
            spec.set(
                "/ports",
                json!([{"name": "health", "port": HEALTH_PORT, "targetPort": "health", "protocol": "TCP"}]),
            );
        }
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": plan.names.metadata(&plan.names.service()), "spec": spec})
}

/// One pod at a time has the data.
fn stateful_set(plan: &Plan) -> Value {
    let names = &plan.names;
    let mut claim =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": plan.storage}}});
    if let Some(class) = &plan.storage_class {
        claim.set("/storageClassName", class.as_str());
    }
    let mut labels = names.selector();
    if let (Some(cluster), Some(labels)) = (names.cluster(), labels.as_object_mut()) {
        // As vCluster's, so that selectors that people wrote for it match.
        labels.insert("release".to_owned(), json!(cluster));
    }
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": names.metadata(names.workload()), "spec": {
        "replicas": 1,
        "serviceName": names.service(),
        "selector": {"matchLabels": names.selector()},
        "template": {"metadata": {"labels": labels}, "spec": pod(plan)},
        "volumeClaimTemplates": [{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "labels": names.selector()}, "spec": claim}]}})
}

fn pod(plan: &Plan) -> Value {
    let names = &plan.names;
    let mut mounts = vec![json!({"name": "data", "mountPath": DATA})];
    let mut spec = json!({
        "serviceAccountName": names.account(),
        "terminationGracePeriodSeconds": 30,
        "securityContext": {"runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"}}});
    if names.cluster().is_some() {
        mounts.push(json!({"name": "config", "mountPath": CONFIG, "readOnly": true}));
        spec.set(
            "/volumes",
            json!([{"name": "config", "secret": {"secretName": names.config()}}]),
        );
    }
    spec.set("/containers", json!([container(plan, &mounts)]));
    spec
}

fn container(plan: &Plan, mounts: &[Value]) -> Value {
    let probe = |path: &str, period: u32| json!({"httpGet": {"path": path, "port": "health"}, "periodSeconds": period, "failureThreshold": 6});
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "name": "warren",
        "image": plan.image,
        "args": arguments(plan),
        "env": [field("POD_IP", "status.podIP"), field("POD_NAMESPACE", "metadata.namespace")],
        "ports": ports(plan),
        "startupProbe": probe("/livez", 2),
        "livenessProbe": probe("/livez", 10),
        "readinessProbe": probe("/readyz", 5),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts})
}

fn arguments(plan: &Plan) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "serve",
        "--data-dir=/data",
        "--address=0.0.0.0",
        "--advertise-address=$(POD_IP)",
        "--own-namespace=$(POD_NAMESPACE)",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!("--health-address=0.0.0.0:{HEALTH_PORT}"));
    if let Some(cluster) = plan.names.cluster() {
        arguments.push(format!("--cluster={cluster}"));
        arguments.push("--namespace=$(POD_NAMESPACE)".to_owned());
        arguments.push(format!("--config={CONFIG}/{CONFIG_FILE}"));
    }
    if let Some((domain, _)) = &plan.front_door {
        arguments.push(format!("--front-door=0.0.0.0:{FRONT_DOOR_PORT}"));
        arguments.push(format!("--front-door-domain={domain}"));
        arguments.push("--front-door-port=443".to_owned());
    }
    arguments
}

/// Virtual clusters of a fleet listen on ports of their own, which no list could name.
fn ports(plan: &Plan) -> Vec<Value> {
    let port = |name: &str, port: u16| {
        let mut entry = Map::new();
        entry.insert("name".to_owned(), json!(name));
        entry.insert("containerPort".to_owned(), json!(port));
        entry.insert("protocol".to_owned(), json!("TCP"));
        Value::Object(entry)
    };
    let mut ports = vec![port("health", HEALTH_PORT)];
    if plan.front_door.is_some() {
        ports.push(port("front-door", FRONT_DOOR_PORT));
    }
    if plan.names.cluster().is_some() {
        let asked = plan.spec.control_plane.proxy.port.filter(|port| *port != 0);
        ports.push(port("https", asked.unwrap_or(API_PORT)));
    }
    ports
}

//! ResourceQuota: what a namespace may hold in all.
//!
//! Usage is counted from the objects themselves, writes in flight included, so a quota holds whether or not
//! anybody maintains its status. Two writes that are judged at the very same moment may together go one over.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Status};
use warren_registry::admission::Operation;
use warren_storage::Snapshot;

use super::Asked;
use super::pod_resources::{Amounts, add, amounts, of_pod};

/// Resources whose plural alone is a name in a quota.
const COUNTED: [&str; 7] = [
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
];
const COMPUTE: [&str; 6] = [
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];

pub(super) fn validate(cx: &Asked<'_>, object: Option<&Value>) -> Result<(), Status> {
    let writes = matches!(cx.operation, Operation::Create | Operation::Update);
    let is_part = !cx.subresource.is_empty() && cx.subresource != "resize";
    let Some(object) = object.filter(|_| writes && !is_part && !cx.key.namespace.is_empty()) else {
        return Ok(());
    };
    cx.all(&RESOURCE_QUOTAS, Some(&cx.key.namespace))
        .try_for_each(|quota| check(cx, &quota, object))
}

fn check(cx: &Asked<'_>, quota: &Value, object: &Value) -> Result<(), Status> {
    let hard = amounts(quota.at("/spec/hard"));
    let name = quota.text("/metadata/name");
    if PODS.is(&cx.resource) && in_scope(quota, object) && cx.operation == Operation::Create {
        let missing = unspecified(&hard, object);
        if !missing.is_empty() {
            return Err(cx.forbidden(object, format!("failed quota: {name}: must specify {missing}")));
        }
    }
    let usage = |object: &Value| counted(quota, &cx.resource, object);
    let mut delta = usage(object);
    if let (Operation::Update, Some(old)) = (cx.operation, cx.old) {
        for (name, quantity) in usage(old) {
            *delta.entry(name).or_default() -= quantity;
        }
    }
    delta.retain(|name, quantity| hard.contains_key(name) && quantity.sign() > 0);
    if delta.is_empty() {
        return Ok(());
    }
    let used = usage_of(cx.cluster, quota);
    let held = |name: &str| used.get(name).copied().unwrap_or_default();
    let over = |name: &str, more: Quantity| hard.get(name).is_some_and(|most| held(name) + more > *most);
    delta.retain(|name, quantity| over(name, *quantity));
    if delta.is_empty() {
        return Ok(());
    }
    let print = |amount: &dyn Fn(&str) -> Quantity| {
        let pairs: Vec<String> = delta
            .keys()
            .map(|name| format!("{name}={}", amount(name)))
            .collect();
        pairs.join(",")
    };
    let why = format!(
        "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
        print(&|name| delta.get(name).copied().unwrap_or_default()),
        print(&held),
        print(&|name| hard.get(name).copied().unwrap_or_default()),
    );
    Err(cx.forbidden(object, why))
}

/// The `status` of a quota as the objects are now: `hard` as specified, and `used`.
pub fn quota_status(cluster: &Snapshot, quota: &Value) -> Value {
    let hard = amounts(quota.at("/spec/hard"));
    let usage = usage_of(cluster, quota);
    let used: serde_json::Map<String, Value> = hard
        .keys()
        .map(|name| {
            (
                name.clone(),
                usage.get(name).copied().unwrap_or_default().to_string().into(),
            )
        })
        .collect();
    json!({"hard": quota.at("/spec/hard"), "used": used})
}

fn usage_of(cluster: &Snapshot, quota: &Value) -> Amounts {
    let namespace = quota.text("/metadata/namespace");
    let hard = amounts(quota.at("/spec/hard"));
    let mut used = Amounts::new();
    for resource in tracked(&hard) {
        for object in cluster.list(&resource, Some(namespace)) {
            add(&mut used, &counted(quota, &resource, &object.to_value()));
        }
    }
    used.retain(|name, _| hard.contains_key(name));
    used
}

/// The resources that names in a quota are about.
fn tracked(hard: &Amounts) -> BTreeSet<GroupResource> {
    hard.keys()
        .map(|name| match name.strip_prefix("count/") {
            Some(resource) => GroupResource::parse(resource),
            None if name.starts_with("services.") => SERVICES.group_resource(),
            None if name.contains("requests.storage") || name.ends_with("/persistentvolumeclaims") => {
                PERSISTENT_VOLUME_CLAIMS.group_resource()
            }
            None if COUNTED.contains(&name.as_str()) => GroupResource::new("", name.as_str()),
            None => PODS.group_resource(),
        })
        .collect()
}

/// What one object counts for.
fn counted(quota: &Value, resource: &GroupResource, object: &Value) -> Amounts {
    let mut sum = Amounts::new();
    if has_scopes(quota) && !(PODS.is(resource) && in_scope(quota, object)) {
        return sum;
    }
    let mut count = |name: String, amount: Quantity| *sum.entry(name).or_default() += amount;
    let one = Quantity::from(1);
    count(format!("count/{resource}"), one);
    let is_core = |plural: &SmolStr| resource.group.is_empty() && COUNTED.contains(&plural.as_str());
    if PODS.is(resource) {
        if !matches!(object.text("/status/phase"), "Succeeded" | "Failed") {
            count("pods".to_owned(), one);
            for (name, amount) in of_pod(object, "requests") {
                count(format!("requests.{name}"), amount);
                count(name, amount);
            }
            for (name, amount) in of_pod(object, "limits") {
                count(format!("limits.{name}"), amount);
            }
        }
    } else if is_core(&resource.resource) {
        count(resource.resource.to_string(), one);
    }
    if PERSISTENT_VOLUME_CLAIMS.is(resource) {
        let size = Quantity::from_json(object.at("/spec/resources/requests/storage")).unwrap_or_default();
        count("requests.storage".to_owned(), size);
        let class = object.text("/spec/storageClassName");
        if !class.is_empty() {
            let prefix = format!("{class}.storageclass.storage.k8s.io");
            count(format!("{prefix}/requests.storage"), size);
            count(format!("{prefix}/persistentvolumeclaims"), one);
        }
    }
    if SERVICES.is(resource) {
        for (name, amount) in ports_of(object) {
            count(name.to_owned(), amount.into());
        }
    }
    sum
}

fn ports_of(service: &Value) -> [(&'static str, i64); 2] {
    let kind = service.text("/spec/type");
    let ports = i64::try_from(service.items("/spec/ports").len()).unwrap_or_default();
    let allocates = service.at("/spec/allocateLoadBalancerNodePorts") != false;
    let node_ports = match kind {
        "NodePort" => ports,
        "LoadBalancer" if allocates => ports,
        _ => 0,
    };
    [
        ("services.nodeports", node_ports),
        ("services.loadbalancers", i64::from(kind == "LoadBalancer")),
    ]
}

/// What containers must say because the quota limits it: `limits.cpu for: a,b; limits.memory for: a`.
fn unspecified(hard: &Amounts, pod: &Value) -> String {
    let required = COMPUTE.into_iter().filter(|name| hard.contains_key(*name));
    let mut parts: Vec<String> = required
        .filter_map(|name| {
            let (which, resource) = match name.split_once('.') {
                Some((which, resource)) => (which, resource),
                None => ("requests", name),
            };
            let says = |spec: &Value| !spec.at("/resources").field(which).field(resource).is_null();
            let lacking: BTreeSet<&str> = ["/spec/containers", "/spec/initContainers"]
                .into_iter()
                .flat_map(|list| pod.items(list))
                .filter(|container| !says(container))
                .map(|container| container.text("/name"))
                .collect();
            let names: Vec<&str> = lacking.into_iter().collect();
            (!names.is_empty() && !says(pod.at("/spec"))).then(|| format!("{name} for: {}", names.join(",")))
        })
        .collect();
    parts.sort_unstable();
    parts.join("; ")
}

fn has_scopes(quota: &Value) -> bool {
    !quota.items("/spec/scopes").is_empty() || !quota.items("/spec/scopeSelector/matchExpressions").is_empty()
}

fn in_scope(quota: &Value, pod: &Value) -> bool {
    let by_name = quota.items("/spec/scopes").iter().filter_map(Value::as_str);
    by_name.into_iter().all(|scope| is_in(scope, pod))
        && quota
            .items("/spec/scopeSelector/matchExpressions")
            .iter()
            .all(|expression| {
                let scope = expression.text("/scopeName");
                let class = pod.text("/spec/priorityClassName");
                let listed = expression.items("/values").iter().any(|value| value == class);
                match (scope, expression.text("/operator")) {
                    ("PriorityClass", "In") => listed,
                    ("PriorityClass", "NotIn") => !listed,
                    ("PriorityClass", "DoesNotExist") => class.is_empty(),
                    ("PriorityClass", _) => !class.is_empty(),
                    (_, "DoesNotExist") => !is_in(scope, pod),
                    _ => is_in(scope, pod),
                }
            })
}

fn is_in(scope: &str, pod: &Value) -> bool {
    let ends = pod.int("/spec/activeDeadlineSeconds").is_some();
    let best_effort = || {
        let asks = |list: &str| {
            pod.items(list).iter().any(|container| {
                ["/resources/requests", "/resources/limits"]
                    .iter()
                    .any(|field| container.at(field).as_object().is_some_and(|map| !map.is_empty()))
            })
        };
        !asks("/spec/containers") && !asks("/spec/initContainers")
    };
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => !pod.text("/spec/priorityClassName").is_empty(),
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

fn crosses_namespaces(pod: &Value) -> bool {
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = pod.at("/spec/affinity").field(kind);
        let required = affinity
            .items("/requiredDuringSchedulingIgnoredDuringExecution")
            .iter();
        let preferred = affinity
            .items("/preferredDuringSchedulingIgnoredDuringExecution")
            .iter();
        required
            .chain(preferred.map(|term| term.at("/podAffinityTerm")))
            .any(|term| !term.items("/namespaces").is_empty() || !term.at("/namespaceSelector").is_null())
    })
}

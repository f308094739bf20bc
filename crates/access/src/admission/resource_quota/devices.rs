//! What a device claim counts for: devices by their class, the worst that may be given.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::resource::{DEVICE_CLASSES, PODS, RESOURCE_CLAIMS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey};
use warren_storage::Snapshot;

use super::super::asked::annotation;
use super::super::pod_resources::Amounts;
use super::measured::Measured;

/// How many devices a claim that wants all of them may get.
const ALL: i64 = 32;
const BY_CLASS: &str = ".deviceclass.resource.k8s.io/devices";
const IMPLICIT: &str = "requests.deviceclass.resource.kubernetes.io/";
/// On a claim that was made for what a pod asks for as an extended resource.
const EXTENDED: &str = "resource.kubernetes.io/extended-resource-claim";

/// Whether a name in a quota is about devices of a class.
pub(super) fn is_of_devices(name: &str) -> bool {
    name.ends_with(BY_CLASS) || name.starts_with(IMPLICIT)
}

/// What a claim counts for, besides itself.
pub(super) fn of_claim(cluster: &Snapshot, claim: &Value) -> Amounts {
    let mut sum = Amounts::new();
    for request in claim.items("/spec/devices/requests") {
        let alternatives = request.items("/firstAvailable");
        if alternatives.is_empty() {
            if request.at("/exactly").is_object() {
                let (class, many) = asked(request.at("/exactly"));
                *sum.entry(class).or_default() += many;
            }
            continue;
        }
        let mut most = Amounts::new();
        for (class, many) in alternatives.iter().map(asked) {
            let held = most.entry(class).or_default();
            *held = (*held).max(many);
        }
        for (class, many) in most {
            *sum.entry(class).or_default() += many;
        }
    }
    let more = as_extended(cluster, claim, &sum);
    sum.extend(more);
    sum
}

fn asked(request: &Value) -> (String, Quantity) {
    let many = match request.text("/allocationMode") {
        "ExactCount" => request.int("/count").unwrap_or_default(),
        "All" => ALL,
        _ => 0,
    };
    (
        format!("{}{BY_CLASS}", request.text("/deviceClassName")),
        many.into(),
    )
}

/// The same under the names of extended resources, without what the pod that the claim is for counts already.
fn as_extended(cluster: &Snapshot, claim: &Value, devices: &Amounts) -> Amounts {
    let of_pod = pod_of(cluster, claim).map(|pod| Measured::of(cluster, &PODS.group_resource(), &pod));
    let counted = |name: &str| {
        let amounts = of_pod.as_ref().map(|pod| pod.amounts(Timestamp::MIN));
        amounts
            .and_then(|amounts| amounts.get(name))
            .copied()
            .unwrap_or_default()
    };
    let mut sum = Amounts::new();
    for (name, many) in devices {
        let Some(class) = name.strip_suffix(BY_CLASS).filter(|class| !class.is_empty()) else {
            continue;
        };
        let mut names = vec![format!("{IMPLICIT}{class}")];
        let key = ObjectKey::cluster(class);
        if let Some(class) = cluster.get(&DEVICE_CLASSES.group_resource(), &key) {
            let class = class.to_value();
            let extended = class.text("/spec/extendedResourceName");
            if !extended.is_empty() {
                names.push(format!("requests.{extended}"));
            }
        }
        for name in names {
            let mut rest = *many;
            rest -= counted(&name);
            if rest.sign() > 0 {
                sum.insert(name, rest);
            }
        }
    }
    sum
}

/// The pod that a claim was made for because it asks for an extended resource.
fn pod_of(cluster: &Snapshot, claim: &Value) -> Option<Value> {
    if annotation(claim, EXTENDED) != "true" {
        return None;
    }
    let mut owners = claim.items("/metadata/ownerReferences").iter();
    let owner = owners.find(|owner| owner.at("/controller") == true)?;
    if owner.text("/kind") != "Pod" || owner.text("/apiVersion") != "v1" {
        return None;
    }
    let namespace = claim.text("/metadata/namespace");
    let key = ObjectKey::namespaced(namespace, owner.text("/name"));
    let pod = cluster.get(&PODS.group_resource(), &key)?;
    if pod.meta().uid != owner.text("/uid") {
        return None;
    }
    let uid = pod.meta().uid.clone();
    let pod = pod.to_value();
    let status = pod.at("/status/extendedResourceClaimStatus");
    let name = claim.text("/metadata/name");
    if status.is_object() {
        return (status.text("/resourceClaimName") == name).then_some(pod);
    }
    // Before the pod names its claim, the oldest one counts as its own.
    let made = claim.text("/metadata/creationTimestamp");
    let is_older = |other: &Object| {
        let other = other.to_value();
        (
            other.text("/metadata/creationTimestamp"),
            other.text("/metadata/name"),
        ) < (made, name)
    };
    let claims = cluster.list(&RESOURCE_CLAIMS.group_resource(), Some(namespace));
    let mut owned = claims.filter(|other| other.meta().controller().is_some_and(|owner| owner.uid == uid));
    (!owned.any(|other| is_older(other))).then_some(pod)
}

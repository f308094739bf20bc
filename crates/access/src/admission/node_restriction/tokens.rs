//! For whom a node may ask tokens: for the accounts of pods that run on it, and for audiences that they name.

use serde_json::Value;
use warren_apimachinery::resource::{CSI_DRIVERS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Status};
use warren_rbac::Attributes;
use warren_registry::admission::Operation;

use super::super::Asked;
use super::super::asked::aggregate;
use crate::authorization::decide;
use crate::pod_references::ephemeral_claim;

pub(super) fn restrict(cx: &Asked<'_>, node: &str, request: &Value) -> Result<(), Status> {
    if cx.operation != Operation::Create || cx.subresource != "token" {
        return Ok(());
    }
    let refused = |why: String| Err(cx.forbidden(request, why));
    let bound = request.at("/spec/boundObjectRef");
    let name = bound.text("/name");
    if bound.text("/apiVersion") != "v1" || bound.text("/kind") != "Pod" || name.is_empty() {
        return refused("node requested token not bound to a pod".to_owned());
    }
    let uid = bound.text("/uid");
    if uid.is_empty() {
        return refused("node requested token with a pod binding without a uid".to_owned());
    }
    let Some(pod) = cx.find(&PODS, &cx.key.namespace, name) else {
        return Err(Status::not_found(&GroupResource::new("", "pod"), name));
    };
    if pod.meta().uid != uid {
        return refused(format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        ));
    }
    let pod = pod.to_value();
    if pod.text("/spec/nodeName") != node {
        return refused("node requested token bound to a pod scheduled on a different node".to_owned());
    }
    match check_audience(cx, request, &pod) {
        Ok(()) => Ok(()),
        Err(why) => refused(why),
    }
}

fn check_audience(cx: &Asked<'_>, request: &Value, pod: &Value) -> Result<(), String> {
    let audience = match request.items("/spec/audiences") {
        [] => "",
        [one] => one.as_str().unwrap_or_default(),
        _ => return Err("node may only request 0 or 1 audiences".to_owned()),
    };
    let names = names_audience(cx, pod, audience);
    if names.map_err(|why| format!("error validating audience {audience:?}: {why}"))? {
        return Ok(());
    }
    let asked = Attributes {
        verb: "request-serviceaccounts-token-audience",
        version: "v1",
        resource: audience,
        namespace: &cx.key.namespace,
        name: &cx.key.name,
        ..Attributes::default()
    };
    if decide(cx.guard, cx.cluster, cx.user, &asked).allowed() {
        return Ok(());
    }
    Err(format!(
        "audience {audience:?} not found in pod spec volume, {} is not authorized to request tokens for this audience",
        cx.user.name
    ))
}

/// Whether a volume of the pod, or the driver behind it, asks for tokens for that audience.
fn names_audience(cx: &Asked<'_>, pod: &Value, audience: &str) -> Result<bool, String> {
    let mut errors = Vec::new();
    for volume in pod.items("/spec/volumes") {
        let mut sources = volume.items("/projected/sources").iter();
        if sources.any(|source| {
            let token = source.at("/serviceAccountToken");
            token.is_object() && token.text("/audience") == audience
        }) {
            return Ok(true);
        }
        match driver_of(cx, pod, volume).and_then(|driver| driver_names(cx, &driver, audience)) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(why) => errors.push(why),
        }
    }
    match errors.is_empty() {
        true => Ok(false),
        false => Err(aggregate(&errors)),
    }
}

/// The driver of a volume; empty where there is none.
fn driver_of(cx: &Asked<'_>, pod: &Value, volume: &Value) -> Result<String, String> {
    let claim = volume.text("/persistentVolumeClaim/claimName");
    if volume.at("/ephemeral/volumeClaimTemplate").is_object() {
        return driver_of_claim(cx, &ephemeral_claim(pod, volume));
    }
    if !claim.is_empty() {
        return driver_of_claim(cx, claim);
    }
    Ok(volume.text("/csi/driver").to_owned())
}

fn driver_of_claim(cx: &Asked<'_>, name: &str) -> Result<String, String> {
    let Some(claim) = cx.find(&PERSISTENT_VOLUME_CLAIMS, &cx.key.namespace, name) else {
        return Err(format!("persistentvolumeclaim {name:?} not found"));
    };
    let claim = claim.to_value();
    let volume = claim.text("/spec/volumeName");
    let Some(volume) = cx.find(&PERSISTENT_VOLUMES, "", volume) else {
        return Err(format!("persistentvolume {volume:?} not found"));
    };
    Ok(volume.to_value().text("/spec/csi/driver").to_owned())
}

fn driver_names(cx: &Asked<'_>, driver: &str, audience: &str) -> Result<bool, String> {
    if driver.is_empty() {
        return Ok(false);
    }
    let Some(found) = cx.find(&CSI_DRIVERS, "", driver) else {
        return Err(format!("csidriver.storage.k8s.io {driver:?} not found"));
    };
    let found = found.to_value();
    let mut requests = found.items("/spec/tokenRequests").iter();
    Ok(requests.any(|request| request.text("/audience") == audience))
}

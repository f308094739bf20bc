//! AlwaysPullImages: every image is pulled anew, so that nobody runs a private image that a node happens to have.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};
use warren_registry::admission::Operation;

use super::Asked;
use super::asked::aggregate;

const ALWAYS: &str = "Always";
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

pub(super) fn mutate(cx: &Asked<'_>, pod: &mut Value) -> Result<(), Status> {
    if !concerns(cx, pod) {
        return Ok(());
    }
    for list in CONTAINERS {
        for container in list_of(pod, list) {
            container.set("/imagePullPolicy", ALWAYS);
        }
    }
    for volume in list_of(pod, "volumes") {
        if volume.at("/image").is_object() {
            volume.set("/image/pullPolicy", ALWAYS);
        }
    }
    Ok(())
}

pub(super) fn validate(cx: &Asked<'_>, pod: Option<&Value>) -> Result<(), Status> {
    let Some(pod) = pod.filter(|pod| concerns(cx, pod)) else {
        return Ok(());
    };
    let spec = Path::new("spec");
    let mut errors = Vec::new();
    let mut check = |path: Path, policy: &str| {
        if policy != ALWAYS {
            let error = Error::not_supported(&path, policy, &[ALWAYS]);
            errors.push(cx.forbidden(pod, error.to_string()).message().to_owned());
        }
    };
    for list in CONTAINERS {
        for (at, container) in pod
            .at("/spec")
            .field(list)
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let path = spec.child(list).index(at).child("imagePullPolicy");
            check(path, container.text("/imagePullPolicy"));
        }
    }
    for (at, volume) in pod.items("/spec/volumes").iter().enumerate() {
        if volume.at("/image").is_object() {
            let path = spec.child("volumes").index(at).child("image").child("pullPolicy");
            check(path, volume.text("/image/pullPolicy"));
        }
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Status::new(StatusReason::Forbidden, one.clone())),
        // Upstream loses the class of several errors.
        many => Err(Status::unclassified(aggregate(many))),
    }
}

fn list_of<'v>(pod: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> + use<'v> {
    let items = pod
        .pointer_mut(&format!("/spec/{list}"))
        .and_then(Value::as_array_mut);
    items.into_iter().flatten()
}

/// Writes of pods, updates only where they bring a new image.
fn concerns(cx: &Asked<'_>, pod: &Value) -> bool {
    if !cx.writes(&PODS) {
        return false;
    }
    match (cx.operation, cx.old) {
        (Operation::Create, _) => true,
        (Operation::Update, Some(old)) => {
            let known: Vec<&str> = images(old).collect();
            images(pod).any(|image| !known.contains(&image))
        }
        _ => false,
    }
}

fn images(pod: &Value) -> impl Iterator<Item = &str> {
    let containers = CONTAINERS
        .iter()
        .flat_map(|list| pod.at("/spec").field(list).as_array());
    containers.flatten().map(|container| container.text("/image"))
}

//! What a pod's status may become.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::{addresses, claims_status, container_status, update};
use crate::check::{self, Errors};

/// Checks an update of `/status`.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
    update::annotations(errors, new, old);
    let path = Path::new("status");
    conditions(errors, &path.child("conditions"), new.items("/status/conditions"));
    nominated_node(errors, &path.child("nominatedNodeName"), new, old);
    generation(errors, &path, new.field("status"));
    // A writer that leaves the class out keeps it: upstream fills it in before this check.
    let class = new.at("/status/qosClass");
    check::immutable(errors, &path.child("qosClass"), class, old.at("/status/qosClass"));
    container_status::transitions(errors, &path, new, old);
    claims_status::validate(errors, &path, new);
    addresses::validate(errors, &path, new, old);
    container_status::users(errors, &path, new);
    container_status::health(errors, &path, new);
}

fn conditions(errors: &mut Errors, path: &Path, conditions: &[Value]) {
    for (at, condition) in conditions.iter().enumerate() {
        generation(errors, &path.index(at), condition);
        let kind = condition.text("/type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            check::qualified_name(errors, &path.index(at).child("Type"), kind);
        }
    }
}

fn generation(errors: &mut Errors, path: &Path, owner: &Value) {
    if let Some(number) = owner.int("/observedGeneration").filter(|number| *number < 0) {
        errors.push(Error::invalid(
            &path.child("observedGeneration"),
            number,
            "must be a non-negative integer",
        ));
    }
}

fn nominated_node(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    let node = new.text("/status/nominatedNodeName");
    if node.is_empty() || node == old.text("/status/nominatedNodeName") {
        return;
    }
    check::text(errors, path, node, name::dns1123_subdomain(node));
    if !old.text("/spec/nodeName").is_empty() {
        errors.push(Error::forbidden(
            path,
            "may not be set on pods that are already bound to a node",
        ));
    }
}

/// Keeps what a writer of a status left out: its class, and the generations that it was made for.
pub(super) fn keep(new: &mut Value, old: &Value) {
    keep_field(new, "/status/qosClass", old.at("/status/qosClass"));
    keep_generation(
        new,
        "/status/observedGeneration",
        old.int("/status/observedGeneration"),
    );
    let mut before: Vec<&Value> = old.items("/status/conditions").iter().collect();
    for at in 0..new.items("/status/conditions").len() {
        let pointer = format!("/status/conditions/{at}");
        let kind = new.at(&pointer).text("/type").to_owned();
        let Some(found) = before
            .iter()
            .position(|condition| condition.text("/type") == kind)
        else {
            continue;
        };
        let generation = before.remove(found).int("/observedGeneration");
        keep_generation(new, &format!("{pointer}/observedGeneration"), generation);
    }
    // Owners come by the main part only.
    match old.at("/metadata/ownerReferences") {
        Value::Null => {
            new.take_at("/metadata/ownerReferences");
        }
        owners => new.set("/metadata/ownerReferences", owners.clone()),
    }
}

fn keep_field(new: &mut Value, pointer: &str, old: &Value) {
    if new.text(pointer).is_empty() && !old.is_null() {
        new.set(pointer, old.clone());
    }
}

fn keep_generation(new: &mut Value, pointer: &str, old: Option<i64>) {
    if let Some(generation) = old
        && new.int(pointer).unwrap_or_default() == 0
    {
        new.set(pointer, generation);
    }
}

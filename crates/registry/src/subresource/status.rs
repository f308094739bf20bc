//! `status`: what a write to it takes from the new object, and what it keeps of the old one.
//!
//! Upstream's older kinds take the metadata along with the status, so that a client of theirs can label what it reports
//! on or let go of a finalizer; the newer ones, and custom resources, take the status alone.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::definition::Definition;

/// Whose kind it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    BuiltIn,
    Custom,
}

/// Kinds whose status is written without any metadata.
const ALONE: [(&str, &str); 13] = [
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("apiregistration.k8s.io", "apiservices"),
    ("certificates.k8s.io", "podcertificaterequests"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    ("internal.apiserver.k8s.io", "storageversions"),
    ("networking.k8s.io", "servicecidrs"),
    ("resource.k8s.io", "devicetaintrules"),
    ("resource.k8s.io", "resourceclaims"),
    ("resource.k8s.io", "resourcepoolstatusrequests"),
    ("scheduling.k8s.io", "podgroups"),
    ("storage.k8s.io", "volumeattachments"),
    ("storagemigration.k8s.io", "storageversionmigrations"),
];

/// Kinds that take the metadata along, but for these fields.
const KEPT: [(&str, &str, &str); 2] = [
    ("apps", "deployments", "/metadata/labels"),
    ("", "pods", "/metadata/ownerReferences"),
];

/// Whether the status of a built-in kind is written without any metadata.
pub(super) fn is_alone(definition: &Definition) -> bool {
    ALONE.contains(&(definition.group.as_str(), definition.plural.as_str()))
}

/// Takes everything from the old object that a write to the status may not change.
pub(super) fn isolate(origin: Origin, definition: &Definition, new: &mut Value, old: &Value) {
    let kind = (definition.group.as_str(), definition.plural.as_str());
    if origin == Origin::Custom || is_alone(definition) {
        return super::only(new, old, &["/status"]);
    }
    for (_, _, pointer) in KEPT.iter().filter(|(group, plural, _)| (*group, *plural) == kind) {
        match old.at(pointer) {
            Value::Null => {
                new.take_at(pointer);
            }
            was => new.set(pointer, was.clone()),
        }
    }
    super::with_metadata(new, old, &["/status"]);
}

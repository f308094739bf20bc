//! What replica sets have in common with replication controllers, their forerunners: the status, and all of a
//! row but the selector, which the two write differently.

use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::workload::{bounded, counts};
use crate::check::Errors;
use crate::table::{age, containers_and_images, name};

/// Starts the status of a new object.
pub(crate) fn start_status(object: &mut Value) {
    object.set("/status", json!({"replicas": 0}));
}

/// Checks the counters of the status.
pub(crate) fn status(object: &Value) -> Vec<Error> {
    let mut errors = Errors::new();
    let (path, status) = (Path::new("status"), object.field("status"));
    counts(
        &mut errors,
        &path,
        status,
        &[
            "replicas",
            "fullyLabeledReplicas",
            "readyReplicas",
            "availableReplicas",
            "observedGeneration",
            "terminatingReplicas",
        ],
    );
    let more = "cannot be greater than status.replicas";
    bounded(
        &mut errors,
        &path,
        status,
        &[
            ("fullyLabeledReplicas", "replicas", more),
            ("readyReplicas", "replicas", more),
            ("availableReplicas", "replicas", more),
            (
                "availableReplicas",
                "readyReplicas",
                "cannot be greater than readyReplicas",
            ),
        ],
    );
    errors
}

/// The selectable fields.
pub(crate) fn fields(object: &Value) -> Box<[(SmolStr, SmolStr)]> {
    let replicas = object.int("/status/replicas").unwrap_or_default();
    Box::new([("status.replicas".into(), replicas.to_string().into())])
}

/// The row that kubectl prints.
pub(crate) fn cells(object: &Value, now: Timestamp, selector: String) -> Vec<Value> {
    let count = |pointer: &str| object.int(pointer).unwrap_or_default().into();
    let (containers, images) = containers_and_images(object.at("/spec/template/spec"));
    vec![
        name(object),
        count("/spec/replicas"),
        count("/status/replicas"),
        count("/status/readyReplicas"),
        age(object, now),
        containers.into(),
        images.into(),
        selector.into(),
    ]
}

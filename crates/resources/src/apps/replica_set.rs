//! Replica sets.

use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::workload::{self, Words};
use crate::check::{self, Errors};
use crate::pod_template::{default_template, replica_status, workload_warnings};
use crate::table::{age, columns, containers_and_images, name, selector_text};

// Upstream names the deployment here, too.
const WORDS: Words = Words {
    selector: "deployment",
    template: "ReplicaSet",
};

/// The strategy of replica sets.
pub(crate) struct ReplicaSet;

impl Strategy for ReplicaSet {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/template");
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", json!({"replicas": 0}));
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        workload::counts(&mut errors, &path, spec, &["replicas", "minReadySeconds"]);
        workload::selector(&mut errors, &path, spec, WORDS);
        workload::selected_template(&mut errors, &path, spec, WORDS);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        check::immutable(
            &mut errors,
            &Path::new("spec.selector"),
            new.at("/spec/selector"),
            old.at("/spec/selector"),
        );
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        replica_status(&mut errors, &Path::new("status"), new.field("status"));
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        workload_warnings("spec.template", new, old)
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        let replicas = object.int("/status/replicas").unwrap_or_default();
        Box::new([("status.replicas".into(), replicas.to_string().into())])
    }

    fn columns(&self) -> &'static [Column] {
        columns("replicasets.apps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
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
            selector_text(object.at("/spec/selector")).into(),
        ]
    }
}

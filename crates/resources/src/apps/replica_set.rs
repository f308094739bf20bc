//! Replica sets.

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::replicas;
use super::workload::{self, Words};
use crate::check::{self, Errors};
use crate::pod_template::{default_template, drop_disabled_of_template, workload_warnings};
use crate::table::{columns, selector_text};

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
        drop_disabled_of_template(object, "/spec/template");
        replicas::start_status(object);
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        drop_disabled_of_template(new, "/spec/template");
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
        check::immutable_field("spec.selector", new, old)
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        replicas::status(new)
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        workload_warnings("spec.template", new, old)
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        replicas::fields(object)
    }

    fn columns(&self) -> &'static [Column] {
        columns("replicasets.apps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        replicas::cells(object, now, selector_text(object.at("/spec/selector")))
    }
}

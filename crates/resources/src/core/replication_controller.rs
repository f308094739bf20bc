//! Replication controllers.

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::apps::replicas;
use crate::check::{self, Errors};
use crate::pod_template::{
    always_restarted, default_template, drop_disabled_of_template, template, workload_warnings,
};
use crate::table::{columns, map_text};

/// The strategy of replication controllers.
pub(crate) struct ReplicationController;

impl Strategy for ReplicationController {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/template");
        let labels = object.at("/spec/template/metadata/labels").clone();
        if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
            for field in ["/spec/selector", "/metadata/labels"] {
                if check::same(object.at(field), &Value::Null) {
                    object.set(field, labels.clone());
                }
            }
        }
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
        check::not_negative(
            &mut errors,
            &path.child("minReadySeconds"),
            spec.field("minReadySeconds"),
        );
        let selector = spec.field("selector");
        let is_empty = check::same(selector, &Value::Null);
        if is_empty {
            errors.push(Error::required(&path.child("selector"), ""));
        }
        check::not_negative(&mut errors, &path.child("replicas"), spec.field("replicas"));
        let (value, path) = (spec.field("template"), path.child("template"));
        if value.is_null() {
            errors.push(Error::required(&path, ""));
            return errors;
        }
        let labels = value.at("/metadata/labels");
        let matches = LabelSelector::from_map(selector).is_ok_and(|selector| selector.matches_map(labels));
        if !is_empty && !matches {
            errors.push(Error::invalid(
                &path.child("metadata.labels"),
                labels.clone(),
                "`selector` does not match template `labels`",
            ));
        }
        template(&mut errors, &path, value);
        always_restarted(&mut errors, &path, value, "ReplicationController");
        errors
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
        columns("replicationcontrollers")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        replicas::cells(object, now, map_text(object.at("/spec/selector")))
    }
}

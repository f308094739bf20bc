//! Pods.

mod addresses;
mod claims_status;
mod container_status;
mod create;
mod ephemeral;
mod qos;
mod resize;
mod status;
mod table;
mod update;

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::Errors;
use crate::pod_template::{
    Of, default_pod_only, default_pod_spec, drop_disabled, match_fields, pod_annotations, pod_spec,
    pod_warnings, untrimmed_images,
};
use crate::table::columns;

use qos::qos_class;

/// The strategy of pods.
pub(crate) struct Pod;

impl Strategy for Pod {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        if let Some(spec) = object.get_mut("spec") {
            default_pod_spec(spec);
            default_pod_only(spec);
        }
        addresses::default(object);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        create::prepare(object);
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        if let Some(spec) = new.get_mut("spec") {
            drop_disabled(spec);
        }
    }

    fn prepare_for_status_update(&self, new: &mut Value, old: &Value) {
        status::keep(new, old);
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate_pod(&mut errors, object);
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("spec");
        if !object.items("/spec/ephemeralContainers").is_empty() {
            errors.push(Error::forbidden(
                &path.child("ephemeralContainers"),
                "cannot be set on create",
            ));
        }
        if !object.text("/spec/nodeName").is_empty() && !object.items("/spec/schedulingGates").is_empty() {
            errors.push(Error::forbidden(
                &path.child("nodeName"),
                "cannot be set until all schedulingGates have been cleared",
            ));
        }
        match_fields(&mut errors, &path, object.field("metadata"), object.field("spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update::validate(&mut errors, new, old);
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        status::validate(&mut errors, new, old);
        errors
    }

    fn validate_subresource_update(&self, subresource: &str, new: &Value, old: &Value) -> Vec<Error> {
        match subresource {
            "ephemeralcontainers" => ephemeral::validate(new, old),
            "resize" => resize::validate(new, old),
            _ => Vec::new(),
        }
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        // People rarely update pods; upstream saves the effort.
        match old {
            Some(_) => Vec::new(),
            None => pod_warnings(new),
        }
    }

    fn status_warnings(&self, new: &Value, _old: &Value) -> Vec<String> {
        addresses::warnings(new)
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        let text = |pointer: &str| SmolStr::new(object.text(pointer));
        let host_network = object.at("/spec/hostNetwork").as_bool().unwrap_or_default();
        let pod_ip = match object.text("/status/podIPs/0/ip") {
            "" => object.text("/status/podIP"),
            ip => ip,
        };
        Box::new([
            ("spec.nodeName".into(), text("/spec/nodeName")),
            ("spec.restartPolicy".into(), text("/spec/restartPolicy")),
            ("spec.schedulerName".into(), text("/spec/schedulerName")),
            ("spec.serviceAccountName".into(), text("/spec/serviceAccountName")),
            (
                "spec.hostNetwork".into(),
                SmolStr::new(if host_network { "true" } else { "false" }),
            ),
            ("status.phase".into(), text("/status/phase")),
            ("status.podIP".into(), SmolStr::new(pod_ip)),
            (
                "status.nominatedNodeName".into(),
                text("/status/nominatedNodeName"),
            ),
        ])
    }

    /// What is asked for, or the pod's own grace period; none for a pod that never was scheduled or has ended.
    fn grace_period(&self, object: &Value, requested: Option<i64>) -> Option<i64> {
        let asked = requested
            .or_else(|| object.int("/spec/terminationGracePeriodSeconds"))
            .unwrap_or_default();
        let ended = matches!(object.text("/status/phase"), "Failed" | "Succeeded");
        let unscheduled = object.text("/spec/nodeName").is_empty();
        Some(match asked {
            _ if unscheduled || ended => 0,
            // A negative period is a kubelet's way of saying one second.
            seconds if seconds < 0 => 1,
            seconds => seconds,
        })
    }

    fn columns(&self) -> &'static [Column] {
        columns("pods")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        table::cells(object, now)
    }

    fn row_conditions(&self, object: &Value) -> Vec<Value> {
        table::conditions(object).into_iter().collect()
    }
}

/// What is checked of a pod on create and on update.
fn validate_pod(errors: &mut Errors, pod: &Value) {
    let (metadata, spec) = (pod.field("metadata"), pod.field("spec"));
    let path = Path::new("spec");
    pod_annotations(errors, &Path::new("metadata.annotations"), metadata, spec);
    pod_spec(errors, &path, spec, Of::Pod(metadata));
    if spec.text("/serviceAccountName").is_empty() {
        for (at, volume) in spec.items("/volumes").iter().enumerate() {
            let sources = path.child("volumes").index(at).child("projected.sources");
            for (at, source) in volume.items("/projected/sources").iter().enumerate() {
                if !source.field("serviceAccountToken").is_null() {
                    errors.push(Error::forbidden(
                        &sources.index(at).child("serviceAccountToken"),
                        "must not be specified when serviceAccountName is not set",
                    ));
                }
            }
        }
    }
    untrimmed_images(errors, &path, spec);
}

//! A `PodTemplateSpec`: its metadata and its spec.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::label;
use warren_apimachinery::value::ValueExt;

use super::annotations::{match_fields, pod_annotations};
use super::defaults::default_pod_spec;
use super::disabled::drop_disabled;
use super::spec::{Of, pod_spec};
use crate::check::{self, Errors};

/// Defaults the template at a JSON pointer; does nothing where there is none.
pub(crate) fn default_template(object: &mut Value, pointer: &str) {
    let Some(template) = object.pointer_mut(pointer).filter(|value| value.is_object()) else {
        return;
    };
    if let Some(spec) = template.get_mut("spec") {
        default_pod_spec(spec);
    }
}

/// Drops fields of features that are off from the template at a JSON pointer.
pub(crate) fn drop_disabled_of_template(object: &mut Value, pointer: &str) {
    if let Some(spec) = object
        .pointer_mut(pointer)
        .and_then(|template| template.get_mut("spec"))
    {
        drop_disabled(spec);
    }
}

/// Checks the labels and annotations of a template at `path`.
pub(crate) fn template_metadata(errors: &mut Errors, path: &Path, template: &Value) {
    let metadata = template.field("metadata");
    let annotations = path.child("annotations");
    errors.extend(label::validate(metadata.field("labels"), &path.child("labels")));
    errors.extend(label::validate_annotations(
        metadata.field("annotations"),
        &annotations,
    ));
    pod_annotations(errors, &annotations, metadata, template.field("spec"));
}

/// Checks a template at `path`.
pub(crate) fn template(errors: &mut Errors, path: &Path, template: &Value) {
    template_metadata(errors, path, template);
    let metadata = template.field("metadata");
    let (spec, spec_path) = (template.field("spec"), path.child("spec"));
    pod_spec(errors, &spec_path, spec, Of::Template);
    match_fields(errors, &spec_path, metadata, spec);
    if !spec.items("/ephemeralContainers").is_empty() {
        errors.push(Error::forbidden(
            &spec_path.child("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        ));
    }
}

/// What upstream checks of a template that a workload with `restartPolicy: Always` owns.
pub(crate) fn always_restarted(errors: &mut Errors, path: &Path, template: &Value, kind: &str) {
    let policy = template.text("/spec/restartPolicy");
    check::one_of(errors, &path.child("spec.restartPolicy"), policy, &["Always"]);
    if template.int("/spec/activeDeadlineSeconds").is_some() {
        errors.push(Error::forbidden(
            &path.child("spec.activeDeadlineSeconds"),
            format!("activeDeadlineSeconds in {kind} is not Supported"),
        ));
    }
}

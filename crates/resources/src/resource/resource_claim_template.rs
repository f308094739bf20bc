//! Templates of claims of devices.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::label;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::device_claim;
use super::resource_claim::spec_stays;
use crate::check::Errors;
use crate::table::{age, columns, name};

/// What a template may not give a claim.
const NOT_SET: [&str; 13] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// The strategy of templates of claims.
pub(crate) struct ResourceClaimTemplate;

impl Strategy for ResourceClaimTemplate {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn default(&self, object: &mut Value) {
        device_claim::default(object, "/spec/spec");
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, metadata) = (Path::new("spec.metadata"), object.at("/spec/metadata"));
        errors.extend(label::validate(metadata.field("labels"), &path.child("labels")));
        for field in NOT_SET {
            let is_set = match metadata.field(field) {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                _ => true,
            };
            if is_set {
                errors.push(Error::forbidden(&path.child(field), "cannot be set"));
            }
        }
        device_claim::check(&mut errors, &Path::new("spec.spec"), object.at("/spec/spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        spec_stays("ResourceClaimTemplateSpec", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("resourceclaimtemplates.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), age(object, now)]
    }
}

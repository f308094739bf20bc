//! Templates of claims of devices.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::resource_claim::requests;
use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The strategy of templates of claims.
pub(crate) struct ResourceClaimTemplate;

impl Strategy for ResourceClaimTemplate {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        requests(&mut errors, &Path::new("spec.spec"), object.at("/spec/spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("spec", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("resourceclaimtemplates.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), age(object, now)]
    }
}

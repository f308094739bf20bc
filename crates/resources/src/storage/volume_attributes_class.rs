//! Volume attributes classes.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::parameters::{parameters, provisioner, unchanged};
use super::storage_class::name_and_default;
use crate::check::Errors;
use crate::table::{age, columns};

const DEFAULT_ANNOTATIONS: &[&str] = &["volumeattributesclass.alpha.kubernetes.io/is-default-class"];

/// The strategy of volume attributes classes.
pub(crate) struct VolumeAttributesClass;

impl Strategy for VolumeAttributesClass {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        provisioner(&mut errors, &Path::new("driverName"), object.text("/driverName"));
        parameters(&mut errors, object.field("parameters"), false);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        for field in ["driverName", "parameters"] {
            unchanged(&mut errors, field, new.field(field), old.field(field));
        }
        errors
    }

    /// Upstream looks at the change first.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = self.validate_update(new, old);
        errors.extend(self.validate(new));
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("volumeattributesclasses.storage.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name_and_default(object, DEFAULT_ANNOTATIONS).into(),
            object.text("/driverName").into(),
            age(object, now),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_class_has_parameters_that_stay() {
        let old = json!({"driverName": "a.b", "parameters": {"iops": "1"}});
        assert!(VolumeAttributesClass.validate(&old).is_empty());
        assert_eq!(
            VolumeAttributesClass.validate(&json!({"driverName": "a.b"}))[0].to_string(),
            "parameters: Required value: must contain at least one key/value pair"
        );
        let new = json!({"driverName": "a.b", "parameters": {"iops": "2"}});
        assert_eq!(
            VolumeAttributesClass.validate_update(&new, &old)[0].to_string(),
            "parameters: Forbidden: updates to parameters are forbidden."
        );
    }
}

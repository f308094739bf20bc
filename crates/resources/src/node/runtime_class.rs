//! Runtime classes.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::label;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::pod_template::{overhead, tolerations};
use crate::table::{age, columns, name};

/// The strategy of runtime classes.
pub(crate) struct RuntimeClass;

impl Strategy for RuntimeClass {
    fn traits(&self) -> Traits {
        Traits {
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        check::dns_label(&mut errors, &Path::new("handler"), object.text("/handler"));
        overhead(
            &mut errors,
            &Path::new("overhead"),
            object.at("/overhead/podFixed"),
        );
        errors.extend(label::validate(
            object.at("/scheduling/nodeSelector"),
            &Path::new("scheduling.nodeSelector"),
        ));
        tolerations(
            &mut errors,
            &Path::new("scheduling.tolerations"),
            object.items("/scheduling/tolerations"),
        );
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("handler", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("runtimeclasses.node.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), object.text("/handler").into(), age(object, now)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_handler_is_a_label_that_stays() {
        assert!(RuntimeClass.validate(&json!({"handler": "runc"})).is_empty());
        assert_eq!(RuntimeClass.validate(&json!({"handler": "Run C"})).len(), 1);
        let errors = RuntimeClass
            .validate(&json!({"handler": "h", "scheduling": {"tolerations": [{"operator": "Like"}]}}));
        assert!(
            errors[0]
                .path
                .to_string()
                .starts_with("scheduling.tolerations[0].")
        );
        let errors = RuntimeClass.validate_update(&json!({"handler": "b"}), &json!({"handler": "a"}));
        assert_eq!(
            errors[0].to_string(),
            "handler: Invalid value: \"b\": field is immutable"
        );
    }
}

//! Runtime classes.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::label;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::go_literal::go_literal;
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
        let (path, handler) = (Path::new("handler"), object.text("/handler"));
        if check::required(&mut errors, &path, handler) {
            check::dns_label(&mut errors, &path, handler);
        }
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        overhead(
            &mut errors,
            &Path::new("overhead"),
            object.at("/overhead/podFixed"),
        );
        errors.extend(label::validate(
            object.at("/scheduling/nodeSelector"),
            &Path::new("scheduling.nodeSelector"),
        ));
        let (path, list) = (
            Path::new("scheduling.tolerations"),
            object.items("/scheduling/tolerations"),
        );
        tolerations(&mut errors, &path, list);
        unique(&mut errors, &path, list);
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

/// No two tolerations are the same but for how long they hold.
fn unique(errors: &mut Errors, path: &Path, tolerations: &[Value]) {
    let key = |toleration: &Value| {
        ["key", "operator", "value", "effect"].map(|field| toleration.field(field).clone())
    };
    let mut seen = Vec::new();
    for (at, toleration) in tolerations.iter().enumerate() {
        let key = key(toleration);
        if seen.contains(&key) {
            let shown = go_literal("Toleration", toleration);
            errors.push(Error::duplicate(&path.index(at), toleration.clone()).shown_as(shown));
        } else {
            seen.push(key);
        }
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
            .validate_create(&json!({"handler": "h", "scheduling": {"tolerations": [{"operator": "Like"}]}}));
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

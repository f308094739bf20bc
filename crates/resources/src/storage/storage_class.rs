//! Storage classes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::parameters::{parameters, provisioner};
use crate::check::{self, Errors};
use crate::pod_template::node_label;
use crate::table::{age, columns};

const DEFAULT_ANNOTATIONS: &[&str] = &[
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

/// The strategy of storage classes.
pub(crate) struct StorageClass;

impl Strategy for StorageClass {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        provisioner(
            &mut errors,
            &Path::new("provisioner"),
            object.text("/provisioner"),
        );
        parameters(&mut errors, object.field("parameters"), true);
        let policy = object.text("/reclaimPolicy");
        if !policy.is_empty() {
            check::one_of(
                &mut errors,
                &Path::new("reclaimPolicy"),
                policy,
                &["Delete", "Retain"],
            );
        }
        let (path, mode) = (Path::new("volumeBindingMode"), object.field("volumeBindingMode"));
        match mode.as_str() {
            None => errors.push(Error::required(&path, "")),
            Some(mode) => check::one_of(&mut errors, &path, mode, &["Immediate", "WaitForFirstConsumer"]),
        }
        topologies(
            &mut errors,
            &Path::new("allowedTopologies"),
            object.items("/allowedTopologies"),
        );
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
            check::immutable(&mut errors, &Path::new(field), new.field(field), old.field(field));
        }
        errors
    }

    /// Upstream does not look at the rest again.
    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.validate_update(new, old)
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (at, term) in new.items("/allowedTopologies").iter().enumerate() {
            for (of, expression) in term.items("/matchLabelExpressions").iter().enumerate() {
                let path = format!("allowedTopologies[{at}].matchLabelExpressions[{of}].key");
                let message = node_label(expression.text("/key"));
                warnings.extend(message.map(|message| format!("{path}: {message}")));
            }
        }
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("storageclasses.storage.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let or = |field: &str, value: &str| -> Value { object.field(field).as_str().unwrap_or(value).into() };
        vec![
            name_and_default(object, DEFAULT_ANNOTATIONS).into(),
            object.text("/provisioner").into(),
            or("reclaimPolicy", "Delete"),
            or("volumeBindingMode", "Immediate"),
            (object.field("allowVolumeExpansion").as_bool() == Some(true)).into(),
            age(object, now),
        ]
    }
}

/// The name, marked if one of the annotations says that the class is the default.
pub(super) fn name_and_default(object: &Value, annotations: &[&str]) -> String {
    let name = object.text("/metadata/name");
    let all = object.at("/metadata/annotations");
    let is_default = annotations
        .iter()
        .any(|key| all.field(key).as_str() == Some("true"));
    if is_default {
        format!("{name} (default)")
    } else {
        name.to_owned()
    }
}

/// The keys of a term with their values, in no order.
fn meaning(term: &Value) -> BTreeMap<&str, BTreeSet<&str>> {
    let expressions = term.items("/matchLabelExpressions").iter();
    expressions
        .map(|expression| {
            let values = expression.items("/values").iter().filter_map(Value::as_str);
            (expression.text("/key"), values.collect())
        })
        .collect()
}

fn topologies(errors: &mut Errors, path: &Path, terms: &[Value]) {
    for (at, term) in terms.iter().enumerate() {
        let path = path.index(at).child("matchLabelExpressions");
        let mut keys = Vec::new();
        for (at, expression) in term.items("/matchLabelExpressions").iter().enumerate() {
            let path = path.index(at);
            let (key, values) = (expression.text("/key"), expression.items("/values"));
            if values.is_empty() {
                errors.push(Error::required(&path.child("values"), ""));
            }
            for (at, value) in values.iter().enumerate() {
                if values.iter().take(at).any(|before| before == value) {
                    errors.push(Error::duplicate(&path.child("values").index(at), value.clone()));
                }
            }
            check::qualified_name(errors, &path.child("key"), key);
            if keys.contains(&key) {
                errors.push(Error::duplicate(&path.child("key"), key));
            }
            keys.push(key);
        }
        // Upstream starts from as many empty terms as there are terms.
        let empty = if keys.is_empty() { terms.len() } else { 0 };
        let before = terms
            .iter()
            .take(at)
            .filter(|before| meaning(before) == meaning(term));
        for _ in 0..before.count() + empty {
            errors.push(Error::duplicate(&path, ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(class: Value, expected: &[&str]) {
        let errors = StorageClass.validate(&class);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{class}");
    }

    #[test]
    fn what_a_class_must_say() {
        check(
            json!({"provisioner": "a/b", "volumeBindingMode": "Immediate"}),
            &[],
        );
        check(
            json!({"volumeBindingMode": "Immediate"}),
            &["provisioner: Required value"],
        );
        check(
            json!({"provisioner": "a/b", "reclaimPolicy": "Recycle", "volumeBindingMode": "Later"}),
            &[
                "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"",
                "volumeBindingMode: Unsupported value: \"Later\": supported values: \"Immediate\", \"WaitForFirstConsumer\"",
            ],
        );
    }

    #[test]
    fn a_class_does_not_change_what_it_makes() {
        let old = json!({"provisioner": "a/b", "reclaimPolicy": "Delete", "parameters": {"x": "1"}, "volumeBindingMode": "Immediate"});
        let new = json!({"provisioner": "a/c", "reclaimPolicy": "Retain", "parameters": {"x": "2"},
            "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true});
        let found: Vec<String> = StorageClass
            .validate_update(&new, &old)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "parameters: Invalid value: {\"x\":\"2\"}: field is immutable",
                "provisioner: Invalid value: \"a/c\": field is immutable",
                "reclaimPolicy: Invalid value: \"Retain\": field is immutable",
                "volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable",
            ]
        );
    }

    #[test]
    fn the_default_class_is_marked() {
        let class = json!({"metadata": {"name": "c", "annotations": {DEFAULT_ANNOTATIONS[0]: "true"}}});
        assert_eq!(name_and_default(&class, DEFAULT_ANNOTATIONS), "c (default)");
    }
}

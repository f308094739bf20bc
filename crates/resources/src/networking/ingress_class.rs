//! Ingress classes.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const CONTROLLER_MAX: usize = 250;

/// The strategy of ingress classes.
pub(crate) struct IngressClass;

impl Strategy for IngressClass {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, controller) = (Path::new("spec.controller"), object.text("/spec/controller"));
        if check::required(&mut errors, &path, controller) {
            if controller.len() > CONTROLLER_MAX {
                errors.push(Error::too_long(&path, CONTROLLER_MAX));
            }
            check::domain_prefixed_path(&mut errors, &path, controller);
        }
        let parameters = object.at("/spec/parameters");
        if !parameters.is_null() {
            parameters_reference(&mut errors, &Path::new("spec.parameters"), parameters);
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("spec.controller", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("ingressclasses.networking.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let parameters = object.at("/spec/parameters");
        let shown = if parameters.is_null() {
            "<none>".to_owned()
        } else {
            let group = parameters.field("apiGroup").as_str();
            let group = group.map(|group| format!(".{group}")).unwrap_or_default();
            format!("{}{group}/{}", parameters.text("/kind"), parameters.text("/name"))
        };
        vec![
            name(object),
            object.text("/spec/controller").into(),
            shown.into(),
            age(object, now),
        ]
    }
}

/// A reference to an object of any kind.
pub(super) fn typed_reference(errors: &mut Errors, path: &Path, reference: &Value) {
    if let Some(group) = reference.field("apiGroup").as_str() {
        check::dns_subdomain(errors, &path.child("apiGroup"), group);
    }
    for field in ["kind", "name"] {
        let (path, value) = (
            path.child(field),
            reference.field(field).as_str().unwrap_or_default(),
        );
        if check::required(errors, &path, value) {
            check::text(errors, &path, value, names::path_segment(value));
        }
    }
}

fn parameters_reference(errors: &mut Errors, path: &Path, reference: &Value) {
    typed_reference(errors, path, reference);
    let at = path.child("namespace");
    let namespace = reference.field("namespace").as_str();
    match (reference.text("/scope"), namespace) {
        ("Namespace", None) => errors.push(Error::required(&at, "`parameters.scope` is set to 'Namespace'")),
        ("Namespace", Some(namespace)) => check::dns_label(errors, &at, namespace),
        ("Cluster", None) => {}
        ("Cluster", Some(_)) => errors.push(Error::forbidden(&at, "`parameters.scope` is set to 'Cluster'")),
        _ => check::given_one_of(
            errors,
            &path.child("scope"),
            reference.field("scope"),
            &["Cluster", "Namespace"],
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(spec: Value, expected: &[&str]) {
        let errors = IngressClass.validate(&json!({"spec": spec}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{spec}");
    }

    #[test]
    fn controllers_and_parameters_are_checked() {
        check(json!({"controller": "a.b/c"}), &[]);
        check(json!({}), &["spec.controller: Required value"]);
        check(
            json!({"controller": "nginx"}),
            &[
                "spec.controller: Invalid value: \"nginx\": must be a domain-prefixed path (such as \"acme.io/foo\")",
            ],
        );
        check(
            json!({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}}),
            &["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
        );
        check(
            json!({"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Cluster", "namespace": "x"}}),
            &["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
        );
    }
}

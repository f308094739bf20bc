//! Bindings of admission policies.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::{Kind, rules};
use crate::check::{self, Errors};
use crate::table::{age, columns, name, selector_text};

/// The strategy of bindings of admission policies.
pub(crate) struct PolicyBinding(pub(super) Kind);

impl Strategy for PolicyBinding {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        let policy = spec.text("/policyName");
        if check::required(&mut errors, &path.child("policyName"), policy) {
            check::dns_subdomain(&mut errors, &path.child("policyName"), policy);
        }
        let reference = spec.field("paramRef");
        if !reference.is_null() {
            param_ref(&mut errors, &path.child("paramRef"), reference);
        }
        let resources = spec.field("matchResources");
        if !resources.is_null() {
            let path = path.child("matchResources");
            rules::match_resources(&mut errors, &path, resources);
            if self.0 == Kind::Mutating {
                rules::mutating_operations(&mut errors, &path, resources);
            }
        }
        if self.0 == Kind::Validating {
            actions(
                &mut errors,
                &path.child("validationActions"),
                spec.items("/validationActions"),
            );
        }
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        rules::static_name(new)
    }

    fn columns(&self) -> &'static [Column] {
        columns(match self.0 {
            Kind::Mutating => "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
            Kind::Validating => "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        })
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let reference = object.at("/spec/paramRef");
        let (own_name, namespace) = (reference.text("/name"), reference.text("/namespace"));
        let shown = match (own_name, namespace) {
            ("", _) if reference.field("selector").is_null() => "<unset>".to_owned(),
            ("", _) => selector_text(reference.field("selector")),
            (own_name, "") => own_name.to_owned(),
            (own_name, namespace) => format!("{namespace}/{own_name}"),
        };
        vec![
            name(object),
            object.text("/spec/policyName").into(),
            shown.into(),
            age(object, now),
        ]
    }
}

fn param_ref(errors: &mut Errors, path: &Path, reference: &Value) {
    let (own_name, selector) = (reference.text("/name"), reference.field("selector"));
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    let is_named = !own_name.is_empty();
    if is_named {
        let path = path.child("name");
        check::text(errors, &path, own_name, names::path_segment(own_name));
        if !selector.is_null() {
            errors.push(Error::forbidden(&path, EXCLUSIVE));
        }
    }
    if !selector.is_null() {
        let path = path.child("selector");
        check::label_selector(errors, &path, selector);
        if is_named {
            errors.push(Error::forbidden(&path, EXCLUSIVE));
        }
    }
    if !is_named && selector.is_null() {
        errors.push(Error::required(path, "one of name or selector must be specified"));
    }
    check::required_one_of(
        errors,
        &path.child("parameterNotFoundAction"),
        reference.text("/parameterNotFoundAction"),
        &["Deny", "Allow"],
    );
}

fn actions(errors: &mut Errors, path: &Path, actions: &[Value]) {
    let mut seen = Vec::new();
    for (at, action) in actions.iter().enumerate() {
        let (path, action) = (path.index(at), action.as_str().unwrap_or_default());
        check::one_of(errors, &path, action, &["Audit", "Deny", "Warn"]);
        if seen.contains(&action) {
            errors.push(Error::duplicate(&path, action));
        }
        seen.push(action);
    }
    if seen.contains(&"Deny") && seen.contains(&"Warn") {
        errors.push(Error::invalid(
            path,
            actions.to_vec(),
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
        ));
    }
    if seen.is_empty() {
        errors.push(Error::required(
            path,
            "at least one validation action is required",
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_binding_names_a_policy_and_what_follows() {
        let strategy = PolicyBinding(Kind::Validating);
        let binding = json!({"spec": {"policyName": "p", "validationActions": ["Deny"]}});
        assert!(strategy.validate(&binding).is_empty());
        let errors = strategy.validate(&json!({"spec": {"paramRef": {"parameterNotFoundAction": "Deny"}, "validationActions": ["Deny", "Deny"]}}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.policyName: Required value",
                "spec.paramRef: Required value: one of name or selector must be specified",
                "spec.validationActions[1]: Duplicate value: \"Deny\"",
            ]
        );
    }
}

//! Validating and mutating admission policies.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_cel::{
    AdmissionVariables, Type, admission_environment, admission_program, apply_configuration_type,
    is_reserved, json_patch_type, mutation_environment,
};
use warren_registry::strategy::{Column, Strategy, Traits};

use super::{Kind, rules};
use crate::check::{self, Errors};
use crate::conditions;
use crate::go_literal::go_literal;
use crate::table::{age, columns, name};

const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge"];
const ANNOTATIONS_MAX: usize = 20;
const NOTHING_TO_DO: &str = "validations or auditAnnotations must contain at least one item";

/// The strategy of admission policies.
pub(crate) struct AdmissionPolicy(pub(super) Kind);

impl Strategy for AdmissionPolicy {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: self.0 == Kind::Validating,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        if self.0 == Kind::Validating {
            object.set("/status", Map::new());
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        self.check(object, None)
    }

    fn validate_replacement(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.check(new, Some(old))
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let path = Path::new("status");
        let warnings = path.child("typeChecking").child("expressionWarnings");
        let mut errors = Errors::new();
        for (at, warning) in new
            .items("/status/typeChecking/expressionWarnings")
            .iter()
            .enumerate()
        {
            for field in ["warning", "fieldRef"] {
                let text = warning.field(field).as_str().unwrap_or_default().trim();
                check::required(&mut errors, &warnings.index(at).child(field), text);
            }
        }
        errors.extend(conditions::check(
            &path.child("conditions"),
            new.items("/status/conditions"),
        ));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        rules::static_name(new)
    }

    fn columns(&self) -> &'static [Column] {
        columns(match self.0 {
            Kind::Mutating => "mutatingadmissionpolicies.admissionregistration.k8s.io",
            Kind::Validating => "validatingadmissionpolicies.admissionregistration.k8s.io",
        })
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let kind = object.at("/spec/paramKind");
        let shown = if kind.is_null() {
            "<unset>".to_owned()
        } else {
            format!("{}/{}", kind.text("/apiVersion"), kind.text("/kind"))
        };
        let list = match self.0 {
            Kind::Mutating => "/spec/mutations",
            Kind::Validating => "/spec/validations",
        };
        vec![
            name(object),
            object.items(list).len().into(),
            shown.into(),
            age(object, now),
        ]
    }
}

impl AdmissionPolicy {
    /// Match conditions that did not change are not looked at again.
    fn check(&self, object: &Value, old: Option<&Value>) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        check::one_of(
            &mut errors,
            &path.child("failurePolicy"),
            spec.text("/failurePolicy"),
            rules::FAILURE_POLICIES,
        );
        let kind = spec.field("paramKind");
        if !kind.is_null() {
            rules::param_kind(&mut errors, &path.child("paramKind"), kind);
        }
        let (constraints_path, constraints) =
            (path.child("matchConstraints"), spec.field("matchConstraints"));
        if constraints.is_null() {
            errors.push(Error::required(&constraints_path, ""));
        } else {
            rules::match_resources(&mut errors, &constraints_path, constraints);
            if constraints.items("/resourceRules").is_empty() {
                errors.push(Error::required(&constraints_path.child("resourceRules"), ""));
            }
            if self.0 == Kind::Mutating {
                rules::mutating_operations(&mut errors, &constraints_path, constraints);
            }
        }
        let mut scope = Scope::of(!kind.is_null());
        let same = |field: &str| old.is_some_and(|old| old.field("spec").field(field) == spec.field(field));
        if !(same("paramKind") && same("matchConditions")) {
            rules::match_conditions(
                &mut errors,
                &path.child("matchConditions"),
                spec.items("/matchConditions"),
                scope.has,
            );
        }
        for (at, variable) in spec.items("/variables").iter().enumerate() {
            self::variable(
                &mut errors,
                &path.child("variables").index(at),
                variable,
                &mut scope,
            );
        }
        match self.0 {
            Kind::Validating => validations(&mut errors, &path, spec, object.text("/metadata/name"), &scope),
            Kind::Mutating => mutations(&mut errors, &path, spec, &scope),
        }
        errors
    }
}

/// What a policy's expressions may refer to.
struct Scope {
    has: AdmissionVariables,
    /// The variables defined so far, with their types.
    variables: Vec<(String, Type)>,
}

impl Scope {
    fn of(params: bool) -> Self {
        Self {
            has: AdmissionVariables {
                params,
                authorizer: true,
            },
            variables: Vec::new(),
        }
    }

    /// Checks an expression and tells the type of its value.
    fn compile(&self, errors: &mut Errors, path: &Path, source: &str, wanted: &[Type]) -> Type {
        let environment = admission_environment(self.has, Some(&self.variables));
        match admission_program(&environment, source, wanted) {
            Ok(program) => program.result_type().clone(),
            Err(why) => {
                errors.push(Error::invalid(path, source, why));
                Type::Dyn
            }
        }
    }

    fn compile_message(&self, errors: &mut Errors, path: &Path, source: &str) {
        let has = AdmissionVariables {
            authorizer: false,
            ..self.has
        };
        let environment = admission_environment(has, Some(&self.variables));
        if let Err(why) = admission_program(&environment, source, &[Type::String]) {
            errors.push(Error::invalid(path, source, why));
        }
    }
}

fn expression(errors: &mut Errors, path: &Path, text: &str) {
    if text.trim().is_empty() {
        errors.push(Error::required(path, "expression is not specified"));
    }
}

fn variable(errors: &mut Errors, path: &Path, variable: &Value, scope: &mut Scope) {
    let own_name = variable.text("/name");
    if own_name.trim().is_empty() {
        errors.push(Error::required(&path.child("name"), "name is not specified"));
    } else if !names::c_identifier(own_name).is_empty() || is_reserved(own_name) {
        errors.push(Error::invalid(
            &path.child("name"),
            own_name,
            "must be a valid CEL identifier",
        ));
    }
    let source = variable.text("/expression");
    expression(errors, &path.child("expression"), source);
    if source.trim().is_empty() {
        return;
    }
    let kind = scope.compile(errors, &path.child("expression"), source, &[]);
    scope.variables.push((own_name.to_owned(), kind));
}

fn validations(errors: &mut Errors, path: &Path, spec: &Value, policy: &str, scope: &Scope) {
    let (list, annotations) = (spec.items("/validations"), spec.items("/auditAnnotations"));
    if list.is_empty() && annotations.is_empty() {
        for field in ["validations", "auditAnnotations"] {
            errors.push(Error::required(&path.child(field), NOTHING_TO_DO));
        }
    }
    for (at, value) in list.iter().enumerate() {
        validation(errors, &path.child("validations").index(at), value, scope);
    }
    let path = path.child("auditAnnotations");
    if annotations.len() > ANNOTATIONS_MAX {
        let all = spec.field("auditAnnotations");
        let why = format!("must not have more than {ANNOTATIONS_MAX} auditAnnotations");
        let shown = go_literal("[]AuditAnnotation", all);
        errors.push(Error::invalid(&path, all.clone(), why).shown_as(shown));
    }
    let mut seen = Vec::new();
    for (at, annotation) in annotations.iter().enumerate() {
        let (path, key) = (path.index(at), annotation.text("/key"));
        let key_path = path.child("key");
        if policy.is_empty() {
            errors.push(Error::invalid(
                &key_path,
                key,
                "requires metadata.name be non-empty",
            ));
        } else {
            check::qualified_name(errors, &key_path, &format!("{policy}/{key}"));
        }
        if annotation.text("/valueExpression").trim().is_empty() {
            errors.push(Error::required(
                &path.child("valueExpression"),
                "valueExpression is not specified",
            ));
        } else {
            let wanted = [Type::String, Type::Null];
            scope.compile(
                errors,
                &path.child("valueExpression"),
                annotation.text("/valueExpression"),
                &wanted,
            );
        }
        if seen.contains(&key) {
            errors.push(Error::duplicate(&path.child("key"), key));
        }
        seen.push(key);
    }
}

fn validation(errors: &mut Errors, path: &Path, validation: &Value, scope: &Scope) {
    let source = validation.text("/expression");
    expression(errors, &path.child("expression"), source);
    if !source.trim().is_empty() {
        scope.compile(errors, &path.child("expression"), source, &[Type::Bool]);
    }
    let of_message = validation.text("/messageExpression");
    if !of_message.is_empty() && of_message.trim().is_empty() {
        errors.push(Error::invalid(
            &path.child("messageExpression"),
            of_message,
            "must be non-empty if specified",
        ));
    } else if !of_message.is_empty() {
        scope.compile_message(errors, &path.child("messageExpression"), of_message);
    }
    let (message_path, message) = (path.child("message"), validation.text("/message"));
    if !message.is_empty() && message.trim().is_empty() {
        errors.push(Error::invalid(
            &message_path,
            message,
            "must be non-empty if specified",
        ));
    } else if message.trim().contains(['\n', '\r']) {
        errors.push(Error::invalid(
            &message_path,
            message,
            "must not contain line breaks",
        ));
    }
    rules::optional_one_of(errors, &path.child("reason"), validation.field("reason"), REASONS);
}

fn mutations(errors: &mut Errors, path: &Path, spec: &Value, scope: &Scope) {
    let (list_path, list) = (path.child("mutations"), spec.items("/mutations"));
    if list.is_empty() {
        errors.push(Error::required(
            &list_path,
            "mutations must contain at least one item",
        ));
    }
    for (at, value) in list.iter().enumerate() {
        mutation(errors, &list_path.index(at), value, scope);
    }
    check::required_one_of(
        errors,
        &path.child("reinvocationPolicy"),
        spec.text("/reinvocationPolicy"),
        &["IfNeeded", "Never"],
    );
}

fn mutation(errors: &mut Errors, path: &Path, mutation: &Value, scope: &Scope) {
    let kind = mutation.text("/patchType");
    check::required_one_of(
        errors,
        &path.child("patchType"),
        kind,
        &["ApplyConfiguration", "JSONPatch"],
    );
    let (field, other, wanted) = match kind {
        "ApplyConfiguration" => ("applyConfiguration", "jsonPatch", apply_configuration_type()),
        "JSONPatch" => ("jsonPatch", "applyConfiguration", json_patch_type()),
        _ => return,
    };
    if mutation.field(field).is_null() {
        errors.push(Error::required(
            &path.child(field),
            format!("must be specified when patchType is {kind}"),
        ));
    } else {
        let source = mutation.field(field).text("/expression").trim();
        let path = path.child(field).child("expression");
        if check::required(errors, &path, source) {
            let environment = mutation_environment(scope.has, &scope.variables);
            if let Err(why) = admission_program(&environment, source, &[wanted]) {
                errors.push(Error::invalid(&path, source, why));
            }
        }
    }
    if !mutation.field(other).is_null() {
        errors.push(Error::invalid(
            &path.child(other),
            format!("{{{other}}}"),
            format!("must not be specified when patchType is {kind}"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(kind: Kind, pointer: &str, value: Value, expected: &[&str]) {
        let rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]});
        let mut policy = json!({"metadata": {"name": "p"}, "spec": {"failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Exact", "namespaceSelector": {}, "objectSelector": {}, "resourceRules": [rule]}}});
        policy.set(pointer, value);
        let errors = AdmissionPolicy(kind).validate(&policy);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{pointer}");
    }

    #[test]
    fn a_policy_needs_something_to_do() {
        check(
            Kind::Validating,
            "/spec/validations",
            json!([{"expression": "true"}]),
            &[],
        );
        check(
            Kind::Validating,
            "/spec/validations",
            json!([]),
            &[
                "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
                "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
            ],
        );
        check(
            Kind::Validating,
            "/spec/validations",
            json!([{"message": "a\nb", "reason": "No"}]),
            &[
                "spec.validations[0].expression: Required value: expression is not specified",
                "spec.validations[0].message: Invalid value: \"a\\nb\": must not contain line breaks",
                "spec.validations[0].reason: Unsupported value: \"No\": supported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\"",
            ],
        );
        check(
            Kind::Mutating,
            "/spec/reinvocationPolicy",
            "Never".into(),
            &["spec.mutations: Required value: mutations must contain at least one item"],
        );
    }
}

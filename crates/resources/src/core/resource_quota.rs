//! Resource quotas.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::pod_template::{is_standard, quantity_value, resource_name};
use crate::table::{age, columns, name};

const SCOPES: &[&str] = &[
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];
/// The strategy of resource quotas; that they hold is admission's.
pub(crate) struct ResourceQuota;

impl Strategy for ResourceQuota {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("spec");
        amounts(&mut errors, &path.child("hard"), object.at("/spec/hard"));
        scopes(&mut errors, &path.child("scopes"), object.field("spec"));
        let selector = path.child("scopeSelector.matchExpressions");
        scope_selector(&mut errors, &selector, object.field("spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let scopes = |quota: &Value| -> BTreeSet<String> {
            let scopes = quota.items("/spec/scopes").iter().filter_map(Value::as_str);
            scopes.map(str::to_owned).collect()
        };
        if scopes(new) == scopes(old) {
            return Vec::new();
        }
        vec![Error::invalid(
            &Path::new("spec.scopes"),
            new.at("/spec/scopes").clone(),
            check::IMMUTABLE,
        )]
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("status");
        for list in ["hard", "used"] {
            amounts(&mut errors, &path.child(list), new.field("status").field(list));
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("resourcequotas")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in object.at("/status/hard").as_object().into_iter().flatten() {
            let used = object.at("/status/used").field(resource).as_str().unwrap_or("0");
            let text = format!("{resource}: {used}/{}", hard.as_str().unwrap_or_default());
            if resource.starts_with("limits") {
                limits.push(text);
            } else {
                requests.push(text);
            }
        }
        vec![
            name(object),
            requests.join(", ").into(),
            limits.join(", ").into(),
            age(object, now),
        ]
    }
}

fn amounts(errors: &mut Errors, path: &Path, amounts: &Value) {
    for (resource, amount) in amounts.as_object().into_iter().flatten() {
        let path = path.key(resource);
        resource_name(errors, &path, resource);
        let is_huge = resource.starts_with("hugepages-") || resource.starts_with("requests.hugepages-");
        if !resource.contains('/') && !is_countable(resource) && !is_huge {
            errors.push(Error::invalid(
                &path,
                resource.as_str(),
                "must be a standard resource for quota",
            ));
        }
        quantity_value(errors, &path, resource, amount);
    }
}

/// Whether a quota may hold this unprefixed name: capacity of storage is asked for, not counted.
fn is_countable(resource: &str) -> bool {
    is_standard(resource) && resource != "storage"
}

/// Whether a scope says anything about a resource.
fn applies(scope: &str, resource: &str) -> bool {
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        other if !SCOPES.contains(&other) => true,
        _ => matches!(
            resource,
            "pods"
                | "cpu"
                | "memory"
                | "ephemeral-storage"
                | "requests.cpu"
                | "requests.memory"
                | "requests.ephemeral-storage"
                | "limits.cpu"
                | "limits.memory"
                | "limits.ephemeral-storage"
        ),
    }
}

fn scopes(errors: &mut Errors, path: &Path, spec: &Value) {
    let given = spec.items("/scopes");
    let texts: Vec<&str> = given.iter().filter_map(Value::as_str).collect();
    let mut wrong = |problem: &str| errors.push(Error::invalid(path, given.to_vec(), problem));
    for scope in &texts {
        if !SCOPES.contains(scope) {
            wrong("unsupported scope");
        }
        for resource in spec
            .field("hard")
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            if is_countable(resource) && !applies(scope, resource) {
                wrong("unsupported scope applied to resource");
            }
        }
    }
    if conflict(&texts) {
        wrong("conflicting scopes");
    }
}

fn conflict(scopes: &[&str]) -> bool {
    [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")]
        .iter()
        .any(|(a, b)| scopes.contains(a) && scopes.contains(b))
}

/// A scope selector as Go prints the struct.
fn selector_as_go(selector: &Value) -> String {
    let requirement = |requirement: &Value| {
        let field = |name: &str| Value::from(requirement.text(name));
        let (scope, operator) = (field("/scopeName"), field("/operator"));
        let values = requirement.field("values");
        format!(r#"{{"ScopeName":{scope},"Operator":{operator},"Values":{values}}}"#)
    };
    let requirements: Vec<String> = selector
        .items("/matchExpressions")
        .iter()
        .map(requirement)
        .collect();
    format!(r#"{{"MatchExpressions":[{}]}}"#, requirements.join(","))
}

fn scope_selector(errors: &mut Errors, path: &Path, spec: &Value) {
    let mut seen = Vec::new();
    for requirement in spec.items("/scopeSelector/matchExpressions") {
        let (scope, operator) = (requirement.text("/scopeName"), requirement.text("/operator"));
        if !SCOPES.contains(&scope) {
            errors.push(Error::invalid(
                &path.child("scopeName"),
                scope,
                "unsupported scope",
            ));
        }
        for (resource, _) in spec.field("hard").as_object().into_iter().flatten() {
            if is_countable(resource) && !applies(scope, resource) {
                let selector = spec.field("scopeSelector");
                errors.push(
                    Error::invalid(path, Value::Null, "unsupported scope applied to resource")
                        .shown_as(selector_as_go(selector)),
                );
            }
        }
        let by_value = !SCOPES.contains(&scope) || matches!(scope, "PriorityClass" | "VolumeAttributesClass");
        if !by_value && operator != "Exists" {
            errors.push(Error::invalid(
                &path.child("operator"),
                operator,
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
            ));
        }
        let values = requirement.items("/values");
        match operator {
            "In" | "NotIn" if values.is_empty() => errors.push(Error::required(
                &path.child("values"),
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(Error::invalid(
                &path.child("values"),
                values.to_vec(),
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(Error::invalid(
                &path.child("operator"),
                other,
                "not a valid selector operator",
            )),
        }
        seen.push(scope);
    }
    if conflict(&seen) {
        errors.push(Error::invalid(
            path,
            spec.field("scopes").clone(),
            "conflicting scopes",
        ));
    }
}

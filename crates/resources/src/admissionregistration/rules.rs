//! To which requests a webhook or a policy applies.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_cel::{AdmissionVariables, Type, admission_environment, admission_program};

use crate::check::{self, Errors};

const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
const CONDITIONS_MAX: usize = 64;
/// `failurePolicy`.
pub(super) const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
/// `matchPolicy`.
pub(super) const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];

fn texts(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item.as_str().unwrap_or_default())
        .collect()
}

/// A field that, when there, is one of `supported`.
pub(super) fn optional_one_of(errors: &mut Errors, path: &Path, value: &Value, supported: &[&str]) {
    if let Some(text) = value.as_str() {
        check::one_of(errors, path, text, supported);
    }
}

/// A rule with operations.
pub(super) fn rule(errors: &mut Errors, path: &Path, rule: &Value) {
    let operations = rule.items("/operations");
    wildcard_alone(errors, &path.child("operations"), operations, "operations");
    for (at, operation) in texts(operations).into_iter().enumerate() {
        check::one_of(errors, &path.child("operations").index(at), operation, OPERATIONS);
    }
    let groups = rule.items("/apiGroups");
    wildcard_alone(errors, &path.child("apiGroups"), groups, "API groups");
    let (versions_path, versions) = (path.child("apiVersions"), rule.items("/apiVersions"));
    wildcard_alone(errors, &versions_path, versions, "API versions");
    for (at, version) in texts(versions).into_iter().enumerate() {
        check::required(errors, &versions_path.index(at), version);
    }
    resources(errors, &path.child("resources"), rule.items("/resources"));
    optional_one_of(errors, &path.child("scope"), rule.field("scope"), SCOPES);
}

fn wildcard_alone(errors: &mut Errors, path: &Path, items: &[Value], what: &str) {
    if items.is_empty() {
        errors.push(Error::required(path, ""));
    }
    if items.len() > 1 && texts(items).contains(&"*") {
        errors.push(Error::invalid(
            path,
            items.to_vec(),
            format!("if '*' is present, must not specify other {what}"),
        ));
    }
}

fn resources(errors: &mut Errors, path: &Path, items: &[Value]) {
    if items.is_empty() {
        errors.push(Error::required(path, ""));
    }
    let (mut all_parts_of, mut part_of_all) = (HashSet::new(), HashSet::new());
    let mut without_parts = false;
    let all = texts(items);
    for (at, item) in all.iter().enumerate() {
        if !check::required(errors, &path.index(at), item) {
            continue;
        }
        let Some((resource, part)) = item.split_once('/') else {
            without_parts = *item != "*";
            continue;
        };
        if all_parts_of.contains(resource) {
            let why = format!("if '{resource}/*' is present, must not specify {item}");
            errors.push(Error::invalid(&path.index(at), *item, why));
        }
        if part_of_all.contains(part) {
            let why = format!("if '*/{part}' is present, must not specify {item}");
            errors.push(Error::invalid(&path.index(at), *item, why));
        }
        if part == "*" {
            all_parts_of.insert(resource);
        }
        if resource == "*" {
            part_of_all.insert(part);
        }
    }
    if items.len() > 1 && all.contains(&"*/*") {
        errors.push(Error::invalid(
            path,
            items.to_vec(),
            "if '*/*' is present, must not specify other resources",
        ));
    }
    if all.contains(&"*") && without_parts {
        errors.push(Error::invalid(
            path,
            items.to_vec(),
            "if '*' is present, must not specify other resources without subresources",
        ));
    }
}

/// `matchConstraints` of a policy, `matchResources` of a binding.
pub(super) fn match_resources(errors: &mut Errors, path: &Path, value: &Value) {
    check::required_one_of(
        errors,
        &path.child("matchPolicy"),
        value.text("/matchPolicy"),
        MATCH_POLICIES,
    );
    for field in ["namespaceSelector", "objectSelector"] {
        let (path, selector) = (path.child(field), value.field(field));
        if selector.is_null() {
            errors.push(Error::required(&path, ""));
        } else {
            check::label_selector(errors, &path, selector);
        }
    }
    for field in ["resourceRules", "excludeResourceRules"] {
        for (at, named) in value.items(&format!("/{field}")).iter().enumerate() {
            named_rule(errors, &path.child(field).index(at), named);
        }
    }
}

/// What changes objects can't concern deletions, which have none.
pub(super) fn mutating_operations(errors: &mut Errors, path: &Path, value: &Value) {
    let path = path.child("resourceRules").child("operations");
    for rule in value.items("/resourceRules") {
        for operation in texts(rule.items("/operations")) {
            check::one_of(errors, &path, operation, &["*", "CONNECT", "CREATE", "UPDATE"]);
        }
    }
}

/// The warning that goes with a name which upstream keeps for what is configured by files.
pub(super) fn static_name(object: &Value) -> Vec<String> {
    const SUFFIX: &str = ".static.k8s.io";
    let warning = || {
        format!(
            "metadata.name: names ending with {SUFFIX:?} are reserved for static manifest-based configurations and cannot be managed via the API"
        )
    };
    let is_static = object.text("/metadata/name").ends_with(SUFFIX);
    is_static.then(warning).into_iter().collect()
}

fn named_rule(errors: &mut Errors, path: &Path, named: &Value) {
    let mut seen = HashSet::new();
    for (at, name) in texts(named.items("/resourceNames")).into_iter().enumerate() {
        let path = path.child("resourceNames").index(at);
        check::text(errors, &path, name, names::path_segment(name));
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path, name));
        }
    }
    rule(errors, path, named);
}

/// `matchConditions`.
pub(super) fn match_conditions(
    errors: &mut Errors,
    path: &Path,
    conditions: &[Value],
    has: AdmissionVariables,
) {
    if conditions.len() > CONDITIONS_MAX {
        errors.push(Error::too_many(path, conditions.len(), CONDITIONS_MAX));
    }
    let mut seen = HashSet::new();
    for (at, condition) in conditions.iter().enumerate() {
        let path = path.index(at);
        let (at, source) = (path.child("expression"), condition.text("/expression").trim());
        if check::required(errors, &at, source) {
            let environment = admission_environment(has, None);
            if let Err(why) = admission_program(&environment, source, &[Type::Bool]) {
                errors.push(Error::invalid(&at, source, why));
            }
        }
        let (path, name) = (path.child("name"), condition.text("/name"));
        if check::required(errors, &path, name) {
            check::qualified_name(errors, &path, name);
            if !seen.insert(name) {
                errors.push(Error::duplicate(&path, name));
            }
        }
    }
}

/// `paramKind`.
pub(super) fn param_kind(errors: &mut Errors, path: &Path, kind: &Value) {
    let (at, version) = (path.child("apiVersion"), kind.text("/apiVersion"));
    if check::required(errors, &at, version) {
        let (group, name) = version.rsplit_once('/').unwrap_or(("", version));
        if group.contains('/') {
            errors.push(Error::invalid(
                &at,
                version,
                format!("unexpected GroupVersion string: {version}"),
            ));
        } else {
            let wrong = names::dns1123_subdomain(group);
            if !group.is_empty() && !wrong.is_empty() {
                errors.push(Error::invalid(&at, group, wrong.join(",")));
            }
            let wrong = names::dns1035_label(name);
            if name.is_empty() {
                errors.push(Error::invalid(&at, version, "version must be specified"));
            } else if !wrong.is_empty() {
                errors.push(Error::invalid(&at, name, wrong.join(",")));
            }
        }
    }
    let (path, kind) = (path.child("kind"), kind.text("/kind"));
    if check::required(errors, &path, kind) {
        let wrong = names::dns1035_label(&kind.to_lowercase());
        if !wrong.is_empty() {
            errors.push(Error::invalid(
                &path,
                kind,
                format!(
                    "may have mixed case, but should otherwise match: {}",
                    wrong.join(",")
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value, expected: &[&str]) {
        let mut errors = Errors::new();
        rule(&mut errors, &Path::new("r"), &value);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn wildcards_stand_alone() {
        check(
            json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods", "pods/status"]}),
            &[],
        );
        check(
            json!({}),
            &[
                "r.operations: Required value",
                "r.apiGroups: Required value",
                "r.apiVersions: Required value",
                "r.resources: Required value",
            ],
        );
        check(
            json!({"operations": ["*", "CREATE"], "apiGroups": ["*"], "apiVersions": ["*", "v1"], "resources": ["*/*", "pods"], "scope": "All"}),
            &[
                "r.operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations",
                "r.apiVersions: Invalid value: [\"*\",\"v1\"]: if '*' is present, must not specify other API versions",
                "r.resources: Invalid value: [\"*/*\",\"pods\"]: if '*/*' is present, must not specify other resources",
                "r.scope: Unsupported value: \"All\": supported values: \"*\", \"Cluster\", \"Namespaced\"",
            ],
        );
        check(
            json!({"operations": ["READ"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["pods/*", "pods/log"]}),
            &[
                "r.operations[0]: Unsupported value: \"READ\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
                "r.resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log",
            ],
        );
    }
}

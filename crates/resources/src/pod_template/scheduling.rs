//! Where a pod may run: affinity, tolerations, taints, spread.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::go_literal::go_literal;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
const POSITIVE: &str = "must be greater than zero";

/// Whether values of labels in node selector terms are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    Checked,
    Free,
}

/// Checks `affinity`.
pub(super) fn affinity(errors: &mut Errors, path: &Path, affinity: &Value) {
    let (node, node_path) = (affinity.field("nodeAffinity"), path.child("nodeAffinity"));
    if !node.field(REQUIRED).is_null() {
        node_selector(errors, &node_path.child(REQUIRED), node.field(REQUIRED));
    }
    let preferred = node_path.child(PREFERRED);
    for (at, term) in list(node, PREFERRED).iter().enumerate() {
        let at = preferred.index(at);
        weight(errors, &at, term);
        let preference = term.field("preference");
        node_term(errors, &at.child("preference"), preference, Values::Free);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let (terms, path) = (affinity.field(kind), path.child(kind));
        for (at, term) in list(terms, REQUIRED).iter().enumerate() {
            pod_term(errors, &path.child(REQUIRED).index(at), term);
        }
        for (at, term) in list(terms, PREFERRED).iter().enumerate() {
            let at = path.child(PREFERRED).index(at);
            weight(errors, &at, term);
            pod_term(
                errors,
                &at.child("podAffinityTerm"),
                term.field("podAffinityTerm"),
            );
        }
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .field(field)
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn weight(errors: &mut Errors, path: &Path, term: &Value) {
    let weight = term.int("/weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        errors.push(Error::invalid(
            &path.child("weight"),
            weight,
            "must be in the range 1-100",
        ));
    }
}

/// Checks a `NodeSelector`, as in a pod's affinity or a volume's.
pub(crate) fn node_selector(errors: &mut Errors, path: &Path, selector: &Value) {
    let terms_path = path.child("nodeSelectorTerms");
    let terms = selector.items("/nodeSelectorTerms");
    if terms.is_empty() {
        errors.push(Error::required(
            &terms_path,
            "must have at least one node selector term",
        ));
    }
    for (at, term) in terms.iter().enumerate() {
        node_term(errors, &terms_path.index(at), term, Values::Checked);
    }
}

fn node_term(errors: &mut Errors, path: &Path, term: &Value, values: Values) {
    for (at, requirement) in term.items("/matchExpressions").iter().enumerate() {
        let at = path.child("matchExpressions").index(at);
        node_requirement(errors, &at, requirement, values);
    }
    for (at, requirement) in term.items("/matchFields").iter().enumerate() {
        let at = path.child("matchFields").index(at);
        node_field(errors, &at, requirement);
    }
}

fn node_requirement(errors: &mut Errors, path: &Path, requirement: &Value, rule: Values) {
    let values = requirement.items("/values");
    let values_path = path.child("values");
    match requirement.text("/operator") {
        "In" | "NotIn" if values.is_empty() => errors.push(Error::required(
            &values_path,
            "must be specified when `operator` is 'In' or 'NotIn'",
        )),
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(Error::forbidden(
            &values_path,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        )),
        "Gt" | "Lt" if values.len() != 1 => errors.push(Error::required(
            &values_path,
            "must be specified single value when `operator` is 'Lt' or 'Gt'",
        )),
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.push(Error::invalid(
            &path.child("operator"),
            other,
            "not a valid selector operator",
        )),
    }
    check::qualified_name(errors, &path.child("key"), requirement.text("/key"));
    if rule == Values::Checked {
        for (at, value) in values.iter().enumerate() {
            let value = value.as_str().unwrap_or_default();
            check::text(errors, &values_path.index(at), value, name::label_value(value));
        }
    }
}

fn node_field(errors: &mut Errors, path: &Path, requirement: &Value) {
    let values = requirement.items("/values");
    match requirement.text("/operator") {
        "In" | "NotIn" if values.len() != 1 => errors.push(Error::required(
            &path.child("values"),
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
        )),
        "In" | "NotIn" => {}
        other => errors.push(Error::invalid(
            &path.child("operator"),
            other,
            "not a valid selector operator",
        )),
    }
    let key = requirement.text("/key");
    if key != "metadata.name" {
        errors.push(Error::invalid(
            &path.child("key"),
            key,
            "not a valid field selector key",
        ));
        return;
    }
    for (at, value) in values.iter().enumerate() {
        let at = path.child("values").index(at);
        check::dns_subdomain(errors, &at, value.as_str().unwrap_or_default());
    }
}

fn pod_term(errors: &mut Errors, path: &Path, term: &Value) {
    let selector = term.field("labelSelector");
    check::label_selector(errors, &path.child("labelSelector"), selector);
    check::label_selector(
        errors,
        &path.child("namespaceSelector"),
        term.field("namespaceSelector"),
    );
    for namespace in term.items("/namespaces") {
        check::dns_label(
            errors,
            &path.child("namespace"),
            namespace.as_str().unwrap_or_default(),
        );
    }
    let matching = texts(term, "/matchLabelKeys");
    let mismatching = texts(term, "/mismatchLabelKeys");
    label_keys(errors, &path.child("matchLabelKeys"), &matching, selector);
    label_keys(errors, &path.child("mismatchLabelKeys"), &mismatching, selector);
    merged_keys(errors, path, &matching, selector);
    for (at, key) in matching.iter().enumerate() {
        if mismatching.contains(key) {
            errors.push(Error::invalid(
                &path.child("matchLabelKeys").index(at),
                *key,
                "exists in both matchLabelKeys and mismatchLabelKeys",
            ));
        }
    }
    let key = term.text("/topologyKey");
    if key.is_empty() {
        errors.push(Error::required(&path.child("topologyKey"), "can not be empty"));
    }
    check::qualified_name(errors, &path.child("topologyKey"), key);
}

fn texts<'a>(value: &'a Value, pointer: &str) -> Vec<&'a str> {
    value.items(pointer).iter().filter_map(Value::as_str).collect()
}

fn label_keys(errors: &mut Errors, path: &Path, keys: &[&str], selector: &Value) {
    if keys.is_empty() {
        return;
    }
    if selector.is_null() {
        errors.push(Error::forbidden(
            path,
            "must not be specified when labelSelector is not set",
        ));
        return;
    }
    for (at, key) in keys.iter().enumerate() {
        check::qualified_name(errors, &path.index(at), key);
    }
}

/// Checks tolerations.
pub(crate) fn tolerations(errors: &mut Errors, path: &Path, tolerations: &[Value]) {
    for (at, toleration) in tolerations.iter().enumerate() {
        let at = path.index(at);
        let (key, operator) = (toleration.text("/key"), toleration.text("/operator"));
        let (value, effect) = (toleration.text("/value"), toleration.text("/effect"));
        if !key.is_empty() {
            check::qualified_name(errors, &at.child("key"), key);
        } else if operator != "Exists" {
            errors.push(Error::invalid(
                &at.child("operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            ));
        }
        if !toleration.field("tolerationSeconds").is_null() && effect != "NoExecute" {
            errors.push(Error::invalid(
                &at.child("effect"),
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            ));
        }
        match operator {
            "Equal" | "" => {
                let wrong = name::label_value(value);
                if !wrong.is_empty() {
                    errors.push(Error::invalid(&at.child("operator"), value, wrong.join(";")));
                }
            }
            // Comparisons wait for a feature that is off by default.
            "Lt" | "Gt" => errors.push(Error::not_supported(
                &at.child("operator"),
                operator,
                &["Equal", "Exists", "Lt", "Gt"],
            )),
            "Exists" if value.is_empty() => {}
            "Exists" => errors.push(Error::invalid(
                &at.child("operator"),
                value,
                "value must be empty when `operator` is 'Exists'",
            )),
            other => errors.push(Error::not_supported(
                &at.child("operator"),
                other,
                &["Equal", "Exists"],
            )),
        }
        if !effect.is_empty() {
            check::one_of(errors, &at.child("effect"), effect, EFFECTS);
        }
    }
}

/// Checks the taints of a node.
pub(crate) fn taints(errors: &mut Errors, path: &Path, taints: &[Value]) {
    let mut seen = HashSet::new();
    for (at, taint) in taints.iter().enumerate() {
        let at = path.index(at);
        let (key, value, effect) = (taint.text("/key"), taint.text("/value"), taint.text("/effect"));
        check::qualified_name(errors, &at.child("key"), key);
        let wrong = name::label_value(value);
        if !wrong.is_empty() {
            errors.push(Error::invalid(&at.child("value"), value, wrong.join(";")));
        }
        check::required_one_of(errors, &at.child("effect"), effect, EFFECTS);
        if !seen.insert((key, effect)) {
            let mut error = Error::duplicate(&at, Value::Null).shown_as(go_literal("Taint", taint));
            "taints must be unique by key and effect pair".clone_into(&mut error.detail);
            errors.push(error);
        }
    }
}

/// Checks `topologySpreadConstraints`.
pub(super) fn spread(errors: &mut Errors, path: &Path, constraints: &[Value]) {
    for (at, constraint) in constraints.iter().enumerate() {
        let path = path.index(at);
        let skew = constraint.int("/maxSkew").unwrap_or_default();
        if skew <= 0 {
            errors.push(Error::invalid(&path.child("maxSkew"), skew, POSITIVE));
        }
        let key = constraint.text("/topologyKey");
        if key.is_empty() {
            errors.push(Error::required(&path.child("topologyKey"), "can not be empty"));
        }
        let action = constraint.text("/whenUnsatisfiable");
        check::one_of(
            errors,
            &path.child("whenUnsatisfiable"),
            action,
            &["DoNotSchedule", "ScheduleAnyway"],
        );
        let repeats = constraints
            .iter()
            .skip(at + 1)
            .any(|other| other.text("/topologyKey") == key && other.text("/whenUnsatisfiable") == action);
        if repeats {
            errors.push(Error::duplicate(
                &path.child("{topologyKey, whenUnsatisfiable}"),
                format!("{{{key}, {action}}}"),
            ));
        }
        min_domains(errors, &path.child("minDomains"), constraint);
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = constraint.field(field).as_str() {
                check::one_of(errors, &path.child(field), policy, &["Honor", "Ignore"]);
            }
        }
        let selector = constraint.field("labelSelector");
        let keys = texts(constraint, "/matchLabelKeys");
        label_keys(errors, &path.child("matchLabelKeys"), &keys, selector);
        merged_keys(errors, &path, &keys, selector);
        check::label_selector(errors, &path.child("labelSelector"), selector);
    }
}

fn min_domains(errors: &mut Errors, path: &Path, constraint: &Value) {
    let Some(domains) = constraint.int("/minDomains") else {
        return;
    };
    if domains <= 0 {
        errors.push(Error::invalid(path, domains, POSITIVE));
    }
    let action = constraint.text("/whenUnsatisfiable");
    if action != "DoNotSchedule" {
        errors.push(Error::invalid(
            path,
            domains,
            format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"),
        ));
    }
}

/// A new pod's keys have become expressions of the selector; one that the selector names elsewhere, too, stood in both.
fn merged_keys(errors: &mut Errors, path: &Path, keys: &[&str], selector: &Value) {
    if keys.is_empty() {
        return;
    }
    let labels = selector.field("matchLabels").as_object();
    let mut named: HashSet<&str> = labels
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    for expression in selector.items("/matchExpressions") {
        let key = expression.text("/key");
        if !named.insert(key)
            && let Some(at) = keys.iter().rposition(|known| *known == key)
        {
            errors.push(Error::invalid(
                &path.index(at),
                key,
                "exists in both matchLabelKeys and labelSelector",
            ));
        }
    }
}

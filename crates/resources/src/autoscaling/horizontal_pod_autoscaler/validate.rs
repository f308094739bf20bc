//! What an autoscaler may be.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::pod_template::container_resource_name;

/// Each source: its field and its type.
const SOURCES: &[(&str, &str)] = &[
    ("object", "Object"),
    ("external", "External"),
    ("pods", "Pods"),
    ("resource", "Resource"),
    ("containerResource", "ContainerResource"),
];
const TYPES: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];
const STABILIZATION_MAX: i64 = 3600;
const PERIOD_MAX: i64 = 1800;

/// Checks the specification.
pub(super) fn spec(errors: &mut Errors, spec: &Value) {
    let path = Path::new("spec");
    let (minimum, maximum) = (
        spec.int("/minReplicas"),
        spec.int("/maxReplicas").unwrap_or_default(),
    );
    if let Some(minimum) = minimum.filter(|count| *count < 1) {
        errors.push(Error::invalid(
            &path.child("minReplicas"),
            minimum,
            "must be greater than or equal to 1",
        ));
    }
    match maximum {
        0 => errors.push(Error::required(
            &path.child("maxReplicas"),
            "must be set and greater than 0",
        )),
        below if below < 0 => errors.push(Error::invalid(
            &path.child("maxReplicas"),
            below,
            "must be greater than or equal to 1",
        )),
        _ => {}
    }
    if minimum.is_some_and(|minimum| maximum < minimum) {
        errors.push(Error::invalid(
            &path.child("maxReplicas"),
            maximum,
            "must be greater than or equal to `minReplicas`",
        ));
    }
    let target = spec.field("scaleTargetRef");
    reference(errors, &path.child("scaleTargetRef"), target);
    api_version(errors, &path.child("scaleTargetRef.apiVersion"), target);
    let metrics = spec.items("/metrics");
    for (at, value) in metrics.iter().enumerate() {
        metric(errors, &path.child("metrics").index(at), value);
    }
    let counts_from_outside = |metric: &Value| matches!(metric.text("/type"), "Object" | "External");
    if minimum == Some(0) && !metrics.iter().any(counts_from_outside) {
        errors.push(Error::forbidden(
            &path.child("metrics"),
            "must specify at least one Object or External metric to support scaling to zero replicas",
        ));
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = spec.field("behavior").field(direction);
        if !rules.is_null() {
            scaling_rules(errors, &path.child("behavior").child(direction), rules);
        }
    }
}

/// Checks the status.
pub(super) fn status(errors: &mut Errors, status: &Value) {
    for field in ["currentReplicas", "desiredReplicas"] {
        check::not_negative(errors, &Path::new("status").child(field), status.field(field));
    }
}

fn path_segment(errors: &mut Errors, path: &Path, value: &str) {
    if check::required(errors, path, value) {
        check::text(errors, path, value, name::path_segment(value));
    }
}

fn reference(errors: &mut Errors, path: &Path, reference: &Value) {
    for field in ["kind", "name"] {
        let value = reference.field(field).as_str().unwrap_or_default();
        path_segment(errors, &path.child(field), value);
    }
}

/// What is scaled belongs to a group; what a metric describes need not.
fn api_version(errors: &mut Errors, path: &Path, reference: &Value) {
    let version = reference.text("/apiVersion");
    let problem = match version.split('/').collect::<Vec<_>>().as_slice() {
        [group, _] if !group.is_empty() => return,
        // The only kind of the core group that scales.
        [_] if reference.text("/kind") == "ReplicationController" => return,
        [_, _, ..] if version.matches('/').count() > 1 => {
            format!("unexpected GroupVersion string: {version}")
        }
        _ => "apiVersion must specify API group".to_owned(),
    };
    errors.push(Error::invalid(path, version, problem));
}

fn metric(errors: &mut Errors, path: &Path, metric: &Value) {
    let kind = metric.text("/type");
    if kind.is_empty() {
        errors.push(Error::required(
            &path.child("type"),
            "must specify a metric source type",
        ));
    }
    check::one_of(errors, &path.child("type"), kind, TYPES);
    let present: Vec<&str> = SOURCES
        .iter()
        .map(|(field, _)| *field)
        .filter(|field| !metric.field(field).is_null())
        .collect();
    if let [only] = present.as_slice() {
        source(errors, &path.child(only), only, metric.field(only));
    }
    let expected = SOURCES
        .iter()
        .find(|(_, known)| *known == kind)
        .map(|(field, _)| *field);
    if let Some(expected) = expected.filter(|expected| !present.contains(expected)) {
        errors.push(Error::required(
            &path.child(expected),
            "must populate information for the given metric source",
        ));
    }
    if expected.is_none() {
        // Upstream finds out twice.
        check::one_of(errors, &path.child("type"), kind, TYPES);
    }
    if present.len() != 1 {
        for other in present.iter().filter(|field| Some(**field) != expected) {
            errors.push(Error::forbidden(
                &path.child(other),
                "must populate the given metric source only",
            ));
        }
    }
}

fn source(errors: &mut Errors, path: &Path, kind: &str, source: &Value) {
    let (target, target_path) = (source.field("target"), path.child("target"));
    let has = |field: &str| !target.field(field).is_null();
    match kind {
        "object" => reference(
            errors,
            &path.child("describedObject"),
            source.field("describedObject"),
        ),
        "resource" | "containerResource" => resource(errors, path, kind, source),
        _ => {}
    }
    if !matches!(kind, "resource" | "containerResource") {
        identifier(errors, &path.child("metric"), source.field("metric"));
    }
    metric_target(errors, &target_path, target);
    let average = target_path.child("averageValue");
    match kind {
        "resource" | "containerResource" => match (has("averageUtilization"), has("averageValue")) {
            (false, false) => errors.push(Error::required(
                &target_path.child("averageUtilization"),
                "must set either a target raw value or a target utilization",
            )),
            (true, true) => errors.push(Error::forbidden(
                &average,
                "may not set both a target raw value and a target utilization",
            )),
            _ => {}
        },
        "pods" if !has("averageValue") => errors.push(Error::required(
            &average,
            "must specify a positive target averageValue",
        )),
        "object" if !has("averageValue") && !has("value") => errors.push(Error::required(
            &average,
            "must set either a target value or averageValue",
        )),
        "external" => match (has("value"), has("averageValue")) {
            (false, false) => errors.push(Error::required(
                &average,
                "must set either a target value for metric or a per-pod target",
            )),
            (true, true) => errors.push(Error::forbidden(
                &target_path.child("value"),
                "may not set both a target value for metric and a per-pod target",
            )),
            _ => {}
        },
        _ => {}
    }
}

fn resource(errors: &mut Errors, path: &Path, kind: &str, source: &Value) {
    let is_of_container = kind == "containerResource";
    match source.text("/name") {
        "" => errors.push(Error::required(
            &path.child("name"),
            "must specify a resource name",
        )),
        name if is_of_container => container_resource_name(errors, &path.child("name"), name),
        _ => {}
    }
    if !is_of_container {
        return;
    }
    match source.text("/container") {
        "" => errors.push(Error::required(
            &path.child("container"),
            "must specify a container",
        )),
        container => check::dns_label(errors, &path.child("container"), container),
    }
}

fn identifier(errors: &mut Errors, path: &Path, metric: &Value) {
    let name_path = path.child("name");
    match metric.text("/name") {
        "" => errors.push(Error::required(&name_path, "must specify a metric name")),
        name => check::text(errors, &name_path, name, name::path_segment(name)),
    }
}

fn metric_target(errors: &mut Errors, path: &Path, target: &Value) {
    if target.text("/type").is_empty() {
        errors.push(Error::required(
            &path.child("type"),
            "must specify a metric target type",
        ));
    }
    match target.text("/type") {
        "Utilization" | "Value" | "AverageValue" => {}
        other => errors.push(Error::invalid(
            &path.child("type"),
            other,
            "must be either Utilization, Value, or AverageValue",
        )),
    }
    for field in ["value", "averageValue"] {
        let value = target.field(field);
        let amount = Quantity::from_json(value).unwrap_or(Quantity::ZERO);
        if !value.is_null() && amount <= Quantity::ZERO {
            errors.push(Error::invalid(
                &path.child(field),
                amount.to_string(),
                "must be positive",
            ));
        }
    }
    if let Some(percent) = target.int("/averageUtilization").filter(|percent| *percent < 1) {
        errors.push(Error::invalid(
            &path.child("averageUtilization"),
            percent,
            "must be greater than 0",
        ));
    }
}

fn scaling_rules(errors: &mut Errors, path: &Path, rules: &Value) {
    let window = path.child("stabilizationWindowSeconds");
    let tolerance_path = path.child("tolerance");
    match rules.int("/stabilizationWindowSeconds") {
        Some(seconds) if seconds < 0 => errors.push(Error::invalid(
            &window,
            seconds,
            "must be greater than or equal to zero",
        )),
        Some(seconds) if seconds > STABILIZATION_MAX => errors.push(Error::invalid(
            &window,
            seconds,
            format!("must be less than or equal to {STABILIZATION_MAX}"),
        )),
        _ => {}
    }
    if let Some(policy) = rules.field("selectPolicy").as_str() {
        check::one_of(
            errors,
            &path.child("selectPolicy"),
            policy,
            &["Disabled", "Max", "Min"],
        );
    }
    let (policies, path) = (rules.items("/policies"), path.child("policies"));
    if policies.is_empty() {
        errors.push(Error::required(&path, "must specify at least one Policy"));
    }
    for (at, policy) in policies.iter().enumerate() {
        let path = path.index(at);
        check::one_of(
            errors,
            &path.child("type"),
            policy.text("/type"),
            &["Percent", "Pods"],
        );
        for field in ["value", "periodSeconds"] {
            let number = policy.field(field).as_i64().unwrap_or_default();
            if number <= 0 {
                errors.push(Error::invalid(
                    &path.child(field),
                    number,
                    "must be greater than zero",
                ));
            }
        }
        if let Some(period) = policy.int("/periodSeconds").filter(|period| *period > PERIOD_MAX) {
            errors.push(Error::invalid(
                &path.child("periodSeconds"),
                period,
                format!("must be less than or equal to {PERIOD_MAX}"),
            ));
        }
    }
    let tolerance = rules.field("tolerance");
    let amount = Quantity::from_json(tolerance).unwrap_or(Quantity::ZERO);
    if amount < Quantity::ZERO {
        errors.push(Error::invalid(
            &tolerance_path,
            amount.to_string(),
            check::NOT_NEGATIVE,
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_scaled_belongs_to_a_group_but_for_replication_controllers() {
        let check = |kind: &str, version: &str, expect: &[&str]| {
            let mut errors = Errors::new();
            let reference = json!({"apiVersion": version, "kind": kind, "name": "a"});
            api_version(&mut errors, &Path::new("apiVersion"), &reference);
            let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(found, expect, "{kind} {version}");
        };
        check("Deployment", "apps/v1", &[]);
        check("ReplicationController", "v1", &[]);
        let refused = "apiVersion: Invalid value: \"v1\": apiVersion must specify API group";
        check("Deployment", "v1", &[refused]);
    }
}

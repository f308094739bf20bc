//! What an autoscaler may be.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

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
    if maximum < 1 {
        errors.push(Error::invalid(
            &path.child("maxReplicas"),
            maximum,
            "must be greater than 0",
        ));
    }
    if minimum.is_some_and(|minimum| maximum < minimum) {
        errors.push(Error::invalid(
            &path.child("maxReplicas"),
            maximum,
            "must be greater than or equal to `minReplicas`",
        ));
    }
    reference(
        errors,
        &path.child("scaleTargetRef"),
        spec.field("scaleTargetRef"),
    );
    for (at, value) in spec.items("/metrics").iter().enumerate() {
        metric(errors, &path.child("metrics").index(at), value);
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

fn metric(errors: &mut Errors, path: &Path, metric: &Value) {
    let kind = metric.text("/type");
    if kind.is_empty() {
        errors.push(Error::required(
            &path.child("type"),
            "must specify a metric source type",
        ));
    } else {
        check::one_of(errors, &path.child("type"), kind, TYPES);
    }
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
        "containerResource" if source.text("/container").is_empty() => {
            errors.push(Error::required(
                &path.child("container"),
                "must specify a container",
            ));
        }
        _ => {}
    }
    if matches!(kind, "resource" | "containerResource") {
        if source.text("/name").is_empty() {
            errors.push(Error::required(
                &path.child("name"),
                "must specify a resource name",
            ));
        }
    } else {
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

fn identifier(errors: &mut Errors, path: &Path, metric: &Value) {
    let name_path = path.child("name");
    match metric.text("/name") {
        "" => errors.push(Error::required(&name_path, "must specify a metric name")),
        name => check::text(errors, &name_path, name, name::path_segment(name)),
    }
    check::label_selector(errors, &path.child("selector"), metric.field("selector"));
}

fn metric_target(errors: &mut Errors, path: &Path, target: &Value) {
    match target.text("/type") {
        "" => errors.push(Error::required(
            &path.child("type"),
            "must specify a metric target type",
        )),
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
}

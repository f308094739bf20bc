//! Limit ranges.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::pod_template::{container_resource_name, elements, is_overcommit_allowed, resource_name};
use crate::table::columns;

const TYPES: &[&str] = &["Container", "PersistentVolumeClaim", "Pod"];

/// The strategy of limit ranges; that they hold is admission's.
pub(crate) struct LimitRange;

impl Strategy for LimitRange {
    fn traits(&self) -> Traits {
        Traits {
            create_on_update: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        for limit in elements(object, "/spec/limits") {
            if limit.text("/type") == "Container" {
                default_container_limit(limit);
            }
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("spec.limits");
        let mut types = HashSet::new();
        for (at, limit) in object.items("/spec/limits").iter().enumerate() {
            let (kind, path) = (limit.text("/type"), path.index(at));
            validate_type(&mut errors, &path.child("type"), kind);
            if !types.insert(kind) {
                errors.push(Error::duplicate(&path.child("type"), kind));
            }
            validate_limit(&mut errors, &path, limit);
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("limitranges")
    }
}

/// The default limit is the maximum; the default request is the default limit, or the minimum.
fn default_container_limit(limit: &mut Value) {
    for (to, from) in [
        ("default", "max"),
        ("defaultRequest", "default"),
        ("defaultRequest", "min"),
    ] {
        let Some(source) = limit.field(from).as_object().cloned() else {
            continue;
        };
        if source.is_empty() {
            continue;
        }
        if let Some(target) = limit.object_at(&format!("/{to}")) {
            for (resource, amount) in source {
                target.entry(resource).or_insert(amount);
            }
        }
    }
}

fn validate_type(errors: &mut Errors, path: &Path, kind: &str) {
    let wrong = name::qualified_name(kind);
    if !wrong.is_empty() {
        check::text(errors, path, kind, wrong);
    } else if !kind.contains('/') && !TYPES.contains(&kind) {
        errors.push(Error::invalid(
            path,
            kind,
            "must be a standard limit type or fully qualified",
        ));
    }
}

fn validate_limit(errors: &mut Errors, path: &Path, limit: &Value) {
    let kind = limit.text("/type");
    let mut resources = BTreeSet::new();
    for list in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
        let amounts = limit.field(list).as_object();
        if kind == "Pod" && list.starts_with("default") {
            if amounts.is_some_and(|amounts| !amounts.is_empty()) {
                errors.push(Error::forbidden(
                    &path.child(list),
                    "may not be specified when `type` is 'Pod'",
                ));
            }
            continue;
        }
        for resource in amounts.into_iter().flatten().map(|(resource, _)| resource) {
            let at = path.child(list).key(resource);
            match kind {
                "Pod" | "Container" => container_resource_name(errors, &at, resource),
                _ => resource_name(errors, &at, resource),
            }
            resources.insert(resource.as_str());
        }
    }
    let has_storage = |list: &str| !limit.field(list).field("storage").is_null();
    if kind == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        errors.push(Error::required(
            &path.child("limits"),
            "either minimum or maximum storage value is required, but neither was provided",
        ));
    }
    for resource in resources {
        validate_amounts(errors, path, limit, resource);
    }
}

/// Minimum ≤ default request ≤ default ≤ maximum.
fn validate_amounts(errors: &mut Errors, path: &Path, limit: &Value, resource: &str) {
    let is_pod = limit.text("/type") == "Pod";
    let amount = |list: &str| {
        let amount = limit.field(list).field(resource);
        let hidden = amount.is_null() || (is_pod && list.starts_with("default"));
        (!hidden).then(|| Quantity::from_json(amount).unwrap_or(Quantity::ZERO))
    };
    let (min, max) = (amount("min"), amount("max"));
    let (default, request) = (amount("default"), amount("defaultRequest"));
    let mut ordered = |at: &str, low: (&str, Option<Quantity>), high: (&str, Option<Quantity>), shown| {
        if let (Some(a), Some(b)) = (low.1, high.1)
            && a > b
        {
            let shown = if shown == low.0 { a } else { b };
            errors.push(Error::invalid(
                &path.child(at).key(resource),
                shown.to_string(),
                format!("{} value {a} is greater than {} value {b}", low.0, high.0),
            ));
        }
    };
    ordered("min", ("min", min), ("max", max), "min");
    ordered(
        "defaultRequest",
        ("min", min),
        ("default request", request),
        "default request",
    );
    ordered(
        "defaultRequest",
        ("default request", request),
        ("max", max),
        "default request",
    );
    ordered(
        "defaultRequest",
        ("default request", request),
        ("default limit", default),
        "default request",
    );
    ordered("default", ("min", min), ("default", default), "min");
    ordered("default", ("default", default), ("max", max), "max");
    ratio(errors, path, limit, resource, (min, max));
    if let (Some(default), Some(request)) = (default, request)
        && !is_overcommit_allowed(resource)
        && default != request
    {
        errors.push(Error::invalid(
            &path.child("defaultRequest").key(resource),
            request.to_string(),
            format!("default value {default} must equal to defaultRequest value {request} in {resource}"),
        ));
    }
}

fn ratio(
    errors: &mut Errors,
    path: &Path,
    limit: &Value,
    resource: &str,
    (min, max): (Option<Quantity>, Option<Quantity>),
) {
    let value = limit.field("maxLimitRequestRatio").field(resource);
    if value.is_null() {
        return;
    }
    let ratio = Quantity::from_json(value).unwrap_or(Quantity::ZERO);
    let at = path.child("maxLimitRequestRatio").key(resource);
    if ratio < Quantity::from(1) {
        errors.push(Error::invalid(
            &at,
            ratio.to_string(),
            format!("ratio {ratio} is less than 1"),
        ));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let possible = max.milli_value() as f64 / min.milli_value() as f64;
        if ratio.milli_value() as f64 / 1000.0 > possible {
            errors.push(Error::invalid(
                &at,
                ratio.to_string(),
                format!("ratio {ratio} is greater than max/min = {possible:.6}"),
            ));
        }
    }
}

//! What an event may be: much, in the core group, and what the newer group asks for beyond that.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::View;
use crate::check::{self, Errors};
use crate::go_literal::go_literal;

const SHORT_MAX: usize = 128;
const NOTE_MAX: usize = 1024;

/// What every event must be.
pub(super) fn legacy(event: &Value, view: View) -> Errors {
    let mut errors = Errors::new();
    let (namespace, about) = (
        event.text("/metadata/namespace"),
        event.text("/involvedObject/namespace"),
    );
    let is_new = !event.field("eventTime").is_null();
    let agrees = match (is_new, about) {
        (false, "") => matches!(namespace, "" | "default"),
        (true, "") => matches!(namespace, "default" | "kube-system"),
        (true, _) => true,
        (false, about) => about == namespace,
    };
    if !agrees {
        errors.push(Error::invalid(
            &Path::new("involvedObject.namespace"),
            about,
            "does not match event.namespace",
        ));
    }
    if is_new {
        who_and_what(&mut errors, event, view);
    }
    errors
}

fn who_and_what(errors: &mut Errors, event: &Value, view: View) {
    let controller = event.text("/reportingComponent");
    let path = Path::new(match view {
        View::Core => "reportingComponent",
        View::Events => "reportingController",
    });
    check::required(errors, &path, controller);
    check::qualified_name(errors, &path, controller);
    for field in ["reportingInstance", "action", "reason"] {
        let (path, text) = (Path::new(field), event.field(field).as_str().unwrap_or_default());
        check::required(errors, &path, text);
        at_most(errors, &path, text, SHORT_MAX);
    }
    at_most(errors, &Path::new("message"), event.text("/message"), NOTE_MAX);
}

fn at_most(errors: &mut Errors, path: &Path, text: &str, max: usize) {
    if text.len() > max {
        errors.push(Error::invalid(
            path,
            "",
            format!("can have at most {max} characters"),
        ));
    }
}

/// What a new event of the newer group must be beyond that.
pub(super) fn strict_create(event: &Value) -> Errors {
    let mut errors = Errors::new();
    series(&mut errors, event);
    if event.field("eventTime").is_null() {
        errors.push(Error::required(&Path::new("eventTime"), ""));
    }
    let kind = event.text("/type");
    if !matches!(kind, "Normal" | "Warning") {
        let why = format!("has invalid value: {kind}");
        errors.push(Error::invalid(&Path::new("type"), "", why));
    }
    for field in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        if !check::same(event.field(field), &Value::Null) {
            errors.push(Error::invalid(&Path::new(field), "", "needs to be unset"));
        }
    }
    errors
}

fn series(errors: &mut Errors, event: &Value) {
    let series = event.field("series");
    if series.is_null() {
        return;
    }
    if series.int("/count").unwrap_or_default() < 2 {
        errors.push(Error::invalid(
            &Path::new("series.count"),
            "",
            "should be at least 2",
        ));
    }
    if series.field("lastObservedTime").is_null() {
        errors.push(Error::required(&Path::new("series.lastObservedTime"), ""));
    }
}

/// What an update through the newer group may not change; upstream looks at the reason twice.
pub(super) fn strict_update(new: &Value, old: &Value) -> Errors {
    let mut errors = Errors::new();
    if !check::same(new.field("series"), old.field("series")) {
        series(&mut errors, new);
    }
    const FIELDS: &[(&str, &str)] = &[
        ("involvedObject", "ObjectReference"),
        ("reason", "s"),
        ("message", "s"),
        ("source", "EventSource"),
        ("firstTimestamp", "json"),
        ("lastTimestamp", "json"),
        ("count", "n"),
        ("reason", "s"),
        ("type", "s"),
        ("eventTime", "json"),
        ("action", "s"),
        ("related", "*ObjectReference"),
        ("reportingComponent", "s"),
        ("reportingInstance", "s"),
    ];
    for (field, kind) in FIELDS {
        let now = new.field(field);
        if check::same(now, old.field(field)) {
            continue;
        }
        let shown = if *field == "reportingComponent" {
            "reportingController"
        } else {
            field
        };
        errors.push(
            Error::invalid(&Path::new(shown), now.clone(), check::IMMUTABLE).shown_as(go_literal(kind, now)),
        );
    }
    errors
}

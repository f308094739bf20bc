//! What may change in a job.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors, same};

/// Checks an update of the main part.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::new("spec");
    let (spec, was) = (new.field("spec"), old.field("spec"));
    let mut fixed = |field: &str| {
        check::immutable(errors, &path.child(field), spec.field(field), was.field(field));
    };
    fixed("selector");
    for field in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        fixed(field);
    }
    completions(errors, &path.child("completions"), spec, was);
    template(errors, &path.child("template"), old, spec, was);
}

/// An indexed job may grow or shrink as a whole.
fn completions(errors: &mut Errors, path: &Path, spec: &Value, was: &Value) {
    let (now, before) = (spec.field("completions"), was.field("completions"));
    if same(now, before) {
        return;
    }
    if spec.text("/completionMode") != "Indexed" || now.is_null() || before.is_null() {
        check::immutable(errors, path, now, before);
        return;
    }
    if now != spec.field("parallelism") {
        errors.push(Error::invalid(
            path,
            now.clone(),
            "can only be modified in tandem with spec.parallelism",
        ));
    }
}

/// A suspended job that never started may be told where its pods shall run, and what labels they have.
fn template(errors: &mut Errors, path: &Path, old: &Value, spec: &Value, was: &Value) {
    let mut munged = spec.field("template").clone();
    let before = was.field("template");
    let suspended = was.field("suspend").as_bool() == Some(true) && old.at("/status/startTime").is_null();
    if suspended {
        for pointer in [
            "/metadata/annotations",
            "/metadata/labels",
            "/spec/nodeSelector",
            "/spec/affinity/nodeAffinity",
            "/spec/tolerations",
            "/spec/schedulingGates",
        ] {
            match before.at(pointer) {
                Value::Null => {
                    munged.take_at(pointer);
                }
                value => munged.set(pointer, value.clone()),
            }
        }
    }
    if !same(&munged, before) {
        errors.push(Error::invalid(
            path,
            spec.field("template").clone(),
            check::IMMUTABLE,
        ));
    }
}

/// Checks an update of `/status`.
pub(super) fn status(errors: &mut Errors, new: &Value, old: &Value) {
    let (path, status) = (Path::new("status"), new.field("status"));
    for field in ["active", "ready", "terminating", "succeeded", "failed"] {
        check::not_negative(errors, &path.child(field), status.field(field));
    }
    let is_true = |job: &Value, kind: &str| {
        job.items("/status/conditions")
            .iter()
            .any(|condition| condition.text("/type") == kind && condition.text("/status") == "True")
    };
    if is_true(new, "Complete") && is_true(new, "Failed") {
        errors.push(Error::invalid(
            &path.child("conditions"),
            status.field("conditions").clone(),
            "cannot set Complete=True and Failed=true conditions",
        ));
    }
    for kind in ["Complete", "Failed"] {
        if is_true(old, kind) && !is_true(new, kind) {
            errors.push(Error::invalid(
                &path.child("conditions"),
                status.field("conditions").clone(),
                format!("cannot disable the terminal {kind}=True condition"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(old: &Value, new: &Value, expected: &[&str]) {
        let mut errors = Errors::new();
        validate(&mut errors, new, old);
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, expected, "{new}");
    }

    #[test]
    fn templates_stay_unless_the_job_waits() {
        let running = json!({"spec": {"template": {"spec": {"nodeSelector": {}}}}});
        let mut moved = running.clone();
        moved.set("/spec/template/spec/nodeSelector/a", "b");
        check(&running, &moved, &["spec.template"]);
        let mut waiting = running.clone();
        waiting.set("/spec/suspend", true);
        check(&waiting, &moved, &[]);
    }

    #[test]
    fn completions_stay_unless_indexed_jobs_scale() {
        let job = |mode: &str, count: i64| json!({"spec": {"completionMode": mode, "completions": count, "parallelism": count}});
        check(
            &job("NonIndexed", 1),
            &job("NonIndexed", 2),
            &["spec.completions"],
        );
        check(&job("Indexed", 1), &job("Indexed", 2), &[]);
    }
}

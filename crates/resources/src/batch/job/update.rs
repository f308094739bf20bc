//! What may change in a job.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::validate::job_and_selector;
use crate::check::{self, Errors, same};
use crate::go_literal::go_literal;
use crate::pod_template::internal_spec;

/// Checks an update of the main part; upstream looks at the whole of it once more.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
    job_and_selector(errors, new.field("spec"));
    changes(errors, new, old);
}

fn changes(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::new("spec");
    let (spec, was) = (new.field("spec"), old.field("spec"));
    completions(errors, &path.child("completions"), spec, was);
    let mut fixed = |field: &str| {
        check::immutable(errors, &path.child(field), spec.field(field), was.field(field));
    };
    fixed("selector");
    template(errors, &path, spec, old);
    for (field, kind) in [
        ("completionMode", "json"),
        ("podFailurePolicy", "*PodFailurePolicy"),
        ("backoffLimitPerIndex", "json"),
        ("managedBy", "json"),
        ("successPolicy", "*SuccessPolicy"),
    ] {
        fixed_struct(
            errors,
            &path.child(field),
            kind,
            (spec.field(field), was.field(field)),
        );
    }
}

fn fixed_struct(errors: &mut Errors, path: &Path, kind: &str, (new, old): (&Value, &Value)) {
    if !same(new, old) {
        let shown = go_literal(kind, new);
        errors.push(Error::invalid(path, new.clone(), check::IMMUTABLE).shown_as(shown));
    }
}

/// An indexed job may grow or shrink as a whole.
fn completions(errors: &mut Errors, path: &Path, spec: &Value, was: &Value) {
    let (now, before) = (spec.field("completions"), was.field("completions"));
    if same(now, before) {
        return;
    }
    if spec.text("/completionMode") != "Indexed" {
        check::immutable(errors, path, now, before);
    } else if !now.is_null() && now != spec.field("parallelism") {
        errors.push(Error::invalid(
            path,
            now.clone(),
            "can only be modified in tandem with spec.parallelism",
        ));
    }
}

/// What a job that waits may be told of where its pods shall run, and of their labels.
const WHILE_WAITING: [&str; 6] = [
    "/metadata/annotations",
    "/metadata/labels",
    "/spec/nodeSelector",
    "/spec/affinity/nodeAffinity",
    "/spec/tolerations",
    "/spec/schedulingGates",
];

/// The template stays; of a job that is suspended and has no pods, resources and places may change.
fn template(errors: &mut Errors, path: &Path, spec: &Value, old: &Value) {
    let was = old.field("spec");
    let suspended = was.field("suspend").as_bool() == Some(true);
    let waits = suspended && may_change_template(old);
    let (now, mut before) = (spec.field("template").clone(), was.field("template").clone());
    if waits {
        for pointer in WHILE_WAITING {
            copy(&mut before, &now, pointer);
        }
        for list in ["/spec/containers", "/spec/initContainers"] {
            let count = before.items(list).len();
            for at in 0..count {
                let pointer = format!("{list}/{at}");
                let same_name = before.at(&pointer).text("/name") == now.at(&pointer).text("/name");
                if same_name && now.items(list).len() == count {
                    copy(&mut before, &now, &format!("{pointer}/resources"));
                }
            }
        }
    }
    let (path, kind, pointer) = if waits {
        (path.child("template.spec"), "PodSpec", "/spec")
    } else {
        (path.child("template"), "*PodTemplateSpec", "")
    };
    let (now, before) = (now.at(pointer), before.at(pointer));
    if !same(now, before) {
        let shown = go_literal(kind, &internal_spec(now));
        errors.push(Error::invalid(&path, now.clone(), check::IMMUTABLE).shown_as(shown));
    }
}

fn copy(to: &mut Value, from: &Value, pointer: &str) {
    match from.at(pointer) {
        Value::Null => {
            to.take_at(pointer);
        }
        value => to.set(pointer, value.clone()),
    }
}

/// A job without pods: never started, or suspended for good.
fn may_change_template(old: &Value) -> bool {
    let suspended = old
        .items("/status/conditions")
        .iter()
        .any(|condition| condition.text("/type") == "Suspended" && condition.text("/status") == "True");
    let never_started = old.at("/status/startTime").is_null();
    (suspended || never_started) && old.int("/status/active").unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(old: &Value, new: &Value, expected: &[&str]) {
        let mut errors = Errors::new();
        changes(&mut errors, new, old);
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

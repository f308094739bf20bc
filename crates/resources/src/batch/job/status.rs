//! What a job's status may become. Rules look at what an update changes, so that a status that was wrong before does not
//! keep others from being written.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::indexes;
use crate::check::{self, Errors, same};
use crate::table::timestamp;

fn is_true(job: &Value, kind: &str) -> bool {
    let conditions = job.items("/status/conditions").iter();
    conditions
        .filter(|condition| condition.text("/type") == kind)
        .any(|condition| condition.text("/status") == "True")
}

fn is_finished(job: &Value) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}

/// An update, and what of the status it changes.
struct Update<'a> {
    new: &'a Value,
    old: &'a Value,
    path: Path,
}

impl Update<'_> {
    /// Whether one of these conditions came or went, or one of these fields is another.
    fn changes(&self, conditions: &[&str], fields: &[&str]) -> bool {
        let status = |job: &'_ Value, field: &str| job.field("status").field(field).clone();
        conditions
            .iter()
            .any(|kind| is_true(self.new, kind) != is_true(self.old, kind))
            || fields
                .iter()
                .any(|field| !same(&status(self.new, field), &status(self.old, field)))
    }

    fn finishes(&self) -> bool {
        is_finished(self.new) != is_finished(self.old)
    }

    fn status(&self, field: &str) -> &Value {
        self.new.field("status").field(field)
    }
}

/// Checks an update of `/status`.
pub(super) fn validate(errors: &mut Errors, new: &Value, old: &Value) {
    let update = Update {
        new,
        old,
        path: Path::new("status"),
    };
    for field in ["active", "succeeded", "failed", "ready", "terminating"] {
        check::not_negative(errors, &update.path.child(field), update.status(field));
    }
    uncounted(errors, &update.path.child("uncountedTerminatedPods"), new);
    endings(errors, &update);
    finished(errors, &update);
    index_lists(errors, &update);
    counts(errors, &update);
    success(errors, &update);
    transitions(errors, &update);
}

fn uncounted(errors: &mut Errors, path: &Path, new: &Value) {
    let mut seen = HashSet::new();
    for list in ["succeeded", "failed"] {
        let pods = new.at("/status/uncountedTerminatedPods").field(list).as_array();
        for (at, pod) in pods.into_iter().flatten().enumerate() {
            let (path, pod) = (path.child(list).index(at), pod.as_str().unwrap_or_default());
            if pod.is_empty() {
                errors.push(Error::invalid(&path, pod, "must not be empty"));
            } else if !seen.insert(pod) {
                errors.push(Error::duplicate(&path, pod));
            }
        }
    }
}

fn conditions(errors: &mut Errors, update: &Update<'_>, problem: &str) {
    errors.push(Error::invalid_whole(&update.path.child("conditions"), problem));
}

/// A job ends in one way, with the time of its completion.
fn endings(errors: &mut Errors, update: &Update<'_>) {
    let new = update.new;
    let (complete, failed) = (is_true(new, "Complete"), is_true(new, "Failed"));
    let done = update.status("completionTime");
    let done_path = update.path.child("completionTime");
    if update.changes(&["Complete", "Failed"], &[]) && complete && failed {
        conditions(
            errors,
            update,
            "cannot set Complete=True and Failed=true conditions",
        );
    }
    if update.changes(&["Complete", "FailureTarget"], &[]) && complete && is_true(new, "FailureTarget") {
        conditions(
            errors,
            update,
            "cannot set Complete=True and FailureTarget=true conditions",
        );
    }
    if update.changes(&["Complete"], &["completionTime"]) {
        if !done.is_null() && !complete {
            let problem = "cannot set completionTime when there is no Complete=True condition";
            errors.push(Error::invalid(&done_path, done.clone(), problem));
        }
        if done.is_null() && complete {
            errors.push(Error::required(
                &done_path,
                "completionTime is required for Complete jobs",
            ));
        }
    }
    let (start, end) = (timestamp(update.status("startTime")), timestamp(done));
    if update.changes(&[], &["startTime", "completionTime"]) && start.zip(end).is_some_and(|(a, b)| b < a) {
        errors.push(Error::invalid(
            &done_path,
            done.clone(),
            "must be equal to or after `startTime`",
        ));
    }
    if update.changes(&["Failed"], &["failedIndexes"]) && failed && !is_true(new, "FailureTarget") {
        conditions(
            errors,
            update,
            "cannot set Failed=True condition without the FailureTarget=true condition",
        );
    }
    if update.changes(&["Complete", "SuccessCriteriaMet"], &[])
        && complete
        && !is_true(new, "SuccessCriteriaMet")
    {
        conditions(
            errors,
            update,
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        );
    }
}

/// What a job that ended may not have any more.
fn finished(errors: &mut Errors, update: &Update<'_>) {
    if !is_finished(update.new) {
        return;
    }
    let active = update.status("active").as_i64().unwrap_or_default();
    if (update.finishes() || update.changes(&[], &["active"])) && active > 0 {
        errors.push(Error::invalid(
            &update.path.child("active"),
            active,
            "active>0 is invalid for finished job",
        ));
    }
    let spec = update.new.field("spec");
    let does_nothing = spec.field("suspend").as_bool() == Some(true) && spec.int("/completions") == Some(0);
    if (update.finishes() || update.changes(&[], &["startTime"]))
        && !does_nothing
        && update.status("startTime").is_null()
    {
        errors.push(Error::required(
            &update.path.child("startTime"),
            "startTime is required for finished job",
        ));
    }
    let uncounted = update.status("uncountedTerminatedPods");
    if (update.finishes() || update.changes(&[], &["uncountedTerminatedPods"]))
        && !same(uncounted, &Value::Null)
    {
        errors.push(Error::invalid(
            &update.path.child("uncountedTerminatedPods"),
            uncounted.clone(),
            "must be empty for finished job",
        ));
    }
}

/// Lists of indexes belong to indexed jobs, are well formed, and do not overlap.
fn index_lists(errors: &mut Errors, update: &Update<'_>) {
    let spec = update.new.field("spec");
    let completions = spec.int("/completions");
    let completed = update.status("completedIndexes").as_str().unwrap_or_default();
    let failed = update.status("failedIndexes").as_str();
    let (completed_path, failed_path) = (
        update.path.child("completedIndexes"),
        update.path.child("failedIndexes"),
    );
    let new_completed = update.changes(&[], &["completedIndexes"]);
    let new_failed = update.status("failedIndexes") != update.old.at("/status/failedIndexes");
    let limit = spec.field("backoffLimitPerIndex");
    if let Some(completions) = completions
        && new_completed
        && let Err(problem) = indexes::count(completed, completions)
    {
        let problem = format!("error parsing completedIndexes: {problem}");
        errors.push(Error::invalid(&completed_path, completed, problem));
    }
    if let (Some(completions), Some(failed)) = (completions, failed)
        && new_failed
        && !limit.is_null()
        && let Err(problem) = indexes::count(failed, completions)
    {
        let problem = format!("error parsing failedIndexes: {problem}");
        errors.push(Error::invalid(&failed_path, failed, problem));
    }
    if new_completed && !completed.is_empty() && spec.text("/completionMode") != "Indexed" {
        errors.push(Error::invalid(
            &completed_path,
            completed,
            "cannot set non-empty completedIndexes when non-indexed completion mode",
        ));
    }
    let Some(failed) = failed else {
        return;
    };
    if new_failed && limit.is_null() {
        errors.push(Error::invalid(
            &failed_path,
            failed,
            "cannot set non-null failedIndexes when backoffLimitPerIndex is null",
        ));
    }
    if (new_completed || new_failed)
        && let Some((one, other)) =
            completions.and_then(|completions| indexes::shared(failed, completed, completions))
    {
        let problem = format!("failedIndexes and completedIndexes overlap at index: {one} with {other}");
        errors.push(Error::invalid(&failed_path, failed, problem));
    }
}

fn counts(errors: &mut Errors, update: &Update<'_>) {
    let count = |field: &str| update.status(field).as_i64().unwrap_or_default();
    let terminating = count("terminating");
    if (update.finishes() || update.changes(&[], &["terminating"]))
        && is_finished(update.new)
        && terminating > 0
    {
        errors.push(Error::invalid(
            &update.path.child("terminating"),
            terminating,
            "terminating>0 is invalid for finished job",
        ));
    }
    let ready = count("ready");
    if update.changes(&[], &["ready", "active"]) && ready > count("active") {
        errors.push(Error::invalid(
            &update.path.child("ready"),
            ready,
            "cannot set more ready pods than active",
        ));
    }
}

fn success(errors: &mut Errors, update: &Update<'_>) {
    let new = update.new;
    let met = is_true(new, "SuccessCriteriaMet");
    for (kind, problem) in [
        (
            "Failed",
            "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        ),
        (
            "FailureTarget",
            "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        ),
    ] {
        if met && is_true(new, kind) {
            conditions(errors, update, problem);
        }
    }
    if !new.at("/spec/successPolicy").is_null() && !met && is_true(new, "Complete") {
        conditions(
            errors,
            update,
            "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
        );
    }
}

/// What was reached stays.
fn transitions(errors: &mut Errors, update: &Update<'_>) {
    let (new, old, path) = (update.new, update.old, &update.path);
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if is_true(old, kind) && !is_true(new, kind) {
            let problem = format!("cannot disable the terminal {kind}=True condition");
            conditions(errors, update, &problem);
        }
    }
    let spec = new.field("spec");
    let scales = spec.text("/completionMode") == "Indexed"
        && same(spec.field("completions"), spec.field("parallelism"));
    for (field, is_fixed) in [("failed", true), ("succeeded", !scales)] {
        let count = |job: &Value| job.field("status").field(field).as_i64().unwrap_or_default();
        if is_fixed && count(new) < count(old) {
            let problem = format!("cannot decrease the {field} counter");
            errors.push(Error::invalid(&path.child(field), count(new), problem));
        }
    }
    let fixed = |field: &str| {
        let (now, was) = (update.status(field), old.field("status").field(field));
        (!was.is_null() && now != was).then(|| now.clone())
    };
    if let Some(now) = fixed("completionTime").filter(|now| !now.is_null()) {
        errors.push(Error::invalid(
            &path.child("completionTime"),
            now,
            check::IMMUTABLE,
        ));
    }
    let suspended = |job: &Value, status: &str| {
        let mut conditions = job.items("/status/conditions").iter();
        conditions.any(|found| found.text("/type") == "Suspended" && found.text("/status") == status)
    };
    let resumes = suspended(old, "True") && suspended(new, "False");
    if let Some(now) = fixed("startTime").filter(|_| !resumes)
        && spec.field("suspend").as_bool() != Some(true)
    {
        errors.push(Error::invalid(
            &path.child("startTime"),
            now,
            "field is immutable for unsuspended job once set",
        ));
    }
    let met = "SuccessCriteriaMet";
    if is_true(old, met) && !is_true(new, met) {
        conditions(
            errors,
            update,
            "cannot disable the SuccessCriteriaMet=True condition",
        );
    }
    if is_true(old, "Complete") && !is_true(old, met) && is_true(new, met) {
        conditions(
            errors,
            update,
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
        );
    }
}

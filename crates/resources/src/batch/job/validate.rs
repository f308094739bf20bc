//! What a job may be.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;

use super::{CONTROLLER_UID, NAME_LABELS, UID_LABELS, failure_policy};
use crate::check::{self, Errors};
use crate::pod_template::template;

/// Bounds of jobs that count failures by index, or choose their manager.
const PARALLEL_INDEXES_MAX: i64 = 100_000;
const MANAGED_BY_MAX: usize = 63;

/// Checks a job on create and on update.
pub(super) fn job(errors: &mut Errors, job: &Value) {
    let (path, spec) = (Path::new("spec"), job.field("spec"));
    job_spec(errors, &path, spec);
    let selector = spec.field("selector");
    if selector.is_null() {
        errors.push(Error::required(&path.child("selector"), ""));
    }
    check::label_selector(errors, &path.child("selector"), selector);
    let labels = spec.at("/template/metadata/labels");
    if LabelSelector::from_json(selector).is_ok_and(|selector| !selector.matches_map(labels)) {
        errors.push(Error::invalid(
            &path.child("template.metadata.labels"),
            labels.clone(),
            "`selector` does not match template `labels`",
        ));
    }
}

/// Checks the `jobTemplate` of a cron job, whose selector is made later.
pub(crate) fn template_of_jobs(errors: &mut Errors, path: &Path, template: &Value) {
    let (spec, path) = (template.field("spec"), path.child("spec"));
    job_spec(errors, &path, spec);
    if !spec.field("selector").is_null() {
        errors.push(Error::invalid(
            &path.child("selector"),
            spec.field("selector").clone(),
            "`selector` will be auto-generated",
        ));
    }
    if spec.field("manualSelector").as_bool() == Some(true) {
        errors.push(Error::not_supported(
            &path.child("manualSelector"),
            true,
            &["nil", "false"],
        ));
    }
}

fn job_spec(errors: &mut Errors, path: &Path, spec: &Value) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        check::not_negative(errors, &path.child(field), spec.field(field));
    }
    by_index(errors, path, spec);
    managed_by(errors, &path.child("managedBy"), spec);
    completion_mode(errors, path, spec);
    failure_policy::pod_failure(errors, &path.child("podFailurePolicy"), spec);
    failure_policy::success(errors, &path.child("successPolicy"), spec);
    replacement(errors, &path.child("podReplacementPolicy"), spec);
    let (value, path) = (spec.field("template"), path.child("template"));
    template(errors, &path, value);
    restart_policy(errors, &path.child("spec.restartPolicy"), spec);
}

fn by_index(errors: &mut Errors, path: &Path, spec: &Value) {
    let per_index = spec.int("/backoffLimitPerIndex");
    if let Some(failed) = spec.int("/maxFailedIndexes") {
        let at = path.child("maxFailedIndexes");
        if per_index.is_none() {
            errors.push(Error::required(
                &path.child("backoffLimitPerIndex"),
                "when maxFailedIndexes is specified",
            ));
        }
        if spec.int("/completions").is_some_and(|wanted| failed > wanted) {
            errors.push(Error::invalid(
                &at,
                failed,
                "must be less than or equal to completions",
            ));
        }
        if failed > PARALLEL_INDEXES_MAX {
            errors.push(Error::invalid(
                &at,
                failed,
                format!("must be less than or equal to {PARALLEL_INDEXES_MAX}"),
            ));
        }
    }
    if let Some(limit) = per_index.filter(|_| spec.text("/completionMode") != "Indexed") {
        errors.push(Error::invalid(
            &path.child("backoffLimitPerIndex"),
            limit,
            "requires indexed completion mode",
        ));
    }
}

fn managed_by(errors: &mut Errors, path: &Path, spec: &Value) {
    let Some(manager) = spec.field("managedBy").as_str() else {
        return;
    };
    check::text(errors, path, manager, name::qualified_name(manager));
    if !manager.contains('/') {
        errors.push(Error::invalid(
            path,
            manager,
            "must be a domain-prefixed path (such as \"acme.io/foo\")",
        ));
    }
    if manager.len() > MANAGED_BY_MAX {
        errors.push(Error::too_long(path, MANAGED_BY_MAX));
    }
}

fn completion_mode(errors: &mut Errors, path: &Path, spec: &Value) {
    let Some(mode) = spec.field("completionMode").as_str() else {
        return;
    };
    check::one_of(
        errors,
        &path.child("completionMode"),
        mode,
        &["NonIndexed", "Indexed"],
    );
    if mode != "Indexed" {
        return;
    }
    if spec.int("/completions").is_none() {
        errors.push(Error::required(
            &path.child("completions"),
            "when completion mode is Indexed",
        ));
    }
    if let Some(parallelism) = spec
        .int("/parallelism")
        .filter(|count| *count > PARALLEL_INDEXES_MAX)
    {
        errors.push(Error::invalid(
            &path.child("parallelism"),
            parallelism,
            format!("must be less than or equal to {PARALLEL_INDEXES_MAX} when completion mode is Indexed"),
        ));
    }
}

fn replacement(errors: &mut Errors, path: &Path, spec: &Value) {
    let Some(policy) = spec.field("podReplacementPolicy").as_str() else {
        return;
    };
    if !spec.field("podFailurePolicy").is_null() {
        // Terminating pods can not be told from failed ones by a failure policy.
        check::one_of(errors, path, policy, &["Failed"]);
    } else {
        check::one_of(errors, path, policy, &["Failed", "TerminatingOrFailed"]);
    }
}

fn restart_policy(errors: &mut Errors, path: &Path, spec: &Value) {
    let policy = spec.text("/template/spec/restartPolicy");
    match policy {
        "" | "Always" => errors.push(Error::required(path, "valid values: \"OnFailure\", \"Never\"")),
        "OnFailure" | "Never" => {}
        other => errors.push(Error::not_supported(path, other, &["OnFailure", "Never"])),
    }
    if !spec.field("podFailurePolicy").is_null() && policy != "Never" {
        errors.push(Error::invalid(
            path,
            policy,
            "only \"Never\" is supported when podFailurePolicy is specified",
        ));
    }
}

/// A new job's pods carry its name and uid, and its selector selects the uid, unless it manages them itself.
pub(super) fn generated_selector(errors: &mut Errors, job: &Value) {
    if job.at("/spec/manualSelector").as_bool() == Some(true) {
        return;
    }
    let labels = job.at("/spec/template/metadata/labels");
    let path = Path::new("spec.template.metadata.labels");
    for (keys, wanted) in [
        (UID_LABELS, job.text("/metadata/uid")),
        (NAME_LABELS, job.text("/metadata/name")),
    ] {
        for key in keys {
            match labels.field(key).as_str() {
                None => errors.push(Error::required(&path.key(key), format!("must be '{wanted}'"))),
                Some(value) if value != wanted => errors.push(Error::invalid(
                    &path.key(key),
                    labels.clone(),
                    format!("must be '{wanted}'"),
                )),
                Some(_) => {}
            }
        }
    }
    let selector = job.at("/spec/selector");
    let selected = selector.field("matchLabels").field(CONTROLLER_UID).as_str();
    if selected != Some(job.text("/metadata/uid")) {
        errors.push(Error::invalid(
            &Path::new("spec.selector"),
            selector.clone(),
            "`selector` not auto-generated",
        ));
    }
}

//! What a job may be.

use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;

use super::{NAME_LABELS, UID_LABELS, failure_policy};
use crate::check::{self, Errors};
use crate::pod_template::template;

/// Bounds of jobs that count failures by index, or choose their manager.
const PARALLEL_INDEXES_MAX: i64 = 100_000;
const COMPLETIONS_MANY: i64 = 100_000;
const OF_MANY_MAX: i64 = 10_000;
const MANAGED_BY_MAX: usize = 63;

/// Checks a job on create and on update.
pub(super) fn job(errors: &mut Errors, job: &Value) {
    let spec = job.field("spec");
    generated_selector(errors, job);
    job_and_selector(errors, spec);
    let last = spec.int("/completions").unwrap_or_default() - 1;
    if spec.text("/completionMode") == "Indexed" && last >= 0 {
        let name = job.text("/metadata/name");
        let hostname = format!("{name}-{last}");
        if !name::dns1123_label(&hostname).is_empty() {
            errors.push(Error::invalid(
                &Path::new("metadata.name"),
                name,
                format!("will not able to create pod with invalid DNS label: {hostname}"),
            ));
        }
    }
}

/// Checks the spec of a job, whose selector was made by now.
pub(super) fn job_and_selector(errors: &mut Errors, spec: &Value) {
    let path = Path::new("spec");
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
    if !spec.field("maxFailedIndexes").is_null() && spec.field("backoffLimitPerIndex").is_null() {
        errors.push(Error::required(
            &path.child("backoffLimitPerIndex"),
            "when maxFailedIndexes is specified",
        ));
    }
    managed_by(errors, &path.child("managedBy"), spec);
    completion_mode(errors, path, spec);
    not_by_index(errors, path, spec);
    failure_policy::pod_failure(errors, &path.child("podFailurePolicy"), spec);
    failure_policy::success(errors, &path.child("successPolicy"), spec);
    replacement(errors, &path.child("podReplacementPolicy"), spec);
    let (value, path) = (spec.field("template"), path.child("template"));
    template(errors, &path, value);
    restart_policy(errors, &path.child("spec.restartPolicy"), spec);
}

/// What only jobs with indexes may say.
fn not_by_index(errors: &mut Errors, path: &Path, spec: &Value) {
    if !matches!(spec.text("/completionMode"), "" | "NonIndexed") {
        return;
    }
    for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
        if let Some(number) = spec.field(field).as_i64() {
            errors.push(Error::invalid(
                &path.child(field),
                number,
                "requires indexed completion mode",
            ));
        }
    }
}

fn managed_by(errors: &mut Errors, path: &Path, spec: &Value) {
    let Some(manager) = spec.field("managedBy").as_str() else {
        return;
    };
    if check::required(errors, path, manager) {
        check::domain_prefixed_path(errors, path, manager);
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
    failed_indexes(errors, path, spec);
}

/// How many indexes may fail, and how much may be at once where there are very many.
fn failed_indexes(errors: &mut Errors, path: &Path, spec: &Value) {
    let (failed, completions) = (spec.int("/maxFailedIndexes"), spec.int("/completions"));
    let failed_path = path.child("maxFailedIndexes");
    let mut too_many = |path: &Path, number: i64, bound: &str| {
        let problem = format!("must be less than or equal to {bound}");
        errors.push(Error::invalid(path, number, problem));
    };
    if let Some((failed, _)) = failed.zip(completions).filter(|(failed, wanted)| failed > wanted) {
        too_many(&failed_path, failed, "completions");
    }
    if let Some(failed) = failed.filter(|failed| *failed > PARALLEL_INDEXES_MAX) {
        too_many(&failed_path, failed, &PARALLEL_INDEXES_MAX.to_string());
    }
    let is_many = completions.is_some_and(|completions| completions > COMPLETIONS_MANY);
    if !is_many || spec.field("backoffLimitPerIndex").is_null() {
        return;
    }
    let bound = format!(
        "{OF_MANY_MAX} when completions are above {COMPLETIONS_MANY} and used with backoff limit per index"
    );
    let parallelism = spec.int("/parallelism").filter(|count| *count > OF_MANY_MAX);
    let over = failed.filter(|failed| *failed > OF_MANY_MAX);
    if failed.is_none() {
        errors.push(Error::required(
            &failed_path,
            format!("must be specified when completions is above {COMPLETIONS_MANY}"),
        ));
    }
    for (path, number) in [(path.child("parallelism"), parallelism), (failed_path, over)] {
        if let Some(number) = number {
            let problem = format!("must be less than or equal to {bound}");
            errors.push(Error::invalid(&path, number, problem));
        }
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
        "OnFailure" if !spec.field("podFailurePolicy").is_null() => errors.push(Error::invalid(
            path,
            policy,
            "only \"Never\" is supported when podFailurePolicy is specified",
        )),
        "OnFailure" | "Never" => {}
        other => errors.push(Error::not_supported(path, other, &["OnFailure", "Never"])),
    }
}

/// A job's pods carry its name and uid, and its selector selects them, unless it manages them itself.
fn generated_selector(errors: &mut Errors, job: &Value) {
    let selector = job.at("/spec/selector");
    if job.at("/spec/manualSelector").as_bool() == Some(true) || selector.is_null() {
        return;
    }
    let labels = job.at("/spec/template/metadata/labels");
    let path = Path::new("spec.template.metadata.labels");
    let (name, uid) = (job.text("/metadata/name"), job.text("/metadata/uid"));
    let mut expected = Map::new();
    for at in 0..NAME_LABELS.len() {
        for (keys, wanted) in [(UID_LABELS, uid), (NAME_LABELS, name)] {
            let Some(key) = keys.get(at) else { continue };
            expected.insert((*key).to_owned(), wanted.into());
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
    let expected = Value::Object(expected);
    if LabelSelector::from_json(selector).is_ok_and(|selector| !selector.matches_map(&expected)) {
        errors.push(Error::invalid(
            &Path::new("spec.selector"),
            selector.clone(),
            "`selector` not auto-generated",
        ));
    }
}

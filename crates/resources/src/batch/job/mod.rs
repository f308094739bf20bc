//! Jobs.

mod failure_policy;
mod indexes;
mod status;
mod table;
mod update;
mod validate;

use jiff::Timestamp;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::field::Error;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{Errors, same};
use crate::pod_template::{default_template, drop_disabled_of_template, elements, workload_warnings};
use crate::table::columns;

pub(crate) use validate::template_of_jobs;

const NAME_LABELS: &[&str] = &["job-name", "batch.kubernetes.io/job-name"];
const UID_LABELS: &[&str] = &["controller-uid", CONTROLLER_UID];
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

/// The strategy of jobs.
pub(crate) struct Job;

impl Strategy for Job {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            orphan_by_default: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/template");
        default_job(object);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_disabled_of_template(object, "/spec/template");
        object.set("/status", Map::new());
        if object.at("/spec/manualSelector").as_bool() != Some(true) {
            generate_selector(object);
        }
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        drop_disabled_of_template(new, "/spec/template");
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate::job(&mut errors, object);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update::validate(&mut errors, new, old);
        errors
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        status::validate(&mut errors, new, old);
        errors
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        workload_warnings("spec.template", new, old)
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        let succeeded = object.int("/status/succeeded").unwrap_or_default();
        Box::new([("status.successful".into(), succeeded.to_string().into())])
    }

    fn columns(&self) -> &'static [Column] {
        columns("jobs.batch")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        table::cells(object, now)
    }
}

/// A condition that a failure policy names is looked for as true, unless it says otherwise.
pub(super) fn default_conditions(owner: &mut Value, rules: &str) {
    for rule in elements(owner, rules) {
        for condition in elements(rule, "/onPodConditions") {
            if condition.text("/status").is_empty() {
                condition.set("/status", "True");
            }
        }
    }
}

fn default_job(job: &mut Value) {
    if !job.field("spec").is_object() {
        return;
    }
    let absent = |job: &Value, field: &str| job.field("spec").field(field).is_null();
    if absent(job, "parallelism") && absent(job, "completions") {
        job.set("/spec/completions", 1);
    }
    let backoff = if absent(job, "backoffLimitPerIndex") {
        6
    } else {
        i64::from(i32::MAX)
    };
    let replacement = if absent(job, "podFailurePolicy") {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    let defaults: [(&str, Value); 6] = [
        ("parallelism", 1.into()),
        ("backoffLimit", backoff.into()),
        ("completionMode", "NonIndexed".into()),
        ("suspend", false.into()),
        ("manualSelector", false.into()),
        ("podReplacementPolicy", replacement.into()),
    ];
    for (field, value) in defaults {
        if absent(job, field) {
            job.set(&format!("/spec/{field}"), value);
        }
    }
    default_conditions(job, "/spec/podFailurePolicy/rules");
    let labels = job.at("/spec/template/metadata/labels").clone();
    let has_labels = !same(&labels, &Value::Null);
    if has_labels && same(job.at("/metadata/labels"), &Value::Null) {
        job.set("/metadata/labels", labels);
    }
}

/// Labels the pods with the job's name and uid and selects them by the latter. Labels of the job that it has from
/// its template follow the template's, as upstream's shared map does.
fn generate_selector(job: &mut Value) {
    const LABELS: &str = "/spec/template/metadata/labels";
    let shared = same(job.at("/metadata/labels"), job.at(LABELS)) && !job.at(LABELS).is_null();
    let (name, uid) = (
        job.text("/metadata/name").to_owned(),
        job.text("/metadata/uid").to_owned(),
    );
    if let Some(labels) = job.object_at(LABELS) {
        for (keys, value) in [(NAME_LABELS, &name), (UID_LABELS, &uid)] {
            for key in keys {
                labels.entry(*key).or_insert_with(|| value.as_str().into());
            }
        }
    }
    if shared {
        let labels = job.at(LABELS).clone();
        job.set("/metadata/labels", labels);
    }
    if let Some(selected) = job.object_at("/spec/selector/matchLabels") {
        selected.entry(CONTROLLER_UID).or_insert_with(|| uid.into());
    }
}

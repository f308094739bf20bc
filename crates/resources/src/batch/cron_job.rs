//! Cron jobs.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use warren_apimachinery::cron::Schedule;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::job::{default_conditions, template_of_jobs};
use super::time_zone;
use crate::check::{self, Errors};
use crate::pod_template::{default_template, drop_disabled_of_template, workload_warnings};
use crate::table::{age, columns, containers_and_images, name, or_none, selector_text, since};

/// Jobs add eleven characters to the name, and a name has at most 63.
const NAME_MAX: usize = 52;

/// The strategy of cron jobs.
pub(crate) struct CronJob;

impl Strategy for CronJob {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/spec/jobTemplate/spec/template");
        default_conditions(object, "/spec/jobTemplate/spec/podFailurePolicy/rules");
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_disabled_of_template(object, "/spec/jobTemplate/spec/template");
        object.set("/status", Map::new());
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        drop_disabled_of_template(new, "/spec/jobTemplate/spec/template");
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        let text = spec.text("/schedule");
        if check::required(&mut errors, &path.child("schedule"), text)
            && let Err(problem) = Schedule::parse(text, TimeZone::UTC)
        {
            errors.push(Error::invalid(&path.child("schedule"), text, problem));
        }
        check::not_negative(
            &mut errors,
            &path.child("startingDeadlineSeconds"),
            spec.field("startingDeadlineSeconds"),
        );
        check::required_one_of(
            &mut errors,
            &path.child("concurrencyPolicy"),
            spec.text("/concurrencyPolicy"),
            &["Allow", "Forbid", "Replace"],
        );
        if let Some(zone) = spec.field("timeZone").as_str() {
            let wrong = time_zone::check(zone).into_iter();
            errors.extend(wrong.map(|problem| Error::invalid(&path.child("timeZone"), zone, problem)));
        }
        template_of_jobs(&mut errors, &path.child("jobTemplate"), spec.field("jobTemplate"));
        for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            check::not_negative(&mut errors, &path.child(field), spec.field(field));
        }
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let name = object.text("/metadata/name");
        if name.len() > NAME_MAX {
            errors.push(Error::invalid(
                &Path::new("metadata.name"),
                name,
                format!("must be no more than {NAME_MAX} characters"),
            ));
        }
        errors.extend(zone_in_schedule(object.field("spec"), None));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let was = old.text("/spec/schedule");
        zone_in_schedule(new.field("spec"), Some(was))
            .into_iter()
            .collect()
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let mut warnings = workload_warnings("spec.jobTemplate.spec.template", new, old);
        let text = new.text("/spec/schedule");
        if text.contains("TZ") {
            warnings.push(
                "spec.schedule: TZ or CRON_TZ used in schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
                    .to_owned(),
            );
        }
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("cronjobs.batch")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let last = object.at("/status/lastScheduleTime");
        let last = if last.is_null() {
            "<none>".to_owned()
        } else {
            since(last, now)
        };
        let suspend = match object.at("/spec/suspend").as_bool() {
            None => "<unset>",
            Some(true) => "True",
            Some(false) => "False",
        };
        let job = object.at("/spec/jobTemplate/spec");
        let (containers, images) = containers_and_images(job.at("/template/spec"));
        let selector = match job.field("selector") {
            Value::Null => "<none>".to_owned(),
            selector => selector_text(selector),
        };
        vec![
            name(object),
            object.text("/spec/schedule").into(),
            or_none(object.text("/spec/timeZone")),
            suspend.into(),
            object.items("/status/active").len().into(),
            last.into(),
            age(object, now),
            containers.into(),
            images.into(),
            selector.into(),
        ]
    }
}

/// A zone has a field of its own; only what had one in its schedule keeps it there.
fn zone_in_schedule(spec: &Value, was: Option<&str>) -> Option<Error> {
    let text = spec.text("/schedule");
    if !text.contains("TZ") {
        return None;
    }
    let problem = match was.is_some_and(|was| was.contains("TZ")) {
        false => "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        true if !spec.field("timeZone").is_null() => {
            "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        }
        true => return None,
    };
    Some(Error::invalid(&Path::new("spec.schedule"), text, problem))
}

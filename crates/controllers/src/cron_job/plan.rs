//! What a CronJob does now: pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJobSpec, CronJobStatus, JobSpec, JobStatus};

use super::CronJob;
use crate::timestamp;
use crate::view::Parts;
use warren_apimachinery::cron::Schedule;

/// A Job that the CronJob made.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) parts: Parts<JobSpec, JobStatus>,
}

impl Child {
    /// `Complete` or `Failed`.
    pub(super) fn finished(&self) -> Option<&str> {
        let conditions = self.parts.status.conditions.iter().flatten();
        conditions
            .filter(|condition| condition.status == "True")
            .map(|condition| condition.type_.as_str())
            .find(|kind| matches!(*kind, "Complete" | "Failed"))
    }

    fn started(&self) -> Option<Timestamp> {
        let start = self.parts.status.start_time.as_ref();
        start
            .or(self.parts.metadata.creation_timestamp.as_ref())
            .map(|time| time.0)
    }
}

/// Finished jobs beyond the limits, the oldest first.
pub(super) fn surplus<'a>(spec: &CronJobSpec, children: &'a [Child]) -> Vec<&'a Child> {
    let limits = [
        ("Complete", spec.successful_jobs_history_limit),
        ("Failed", spec.failed_jobs_history_limit),
    ];
    let mut surplus = Vec::new();
    for (outcome, limit) in limits {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
            continue;
        };
        let mut finished: Vec<_> = children
            .iter()
            .filter(|child| child.finished() == Some(outcome))
            .collect();
        finished.sort_by(|a, b| (a.started(), &a.name).cmp(&(b.started(), &b.name)));
        let count = finished.len().saturating_sub(limit);
        surplus.extend(finished.into_iter().take(count));
    }
    surplus
}

/// The latest completion, of what was told before and of the children.
pub(super) fn last_success(status: &CronJobStatus, children: &[Child]) -> Option<Timestamp> {
    let completions = children
        .iter()
        .filter(|child| child.finished() == Some("Complete"))
        .filter_map(|child| child.parts.status.completion_time.as_ref());
    completions
        .chain(&status.last_successful_time)
        .map(|time| time.0)
        .max()
}

/// Whether it is time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Not yet.
    NotYet,
    /// A run is due since then.
    Now { scheduled: Timestamp, many_missed: bool },
    /// A run was due then, and its deadline has passed.
    TooLate(Timestamp),
}

/// The schedule; an error names the event's reason and message.
pub(super) fn schedule(spec: &CronJobSpec) -> Result<Schedule, (&'static str, String)> {
    let zone = match &spec.time_zone {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|_| {
            (
                "UnknownTimeZone",
                format!("invalid timeZone: {name:?}: unknown time zone {name}"),
            )
        })?,
    };
    Schedule::parse(&spec.schedule, zone).map_err(|why| {
        let text = &spec.schedule;
        (
            "UnparseableSchedule",
            format!("unparseable schedule: {text:?} : {why}"),
        )
    })
}

/// Whether a run is due at `now`.
pub(super) fn due(cron: &CronJob, schedule: &Schedule, now: Timestamp) -> Due {
    let last = cron.status.last_schedule_time.as_ref();
    let created = cron.metadata.creation_timestamp.as_ref();
    let mut earliest = last.or(created).map_or(now, |time| time.0);
    let deadline = cron.spec.starting_deadline_seconds;
    if let Some(seconds) = deadline {
        earliest = earliest.max(timestamp::after_seconds(now, -seconds));
    }
    let Some(scheduled) = schedule.last_between(earliest, now) else {
        return Due::NotYet;
    };
    if deadline.is_some_and(|seconds| timestamp::after_seconds(scheduled, seconds) < now) {
        return Due::TooLate(scheduled);
    }
    Due::Now {
        scheduled,
        many_missed: deadline.is_none() && missed_many(schedule, earliest, now),
    }
}

/// More than a hundred runs were missed: a clock is wrong, or the controller was away.
fn missed_many(schedule: &Schedule, earliest: Timestamp, now: Timestamp) -> bool {
    let Some(first) = schedule.next(earliest) else {
        return false;
    };
    let Some(second) = schedule.next(first) else {
        return false;
    };
    let between = (second.as_second() - first.as_second()).max(1);
    (now.as_second() - first.as_second()) / between + 1 > 100
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cron(spec: Value, last: Option<&str>) -> CronJob {
        let mut value = json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"schedule": "*/5 * * * *", "jobTemplate": {}}, "status": {}});
        for (name, field) in spec.as_object().unwrap() {
            value["spec"][name] = field.clone();
        }
        if let Some(last) = last {
            value["status"]["lastScheduleTime"] = json!(last);
        }
        serde_json::from_value(value).unwrap()
    }

    fn check(cron: &CronJob, now: &str, expect: Due) {
        let schedule = schedule(&cron.spec).unwrap();
        assert_eq!(due(cron, &schedule, now.parse().unwrap()), expect, "{now}");
    }

    #[test]
    fn a_run_is_due_once_per_time_of_the_schedule() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let new = cron(json!({}), None);
        check(&new, "2026-01-01T00:04:59Z", Due::NotYet);
        let due = Due::Now {
            scheduled: time("2026-01-01T00:05:00Z"),
            many_missed: false,
        };
        check(&new, "2026-01-01T00:05:00Z", due.clone());
        check(
            &cron(json!({}), Some("2026-01-01T00:05:00Z")),
            "2026-01-01T00:09:00Z",
            Due::NotYet,
        );
        let latest = Due::Now {
            scheduled: time("2026-01-01T00:15:00Z"),
            many_missed: false,
        };
        check(&new, "2026-01-01T00:16:00Z", latest);
        let many = Due::Now {
            scheduled: time("2026-01-02T00:00:00Z"),
            many_missed: true,
        };
        check(&new, "2026-01-02T00:00:00Z", many);
    }

    #[test]
    fn a_deadline_forgets_what_was_missed_before_it() {
        let strict = cron(json!({"startingDeadlineSeconds": 60}), None);
        check(&strict, "2026-01-01T00:07:00Z", Due::NotYet);
        let scheduled = "2026-01-01T00:05:00Z".parse().unwrap();
        check(
            &strict,
            "2026-01-01T00:05:30Z",
            Due::Now {
                scheduled,
                many_missed: false,
            },
        );
    }

    #[test]
    fn what_is_wrong_names_its_event() {
        let bad_zone = schedule(&cron(json!({"timeZone": "Mars/Base"}), None).spec).unwrap_err();
        assert_eq!(bad_zone.0, "UnknownTimeZone");
        let bad = schedule(&cron(json!({"schedule": "x"}), None).spec).unwrap_err();
        assert_eq!(bad.0, "UnparseableSchedule");
    }
}

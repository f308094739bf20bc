//! CronJobs: a Job at each time of a schedule. Owns the shell; `plan` decides what is due.

mod plan;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJobSpec, CronJobStatus};
use serde_json::{Map, Value, json};
use warren_apimachinery::cron::Schedule;
use warren_apimachinery::resource::{CRON_JOBS, JOBS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason};
use warren_reconciler::event::{About, Recorder};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Propagation, ReconcileError, Reconciler, Triggers,
};

use crate::owner::{self, controller_reference};
use crate::pod_control::namespace_is_terminating;
use crate::status::Fields;
use crate::timestamp;
use crate::view::{Parts, view};

use plan::{Child, Due};

const RECORDER: Recorder = Recorder {
    component: "cronjob-controller",
};
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// The controller.
pub(crate) struct CronJobs;

type CronJob = Parts<CronJobSpec, CronJobStatus>;

/// One pass over one CronJob.
struct Pass<'a> {
    cx: &'a Context,
    object: Arc<Object>,
    cron: CronJob,
    /// `status.active` as it will be written.
    active: Vec<Value>,
    last_schedule: Option<Timestamp>,
    last_success: Option<Timestamp>,
}

#[async_trait]
impl Reconciler for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob"
    }

    fn watches(&self) -> &'static [Resource] {
        &[CRON_JOBS, JOBS]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if CRON_JOBS.is(&change.resource) {
            out.add(change.object.key());
        } else if let Some(key) = owner::controller_key(change.object.meta(), &CRON_JOBS) {
            out.add(key);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&CRON_JOBS, key) else {
            return Ok(Next::Wait);
        };
        let cron: CronJob = view(&object)?;
        let mut children = Vec::new();
        for job in cx.cluster.list(&JOBS, Some(&key.namespace)) {
            if owner::is_controlled_by(job.meta(), object.meta()) {
                children.push(Child {
                    name: job.meta().name.to_string(),
                    uid: job.meta().uid.to_string(),
                    parts: view(&job)?,
                });
            }
        }
        let pass = Pass {
            cx,
            active: object.to_value().items("/status/active").to_vec(),
            last_schedule: cron.status.last_schedule_time.as_ref().map(|time| time.0),
            last_success: plan::last_success(&cron.status, &children),
            object,
            cron,
        };
        pass.run(&children).await
    }
}

impl Pass<'_> {
    fn about(&self) -> About<'_> {
        RECORDER.about(self.cx, &CRON_JOBS, &self.object)
    }

    async fn run(mut self, children: &[Child]) -> Result<Next, ReconcileError> {
        for job in plan::surplus(&self.cron.spec, children) {
            self.delete(&job.name, &job.uid).await?;
        }
        self.track(children).await;
        let next = self.schedule().await;
        self.write_status().await?;
        next
    }

    async fn write_status(&self) -> Result<(), ReconcileError> {
        let status = Fields::default()
            .list("active", self.active.clone())
            .option("lastScheduleTime", self.last_schedule.map(timestamp::text))
            .option("lastSuccessfulTime", self.last_success.map(timestamp::text))
            .build();
        let cluster = self.cx.cluster.as_ref();
        crate::status::write(cluster, &CRON_JOBS, &self.object, status).await?;
        Ok(())
    }

    /// Forgets active jobs that ended or are gone, and tells of it.
    async fn track(&mut self, children: &[Child]) {
        for child in children {
            let known = self
                .active
                .iter()
                .any(|reference| reference.text("/uid") == child.uid);
            match child.finished() {
                Some(condition) if known => {
                    self.forget(&child.uid);
                    let message = format!("Saw completed job: {}, condition: {condition}", child.name);
                    self.about().normal("SawCompletedJob", message).await;
                }
                None if !known => {
                    let message = format!(
                        "Saw a job that the controller did not create or forgot: {}",
                        child.name
                    );
                    self.about().warning("UnexpectedJob", message).await;
                }
                _ => {}
            }
        }
        let gone: Vec<(String, String)> = self
            .active
            .iter()
            .filter(|reference| !children.iter().any(|child| child.uid == reference.text("/uid")))
            .map(|reference| {
                (
                    reference.text("/name").to_owned(),
                    reference.text("/uid").to_owned(),
                )
            })
            .collect();
        for (name, uid) in gone {
            let message = format!("Active job went missing: {name}");
            self.about().normal("MissingJob", message).await;
            self.forget(&uid);
        }
    }

    fn forget(&mut self, uid: &str) {
        self.active.retain(|reference| reference.text("/uid") != uid);
    }

    async fn delete(&self, name: &str, uid: &str) -> Result<(), ReconcileError> {
        let key = ObjectKey::namespaced(self.object.meta().namespace.clone(), name);
        let options = DeleteOptions {
            uid: Some(uid.to_owned()),
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        match self.cx.cluster.delete(&JOBS, &key, options).await {
            Ok(()) => {
                self.about()
                    .normal("SuccessfulDelete", format!("Deleted job {name}"))
                    .await;
                Ok(())
            }
            Err(status) if status.is(StatusReason::NotFound) => Ok(()),
            Err(status) => {
                self.about()
                    .warning("FailedDelete", format!("Deleted job: {status}"))
                    .await;
                Err(status.into())
            }
        }
    }

    /// Starts a run if one is due. Answers when to look again.
    async fn schedule(&mut self) -> Result<Next, ReconcileError> {
        let now = self.cx.now;
        if self.object.meta().deleting || self.cron.spec.suspend.unwrap_or_default() {
            return Ok(Next::Wait);
        }
        let schedule = match plan::schedule(&self.cron.spec) {
            Ok(schedule) => schedule,
            Err((reason, message)) => {
                self.about().warning(reason, message).await;
                return Ok(Next::Wait);
            }
        };
        match plan::due(&self.cron, &schedule, now) {
            Due::NotYet => {}
            Due::TooLate(scheduled) => {
                let time = scheduled.strftime("%a, %d %b %Y %H:%M:%S +0000");
                let message = format!("Missed scheduled time to start a job: {time}");
                self.about().warning("MissSchedule", message).await;
            }
            Due::Now {
                scheduled,
                many_missed,
            } => {
                if many_missed {
                    let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                    self.about().warning("TooManyMissedTimes", message).await;
                }
                self.start(scheduled).await?;
            }
        }
        Ok(next(&schedule, now))
    }

    async fn start(&mut self, scheduled: Timestamp) -> Result<(), ReconcileError> {
        match self.cron.spec.concurrency_policy.as_deref() {
            Some("Forbid") if !self.active.is_empty() => {
                let message =
                    "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.about().normal("JobAlreadyActive", message).await;
                return Ok(());
            }
            Some("Replace") => {
                for running in std::mem::take(&mut self.active) {
                    self.delete(running.text("/name"), running.text("/uid")).await?;
                }
            }
            _ => {}
        }
        let job = self.job(scheduled);
        let name = job.text("/metadata/name").to_owned();
        match self.cx.cluster.create(&JOBS, job).await {
            Ok(job) => {
                self.about()
                    .normal("SuccessfulCreate", format!("Created job {name}"))
                    .await;
                self.active.push(reference(&job));
            }
            // The status was not written after an earlier pass made it.
            Err(status) if status.is(StatusReason::AlreadyExists) => self.take_existing(&name),
            Err(status) if namespace_is_terminating(&status) => return Ok(()),
            Err(status) => {
                self.about()
                    .warning("FailedCreate", format!("Error creating job: {status}"))
                    .await;
                return Err(ReconcileError::Retry(status.to_string()));
            }
        }
        self.last_schedule = Some(scheduled);
        Ok(())
    }

    fn take_existing(&mut self, name: &str) {
        let key = ObjectKey::namespaced(self.object.meta().namespace.clone(), name);
        let ours = self.cx.cluster.get(&JOBS, &key);
        let ours = ours.filter(|job| owner::is_controlled_by(job.meta(), self.object.meta()));
        if let Some(job) = ours
            && !self
                .active
                .iter()
                .any(|known| known.text("/uid") == job.meta().uid)
        {
            self.active.push(reference(&job));
        }
    }

    /// The job of one run: named by its minute, so that it cannot be made twice.
    fn job(&self, scheduled: Timestamp) -> Value {
        let value = self.object.to_value();
        let template = value.at("/spec/jobTemplate");
        let meta = self.object.meta();
        let mut metadata = Map::new();
        metadata.insert(
            "name".into(),
            format!("{}-{}", meta.name, scheduled.as_second() / 60).into(),
        );
        metadata.insert("namespace".into(), meta.namespace.as_str().into());
        if template.at("/metadata/labels").is_object() {
            metadata.insert("labels".into(), template.at("/metadata/labels").clone());
        }
        let mut annotations = template
            .at("/metadata/annotations")
            .as_object()
            .cloned()
            .unwrap_or_default();
        annotations.insert(SCHEDULED_AT.into(), self.local(scheduled).into());
        metadata.insert("annotations".into(), annotations.into());
        metadata.insert(
            "ownerReferences".into(),
            json!([controller_reference(&CRON_JOBS, meta)]),
        );
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template.at("/spec")})
    }

    /// The time in the CronJob's zone, if it names one.
    fn local(&self, time: Timestamp) -> String {
        let zone = self.cron.spec.time_zone.as_deref();
        match zone.and_then(|zone| time.in_tz(zone).ok()) {
            Some(zoned) => zoned
                .strftime("%Y-%m-%dT%H:%M:%S%:z")
                .to_string()
                .replace("+00:00", "Z"),
            None => timestamp::text(time),
        }
    }
}

fn reference(job: &Object) -> Value {
    let meta = job.meta();
    json!({"apiVersion": "batch/v1", "kind": "Job", "name": meta.name, "namespace": meta.namespace,
        "uid": meta.uid, "resourceVersion": meta.revision.to_string()})
}

fn next(schedule: &Schedule, now: Timestamp) -> Next {
    schedule
        .next(now)
        .map_or(Next::Wait, |at| Next::After(timestamp::until(at, now)))
}

#[cfg(test)]
mod tests;

//! Jobs: pods until enough of them succeeded. Owns the shell; `tally` counts, `outcome` decides when it is over, `plan`
//! what comes next.

mod failure_policy;
mod index_failures;
mod indexes;
mod outcome;
mod plan;
mod tally;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{JobSpec, JobStatus};
use serde_json::{Value, json};
use warren_apimachinery::resource::{JOBS, PODS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::label_selector;
use crate::owner;
use crate::pod::{self, Pod};
use crate::pod_control::{self, PodControl};
use crate::timestamp;
use crate::view::{Parts, view};

use outcome::Outcome;
use plan::{New, Plan};

const RECORDER: Recorder = Recorder {
    component: "job-controller",
};
/// Keeps a pod until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
const THIS_CONTROLLER: &str = "kubernetes.io/job-controller";

/// The controller.
pub(crate) struct Jobs;

/// A Job as a pass sees it.
struct Job {
    object: Arc<Object>,
    parts: Parts<JobSpec, JobStatus>,
}

impl Job {
    fn of(object: Arc<Object>) -> Result<Self, ReconcileError> {
        let parts = view(&object)?;
        Ok(Self { object, parts })
    }

    fn is_indexed(&self) -> bool {
        self.parts.spec.completion_mode.as_deref() == Some("Indexed")
    }

    fn is_suspended(&self) -> bool {
        self.parts.spec.suspend.unwrap_or_default()
    }

    fn completions(&self) -> Option<i64> {
        self.parts.spec.completions.map(i64::from)
    }

    /// A pod is replaced when it failed, not already when it is going.
    fn replaces_only_failed(&self) -> bool {
        let policy = self.parts.spec.pod_replacement_policy.as_deref();
        policy == Some("Failed") || (policy.is_none() && self.parts.spec.pod_failure_policy.is_some())
    }

    fn started(&self) -> Option<Timestamp> {
        self.parts.status.start_time.as_ref().map(|time| time.0)
    }

    /// When `activeDeadlineSeconds` run out; never while suspended.
    fn deadline(&self) -> Option<Timestamp> {
        self.deadline_from(self.started())
    }

    fn deadline_from(&self, start: Option<Timestamp>) -> Option<Timestamp> {
        let seconds = self
            .parts
            .spec
            .active_deadline_seconds
            .filter(|_| !self.is_suspended())?;
        Some(timestamp::after_seconds(start?, seconds))
    }

    fn is_finished(&self) -> bool {
        let conditions = self.parts.status.conditions.iter().flatten();
        conditions
            .filter(|condition| condition.status == "True")
            .any(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"))
    }

    fn is_managed_elsewhere(&self) -> bool {
        let manager = self.parts.spec.managed_by.as_deref();
        manager.is_some_and(|manager| manager != THIS_CONTROLLER)
    }
}

/// The index of a pod of an indexed job.
fn completion_index(pod: &Pod) -> Option<i64> {
    pod.metadata.annotations.get(COMPLETION_INDEX)?.parse().ok()
}

#[async_trait]
impl Reconciler for Jobs {
    fn name(&self) -> &'static str {
        "job"
    }

    fn watches(&self) -> &'static [Resource] {
        &[JOBS, PODS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if JOBS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        owner::trigger(change, cluster, &JOBS, out);
        let meta = change.object.meta();
        let tracked = meta.finalizers.iter().any(|finalizer| finalizer == TRACKING);
        if let Some(job) = meta
            .label(JOB_NAME)
            .filter(|_| tracked && meta.controller().is_none())
        {
            out.add(ObjectKey::namespaced(meta.namespace.clone(), job));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let object = cx.cluster.get(&JOBS, key);
        release_strays(cx, key, object.as_deref()).await?;
        let Some(object) = object else {
            return Ok(Next::Wait);
        };
        let job = Job::of(object)?;
        if job.is_managed_elsewhere() {
            return Ok(Next::Wait);
        }
        let pods = pods(cx, &job).await?;
        if job.is_finished() {
            for pod in pods.iter().filter(|pod| tally::is_tracked(pod)) {
                release(cx, &pod.object).await?;
            }
            return Ok(Next::Wait);
        }
        let plan = plan::plan(&job, &pods, cx.now);
        carry_out(cx, job, &plan).await?;
        Ok(plan.after.map_or(Next::Wait, Next::After))
    }
}

async fn pods(cx: &Context, job: &Job) -> Result<Vec<Pod>, ReconcileError> {
    let meta = job.object.meta();
    let cluster = cx.cluster.as_ref();
    let selector = label_selector::of_object(&job.object);
    let candidates = cluster.list(&PODS, Some(&meta.namespace));
    let claimed = owner::claim(cluster, (&JOBS, meta), &selector, (&PODS, candidates)).await?;
    Ok(claimed.into_iter().map(Pod::of).collect())
}

/// Pods that hold the finalizer of a job that is gone, or that no job controls any more.
async fn release_strays(cx: &Context, key: &ObjectKey, job: Option<&Object>) -> Result<(), ReconcileError> {
    let uid = job.map(|job| job.meta().uid.as_str());
    let strays = pod::list(cx.cluster.as_ref(), &key.namespace, |meta| {
        let tracked = meta.finalizers.iter().any(|finalizer| finalizer == TRACKING);
        tracked
            && match meta.controller() {
                Some(owner) => {
                    owner::names(owner, &JOBS) && owner.name == key.name && Some(owner.uid.as_str()) != uid
                }
                None => job.is_none() && meta.label(JOB_NAME) == Some(&key.name),
            }
    });
    for pod in strays {
        release(cx, &pod.object).await?;
    }
    Ok(())
}

async fn release(cx: &Context, pod: &Object) -> Result<(), ReconcileError> {
    let meta = pod.meta();
    let left: Vec<_> = meta
        .finalizers
        .iter()
        .filter(|finalizer| *finalizer != TRACKING)
        .collect();
    let patch = json!({"metadata": {"uid": meta.uid, "resourceVersion": meta.revision.to_string(),
        "finalizers": left}});
    match cx.cluster.merge_patch(&PODS, &pod.key(), Part::Main, patch).await {
        Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
        _ => Ok(()),
    }
}

async fn carry_out(cx: &Context, job: Job, plan: &Plan<'_>) -> Result<(), ReconcileError> {
    let cluster = cx.cluster.as_ref();
    let about = RECORDER.about(cx, &JOBS, &job.object);
    let created = crate::status::write(cluster, &JOBS, &job.object, plan.status.clone()).await;
    created?;
    match plan.suspension {
        Some("Suspended") => about.normal("Suspended", "Job suspended").await,
        Some(_) => about.normal("Resumed", "Job resumed").await,
        None => {}
    }
    match &plan.concluded {
        Some(Outcome { success: true, .. }) => about.normal("Completed", "Job completed").await,
        Some(outcome) => about.warning(&outcome.reason, outcome.message.as_str()).await,
        None => {}
    }
    let control = PodControl {
        cx,
        recorder: RECORDER,
        resource: &JOBS,
        owner: &job.object,
    };
    for pod in &plan.dismiss {
        release(cx, &pod.object).await?;
        control.delete(&pod.object).await?;
    }
    for pod in &plan.delete {
        control.delete(&pod.object).await?;
    }
    for pod in &plan.release {
        if let Some(current) = cluster.get(&PODS, &pod.object.key()) {
            release(cx, &current).await?;
        }
    }
    let pods = plan.create.iter().map(|new| new_pod(&job.object, *new)).collect();
    control.create_all(pods).await?;
    Ok(())
}

/// A pod of the job; of an indexed one, it learns its index by annotation, label, host name and variable.
fn new_pod(job: &Object, new: New) -> Value {
    let value = job.to_value();
    let mut pod = pod_control::from_template(&JOBS, job, value.at("/spec/template"));
    let mut finalizers = pod.items("/metadata/finalizers").to_vec();
    finalizers.push(TRACKING.into());
    pod.set("/metadata/finalizers", finalizers);
    let name = &job.meta().name;
    let Some(index) = new.index else {
        pod.set("/metadata/generateName", pod_control::generate_name(name));
        return pod;
    };
    pod.set("/metadata/generateName", format!("{name}-{index}-"));
    let path = COMPLETION_INDEX.replace('/', "~1");
    pod.set(&format!("/metadata/annotations/{path}"), index.to_string());
    pod.set(&format!("/metadata/labels/{path}"), index.to_string());
    if let Some(failures) = new.failures {
        let mut annotate = |name: &str, count: i64| {
            let name = name.replace('/', "~1");
            pod.set(&format!("/metadata/annotations/{name}"), count.to_string());
        };
        annotate(index_failures::FAILURES, failures.counted);
        if failures.ignored > 0 {
            annotate(index_failures::IGNORED, failures.ignored);
        }
    }
    if pod.text("/spec/hostname").is_empty() {
        pod.set("/spec/hostname", format!("{name}-{index}"));
    }
    let variable = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom":
        {"fieldRef": {"apiVersion": "v1", "fieldPath": format!("metadata.labels['{COMPLETION_INDEX}']")}}});
    for list in ["/spec/initContainers", "/spec/containers"] {
        let mut containers = pod.items(list).to_vec();
        for container in &mut containers {
            let mut env = container.items("/env").to_vec();
            if !env
                .iter()
                .any(|known| known.text("/name") == "JOB_COMPLETION_INDEX")
            {
                env.push(variable.clone());
                container.set("/env", env);
            }
        }
        if !containers.is_empty() {
            pod.set(list, containers);
        }
    }
    pod
}

#[cfg(test)]
mod tests;

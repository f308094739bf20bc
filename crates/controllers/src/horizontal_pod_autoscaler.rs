//! HorizontalPodAutoscalers without a metrics API: targets are kept within their bounds, and the status says why no more
//! is done, as upstream's does where no metrics server is installed.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus, MetricSpec,
};
use serde_json::{Value, json};
use warren_apimachinery::resource::{
    DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};

use crate::condition::{self, Said};
use crate::status::Fields;
use crate::timestamp;
use crate::view::{Parts, view};

const RECORDER: Recorder = Recorder {
    component: "horizontal-pod-autoscaler",
};
const SCALABLE: [&Resource; 4] = [
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &STATEFUL_SETS,
    &REPLICATION_CONTROLLERS,
];

/// The controller.
pub(crate) struct HorizontalPodAutoscalers;

type Autoscaler = Parts<HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus>;

/// What is done with a target of a size.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Scaled to zero by hand: left alone.
    Disabled,
    /// Into the bounds.
    Rescale(i64, &'static str),
    /// Metrics would be needed.
    NoMetrics,
}

fn verdict(spec: &HorizontalPodAutoscalerSpec, current: i64) -> Verdict {
    let min = i64::from(spec.min_replicas.unwrap_or(1));
    let max = i64::from(spec.max_replicas);
    if current == 0 && min != 0 {
        Verdict::Disabled
    } else if current > max {
        Verdict::Rescale(max, "Current number of replicas above Spec.MaxReplicas")
    } else if current < min {
        Verdict::Rescale(min, "Current number of replicas below Spec.MinReplicas")
    } else {
        Verdict::NoMetrics
    }
}

/// The reason and message that upstream gives for a metric that cannot be read.
fn unreadable(metric: Option<&MetricSpec>) -> (&'static str, String) {
    let resource = metric.and_then(|metric| metric.resource.as_ref());
    let resource = resource.map_or("cpu", |resource| resource.name.as_str());
    match metric.map_or("Resource", |metric| metric.type_.as_str()) {
        "Pods" => ("FailedGetPodsMetric", custom("pods")),
        "Object" => ("FailedGetObjectMetric", custom("object")),
        "External" => (
            "FailedGetExternalMetric",
            "unable to get external metric: unable to fetch metrics from external metrics API: the server could not find the requested resource".to_owned(),
        ),
        "ContainerResource" => ("FailedGetContainerResourceMetric", of_resource(resource)),
        _ => ("FailedGetResourceMetric", of_resource(resource)),
    }
}

fn of_resource(resource: &str) -> String {
    format!(
        "failed to get {resource} utilization: unable to get metrics for resource {resource}: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    )
}

fn custom(kind: &str) -> String {
    format!(
        "unable to get metric for {kind}: unable to fetch metrics from custom metrics API: the server could not find the requested resource"
    )
}

#[async_trait]
impl Reconciler for HorizontalPodAutoscalers {
    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    fn watches(&self) -> &'static [Resource] {
        &[
            HORIZONTAL_POD_AUTOSCALERS,
            DEPLOYMENTS,
            REPLICA_SETS,
            STATEFUL_SETS,
            REPLICATION_CONTROLLERS,
        ]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if HORIZONTAL_POD_AUTOSCALERS.is(&change.resource) {
            out.add(change.object.key());
            return;
        }
        let meta = change.object.meta();
        for autoscaler in cluster.list(&HORIZONTAL_POD_AUTOSCALERS, Some(&meta.namespace)) {
            let value = autoscaler.to_value();
            let target = value.at("/spec/scaleTargetRef");
            let of_kind = SCALABLE
                .iter()
                .any(|r| r.is(&change.resource) && r.kind == target.text("/kind"));
            if of_kind && target.text("/name") == meta.name {
                out.add(autoscaler.key());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&HORIZONTAL_POD_AUTOSCALERS, key) else {
            return Ok(Next::Wait);
        };
        let autoscaler: Autoscaler = view(&object)?;
        let target = &autoscaler.spec.scale_target_ref;
        let resource = SCALABLE.into_iter().find(|resource| resource.kind == target.kind);
        let target_key = ObjectKey::namespaced(key.namespace.clone(), target.name.as_str());
        let found = resource.and_then(|resource| Some((resource, cx.cluster.get(resource, &target_key)?)));
        let mut pass = Pass {
            cx,
            conditions: object.to_value().items("/status/conditions").to_vec(),
            last_scale: autoscaler.status.last_scale_time.as_ref().map(|time| time.0),
            object,
            autoscaler,
        };
        match found {
            Some((resource, found)) => pass.act(resource, &found).await?,
            None => pass.target_missing(resource).await?,
        }
        Ok(Next::Wait)
    }
}

struct Pass<'a> {
    cx: &'a Context,
    object: Arc<Object>,
    autoscaler: Autoscaler,
    conditions: Vec<Value>,
    last_scale: Option<jiff::Timestamp>,
}

impl Pass<'_> {
    fn say(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let said = Said {
            kind,
            status,
            reason,
            message: message.to_owned(),
        };
        condition::set(&mut self.conditions, &said, self.cx.now);
    }

    async fn warn_once(&self, kind: &str, reason: &str, message: &str) {
        // Upstream repeats this every 15 s; here nothing runs while nothing changes, so once is said once.
        let old = self.object.to_value();
        let known = old
            .items("/status/conditions")
            .iter()
            .any(|condition| condition.text("/type") == kind && condition.text("/reason") == reason);
        if !known {
            let about = RECORDER.about(self.cx, &HORIZONTAL_POD_AUTOSCALERS, &self.object);
            about.warning(reason, message).await;
        }
    }

    async fn target_missing(&mut self, resource: Option<&Resource>) -> Result<(), ReconcileError> {
        let target = self.autoscaler.spec.scale_target_ref.clone();
        let why = match resource {
            Some(resource) if resource.group.is_empty() => {
                format!("{}/scale {:?} not found", resource.plural, target.name)
            }
            Some(resource) => format!(
                "{}/scale.{} {:?} not found",
                resource.plural, resource.group, target.name
            ),
            None => format!(
                "no matches for kind {:?} in group {:?}",
                target.kind,
                target.api_version.unwrap_or_default()
            ),
        };
        self.warn_once("AbleToScale", "FailedGetScale", &why).await;
        let message = format!("the HPA controller was unable to get the target's current scale: {why}");
        self.say("AbleToScale", "False", "FailedGetScale", &message);
        let told = self.autoscaler.status.clone();
        self.write(
            i64::from(told.current_replicas.unwrap_or_default()),
            i64::from(told.desired_replicas),
        )
        .await
    }

    async fn act(&mut self, resource: &Resource, target: &Object) -> Result<(), ReconcileError> {
        let current = target.to_value().int("/spec/replicas").unwrap_or(1);
        let got = "the HPA controller was able to get the target's current scale";
        match verdict(&self.autoscaler.spec, current) {
            Verdict::Disabled => {
                self.say("AbleToScale", "True", "SucceededGetScale", got);
                let message = "scaling is disabled since the replica count of the target is zero";
                self.say("ScalingActive", "False", "ScalingDisabled", message);
                self.write(current, 0).await
            }
            Verdict::Rescale(size, why) => {
                let patch = json!({"spec": {"replicas": size}});
                self.cx
                    .cluster
                    .merge_patch(resource, &target.key(), Part::Main, patch)
                    .await?;
                let about = RECORDER.about(self.cx, &HORIZONTAL_POD_AUTOSCALERS, &self.object);
                about
                    .normal("SuccessfulRescale", format!("New size: {size}; reason: {why}"))
                    .await;
                let message = format!("the HPA controller was able to update the target scale to {size}");
                self.say("AbleToScale", "True", "SucceededRescale", &message);
                self.last_scale = Some(self.cx.now);
                self.write(current, size).await
            }
            Verdict::NoMetrics => {
                let metrics = self.autoscaler.spec.metrics.clone().unwrap_or_default();
                let (reason, why) = unreadable(metrics.first());
                self.warn_once("ScalingActive", reason, &why).await;
                self.say("AbleToScale", "True", "SucceededGetScale", got);
                let message = format!("the HPA was unable to compute the replica count: {why}");
                self.say("ScalingActive", "False", reason, &message);
                self.write(current, current).await
            }
        }
    }

    async fn write(&self, current: i64, desired: i64) -> Result<(), ReconcileError> {
        let status = Fields::default()
            .number(
                "observedGeneration",
                self.autoscaler.metadata.generation.unwrap_or_default(),
            )
            .option("lastScaleTime", self.last_scale.map(timestamp::text))
            .number("currentReplicas", current)
            .with("desiredReplicas", desired)
            .list("conditions", self.conditions.clone())
            .build();
        let cluster = self.cx.cluster.as_ref();
        crate::status::write(cluster, &HORIZONTAL_POD_AUTOSCALERS, &self.object, status).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeCluster, NOW};

    fn check(min: i32, max: i32, current: i64, expect: Verdict) {
        let spec: HorizontalPodAutoscalerSpec = serde_json::from_value(json!({"minReplicas": min,
            "maxReplicas": max, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}))
        .unwrap();
        assert_eq!(verdict(&spec, current), expect);
    }

    #[test]
    fn targets_are_kept_within_their_bounds() {
        check(2, 5, 3, Verdict::NoMetrics);
        check(2, 5, 0, Verdict::Disabled);
        check(
            2,
            5,
            1,
            Verdict::Rescale(2, "Current number of replicas below Spec.MinReplicas"),
        );
        check(
            2,
            5,
            9,
            Verdict::Rescale(5, "Current number of replicas above Spec.MaxReplicas"),
        );
    }

    #[tokio::test]
    async fn the_status_says_that_there_are_no_metrics() {
        let cluster = FakeCluster::new();
        cluster.put(&HORIZONTAL_POD_AUTOSCALERS, json!({"metadata": {"name": "web"}, "spec": {"minReplicas": 2,
            "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}));
        cluster.settle(&[&HorizontalPodAutoscalers], NOW).await;
        let conditions = |cluster: &FakeCluster| {
            let value = cluster.value(&HORIZONTAL_POD_AUTOSCALERS, "default/web");
            let conditions = value.items("/status/conditions").iter();
            conditions
                .map(|c| format!("{} {} {}", c.text("/type"), c.text("/status"), c.text("/reason")))
                .collect::<Vec<_>>()
        };
        assert_eq!(conditions(&cluster), ["AbleToScale False FailedGetScale"]);
        cluster.put(
            &DEPLOYMENTS,
            json!({"metadata": {"name": "web"}, "spec": {"replicas": 1}}),
        );
        cluster.settle(&[&HorizontalPodAutoscalers], NOW).await;
        assert_eq!(
            cluster.value(&DEPLOYMENTS, "default/web").int("/spec/replicas"),
            Some(2)
        );
        assert_eq!(
            conditions(&cluster),
            [
                "AbleToScale True SucceededGetScale",
                "ScalingActive False FailedGetResourceMetric"
            ]
        );
        assert!(
            cluster.events().contains(
                &"SuccessfulRescale New size: 2; reason: Current number of replicas below Spec.MinReplicas"
                    .to_owned()
            )
        );
    }
}

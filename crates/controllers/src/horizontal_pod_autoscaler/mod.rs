//! HorizontalPodAutoscalers: targets are kept within their bounds, and follow what their pods use of cpu and memory where
//! the cluster has a metrics API. Where it has none, and for metrics of other kinds, the status says why no more is done,
//! as upstream's does where no such API is installed.
//!
//! Owns the one memory that a controller keeps between passes: what was recommended of late, as upstream does.

mod behavior;
mod measure;
mod replicas;
mod target;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus};
use serde_json::Value;
use warren_apimachinery::resource::{
    DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Object, ObjectKey, Resource};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

use crate::condition::{self, Said};
use crate::resource_metrics::ResourceMetrics;
use crate::status::Fields;
use crate::timestamp;
use crate::view::{Parts, view};
use behavior::History;
use target::Target;

const RECORDER: Recorder = Recorder {
    component: "horizontal-pod-autoscaler",
};
const SCALABLE: [&Resource; 4] = [
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &STATEFUL_SETS,
    &REPLICATION_CONTROLLERS,
];

/// How often metrics are looked at.
const AGAIN: Duration = Duration::from_secs(15);

/// The controller.
pub(crate) struct HorizontalPodAutoscalers {
    metrics: Arc<dyn ResourceMetrics>,
    /// Bound: the autoscalers that have a metric; an entry goes with its autoscaler.
    histories: Mutex<HashMap<(ClusterId, ObjectKey), History>>,
}

impl HorizontalPodAutoscalers {
    pub(crate) fn new(metrics: Arc<dyn ResourceMetrics>) -> Self {
        Self {
            metrics,
            histories: Mutex::default(),
        }
    }

    fn with_history<T>(&self, cx: &Context, key: &ObjectKey, work: impl FnOnce(&mut History) -> T) -> T {
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        work(
            histories
                .entry((cx.cluster.id().clone(), key.clone()))
                .or_default(),
        )
    }

    fn forget(&self, cx: &Context, key: &ObjectKey) {
        let mut histories = self.histories.lock().unwrap_or_else(PoisonError::into_inner);
        histories.remove(&(cx.cluster.id().clone(), key.clone()));
    }
}

const GOT: &str = "the HPA controller was able to get the target's current scale";

type Autoscaler = Parts<HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus>;

/// What is done with a target of a size.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Scaled to zero by hand: left alone.
    Disabled,
    /// Into the bounds.
    Rescale(i64, &'static str),
    /// What the metrics say.
    Measure,
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
        Verdict::Measure
    }
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
            self.forget(cx, key);
            return Ok(Next::Wait);
        };
        let autoscaler: Autoscaler = view(&object)?;
        let found = Target::find(
            cx.cluster.as_ref(),
            &key.namespace,
            &autoscaler.spec.scale_target_ref,
        );
        let mut pass = Pass {
            controller: self,
            cx,
            current_metrics: Vec::new(),
            conditions: object.to_value().items("/status/conditions").to_vec(),
            last_scale: autoscaler.status.last_scale_time.as_ref().map(|time| time.0),
            object,
            autoscaler,
        };
        match found {
            Ok(target) => pass.act(&target).await,
            Err(missing) => pass.target_missing(&missing.why).await.map(|()| missing.next),
        }
    }
}

struct Pass<'a> {
    controller: &'a HorizontalPodAutoscalers,
    cx: &'a Context,
    /// What the status tells of the metrics.
    current_metrics: Vec<Value>,
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

    async fn target_missing(&mut self, why: &str) -> Result<(), ReconcileError> {
        self.warn_once("AbleToScale", "FailedGetScale", why).await;
        let message = format!("the HPA controller was unable to get the target's current scale: {why}");
        self.say("AbleToScale", "False", "FailedGetScale", &message);
        let told = self.autoscaler.status.clone();
        self.write(
            i64::from(told.current_replicas.unwrap_or_default()),
            i64::from(told.desired_replicas),
        )
        .await
    }

    async fn act(&mut self, target: &Target) -> Result<Next, ReconcileError> {
        let current = target.replicas;
        match verdict(&self.autoscaler.spec, current) {
            Verdict::Disabled => {
                self.say("AbleToScale", "True", "SucceededGetScale", GOT);
                let message = "scaling is disabled since the replica count of the target is zero";
                self.say("ScalingActive", "False", "ScalingDisabled", message);
                self.write(current, 0).await?;
                Ok(target.next())
            }
            Verdict::Rescale(size, why) => {
                self.rescale(target, size, why).await?;
                self.write(current, size).await?;
                Ok(target.next())
            }
            Verdict::Measure => self.follow(target).await,
        }
    }

    async fn rescale(&mut self, target: &Target, size: i64, why: &str) -> Result<(), ReconcileError> {
        target.scale(self.cx.cluster.as_ref(), size).await?;
        let about = RECORDER.about(self.cx, &HORIZONTAL_POD_AUTOSCALERS, &self.object);
        about
            .normal("SuccessfulRescale", format!("New size: {size}; reason: {why}"))
            .await;
        let message = format!("the HPA controller was able to update the target scale to {size}");
        self.say("AbleToScale", "True", "SucceededRescale", &message);
        self.last_scale = Some(self.cx.now);
        let now = self.cx.now;
        let key = self.object.key();
        self.controller.with_history(self.cx, &key, |history| {
            history.scaled(now, size - target.replicas)
        });
        Ok(())
    }

    /// Follows the metrics, as far as they can be had.
    async fn follow(&mut self, target: &Target) -> Result<Next, ReconcileError> {
        let current = target.replicas;
        self.say("AbleToScale", "True", "SucceededGetScale", GOT);
        let selector = match &target.selector {
            Ok(selector) => selector,
            Err(invalid) => {
                self.warn_once("ScalingActive", invalid.event, &invalid.message)
                    .await;
                self.say("ScalingActive", "False", "InvalidSelector", &invalid.condition);
                self.write(current, current).await?;
                return Ok(target.next());
            }
        };
        let measured = measure::measure(self, selector, current).await;
        self.current_metrics = measured.told;
        let again = if measured.is_served {
            Next::After(AGAIN)
        } else {
            target.next()
        };
        let wanted = match measured.wanted {
            Ok(wanted) => wanted,
            Err((reason, why)) => {
                self.warn_once("ScalingActive", reason, &why).await;
                let message = format!("the HPA was unable to compute the replica count: {why}");
                self.say("ScalingActive", "False", reason, &message);
                self.write(current, current).await?;
                return Ok(again);
            }
        };
        let message = format!(
            "the HPA was able to successfully calculate a replica count from {}",
            wanted.metric
        );
        self.say("ScalingActive", "True", "ValidMetricFound", &message);
        let spec = &self.autoscaler.spec;
        let (key, now) = (self.object.key(), self.cx.now);
        let bounded = self.controller.with_history(self.cx, &key, |history| {
            history.bound(spec, (current, wanted.replicas), now)
        });
        self.say("AbleToScale", "True", bounded.able.0, bounded.able.1);
        let is_limited = if bounded.is_limited { "True" } else { "False" };
        self.say("ScalingLimited", is_limited, bounded.limit.0, bounded.limit.1);
        if bounded.replicas != current {
            let why = if wanted.replicas > current {
                format!("{} above target", wanted.metric)
            } else {
                "All metrics below target".to_owned()
            };
            self.rescale(target, bounded.replicas, &why).await?;
        }
        self.write(current, bounded.replicas).await?;
        Ok(again)
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
            .list("currentMetrics", self.current_metrics.clone())
            .list("conditions", self.conditions.clone())
            .build();
        let cluster = self.cx.cluster.as_ref();
        crate::status::write(cluster, &HORIZONTAL_POD_AUTOSCALERS, &self.object, status).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::resource::PODS;

    use super::*;
    use crate::fake::{FakeCluster, NOW};
    use crate::resource_metrics::PodUsage;

    /// What the metrics API says of every namespace.
    struct Measured(Option<Vec<PodUsage>>);

    #[async_trait]
    impl ResourceMetrics for Measured {
        async fn usage(&self, _: &ClusterId, _: &str) -> Option<Result<Vec<PodUsage>, String>> {
            self.0.clone().map(Ok)
        }
    }

    fn autoscalers(metrics: Measured) -> HorizontalPodAutoscalers {
        HorizontalPodAutoscalers::new(Arc::new(metrics))
    }

    #[tokio::test]
    async fn a_target_follows_what_its_pods_use() {
        let cluster = FakeCluster::new();
        cluster.put(&HORIZONTAL_POD_AUTOSCALERS, json!({"metadata": {"name": "web"}, "spec": {"minReplicas": 1,
            "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 50}}}]}}));
        cluster.put(
            &DEPLOYMENTS,
            json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}}}),
        );
        cluster.put(
            &PODS,
            json!({"metadata": {"name": "web-1", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "100m"}}}]},
            "status": {"phase": "Running", "startTime": "2020-01-01T00:00:00Z", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}}),
        );
        let usage = PodUsage {
            pod: "web-1".into(),
            at: NOW.parse().ok(),
            containers: vec![("app".into(), [("cpu".into(), 150)].into())],
            ..PodUsage::default()
        };
        cluster
            .settle(&[&autoscalers(Measured(Some(vec![usage])))], NOW)
            .await;
        let status = cluster.value(&HORIZONTAL_POD_AUTOSCALERS, "default/web");
        assert_eq!(
            cluster.value(&DEPLOYMENTS, "default/web").int("/spec/replicas"),
            Some(3)
        );
        assert_eq!(
            *status.at("/status/currentMetrics"),
            json!([{"type": "Resource", "resource": {"name": "cpu",
                "current": {"averageUtilization": 150, "averageValue": "150m"}}}])
        );
        assert!(
            cluster
                .events()
                .iter()
                .any(|event| event.contains("cpu resource utilization (percentage of request) above target"))
        );
    }

    fn check(min: i32, max: i32, current: i64, expect: Verdict) {
        let spec: HorizontalPodAutoscalerSpec = serde_json::from_value(json!({"minReplicas": min,
            "maxReplicas": max, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}))
        .unwrap();
        assert_eq!(verdict(&spec, current), expect);
    }

    #[test]
    fn targets_are_kept_within_their_bounds() {
        check(2, 5, 3, Verdict::Measure);
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
        cluster.settle(&[&autoscalers(Measured(None))], NOW).await;
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
        cluster.settle(&[&autoscalers(Measured(None))], NOW).await;
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

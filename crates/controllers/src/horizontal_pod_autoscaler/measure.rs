//! What the metrics of an autoscaler ask for, all of them together.

use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, MetricSpec, MetricTarget};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::LabelSelector;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;

use super::Pass;
use super::replicas::{Aim, Proposal, Scene, TOLERANCE, Target, propose, thousandths};
use crate::resource_metrics::PodUsage;

/// What the metrics say.
pub(super) struct Measured {
    /// The greatest number that a metric asks for; else the reason and message of the first that cannot be read.
    pub(super) wanted: Result<Wanted, (&'static str, String)>,
    /// `status.currentMetrics`.
    pub(super) told: Vec<Value>,
    /// Whether there is a metrics API, so that it is worth to look again.
    pub(super) is_served: bool,
}

/// How many, and because of which metric.
pub(super) struct Wanted {
    pub(super) replicas: i64,
    pub(super) metric: String,
}

pub(super) async fn measure(pass: &Pass<'_>, selector: &LabelSelector, current: i64) -> Measured {
    let metrics = pass.autoscaler.spec.metrics.clone().unwrap_or_default();
    let namespace = &pass.object.meta().namespace;
    let usage = pass
        .controller
        .metrics
        .usage(pass.cx.cluster.id(), namespace)
        .await;
    let is_served = usage.is_some();
    let all = pass.cx.cluster.list(&PODS, Some(namespace)).into_iter();
    let selected = all.filter(|pod| selector.matches(pod.meta()));
    let pods: Vec<Pod> = selected.filter_map(|pod| pod.view().ok()).collect();
    let (mut told, mut best, mut wrong) = (Vec::new(), None::<Wanted>, Vec::new());
    for metric in &metrics {
        let found = read(metric, usage.as_ref()).and_then(|(aim, usage)| {
            let names = |usage: &&PodUsage| {
                pods.iter()
                    .any(|pod| pod.metadata.name.as_deref() == Some(&usage.pod))
            };
            let usage: Vec<PodUsage> = usage.iter().filter(names).cloned().collect();
            let scene = Scene {
                current,
                pods: &pods,
                usage: &usage,
                tolerance: tolerance(pass),
                now: pass.cx.now,
            };
            propose(&aim, &scene)
                .map(|proposal| (aim, proposal))
                .map_err(|why| failed(metric, &why))
        });
        match found {
            Ok((aim, proposal)) => {
                told.push(current_of(metric, &aim, &proposal));
                if best.as_ref().is_none_or(|best| best.replicas < proposal.replicas) {
                    best = Some(Wanted {
                        replicas: proposal.replicas,
                        metric: name(&aim),
                    });
                }
            }
            Err(why) => wrong.push(why),
        }
    }
    Measured {
        wanted: together(best, wrong, (metrics.len(), current)),
        told,
        is_served,
    }
}

/// As upstream: a metric that cannot be read holds back what would shrink the target.
fn together(
    best: Option<Wanted>,
    wrong: Vec<(&'static str, String)>,
    (count, current): (usize, i64),
) -> Result<Wanted, (&'static str, String)> {
    let invalid = wrong.len();
    match (best, wrong.into_iter().next()) {
        (Some(best), None) => Ok(best),
        (Some(best), Some(_)) if best.replicas >= current => Ok(best),
        (_, Some((reason, first))) if count <= 1 => Err((reason, first)),
        (_, Some((reason, first))) => Err((
            reason,
            format!("invalid metrics ({invalid} invalid out of {count}), first error is: {first}"),
        )),
        (None, None) => Err(failed_resource("cpu", NOT_SERVED)),
    }
}

const NOT_SERVED: &str = "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";

/// What a metric is about, and what its pods use.
fn read<'a>(
    metric: &MetricSpec,
    usage: Option<&'a Result<Vec<PodUsage>, String>>,
) -> Result<(Aim, &'a [PodUsage]), (&'static str, String)> {
    let aim = aim(metric).ok_or_else(|| unserved(metric))?;
    match usage {
        None => Err(unserved(metric)),
        Some(Err(why)) => {
            let why = format!(
                "unable to get metrics for resource {0}: unable to fetch metrics from resource metrics API: {why}",
                aim.resource
            );
            Err(failed(metric, &why))
        }
        Some(Ok(usage)) => Ok((aim, usage)),
    }
}

/// `None` for what is no metric of a resource.
fn aim(metric: &MetricSpec) -> Option<Aim> {
    let (resource, container, target) = match metric.type_.as_str() {
        "Resource" => {
            let resource = metric.resource.as_ref()?;
            (&resource.name, "", &resource.target)
        }
        "ContainerResource" => {
            let resource = metric.container_resource.as_ref()?;
            (&resource.name, resource.container.as_str(), &resource.target)
        }
        _ => return None,
    };
    Some(Aim {
        resource: SmolStr::new(resource),
        container: SmolStr::new(container),
        target: wanted(target)?,
    })
}

fn wanted(target: &MetricTarget) -> Option<Target> {
    let value = target
        .average_value
        .as_ref()
        .map(|value| Target::Value(thousandths(&value.0)));
    value.or_else(|| {
        target
            .average_utilization
            .map(|percent| Target::Utilization(i64::from(percent)))
    })
}

fn name(aim: &Aim) -> String {
    match aim.target {
        Target::Utilization(_) => format!("{} resource utilization (percentage of request)", aim.resource),
        Target::Value(_) => format!("{} resource", aim.resource),
    }
}

/// An entry of `status.currentMetrics`.
fn current_of(metric: &MetricSpec, aim: &Aim, proposal: &Proposal) -> Value {
    let mut current = json!({"averageValue": quantity(proposal.value)});
    if let Some(percent) = proposal.utilization {
        current.set("/averageUtilization", percent);
    }
    let mut source = json!({"name": aim.resource, "current": current});
    let field = match aim.container.as_str() {
        "" => "resource",
        container => {
            source.set("/container", container);
            "containerResource"
        }
    };
    json!({"type": metric.type_, field: source})
}

/// Thousandths, as a quantity is written.
fn quantity(thousandths: i64) -> String {
    match thousandths % 1000 {
        0 => (thousandths / 1000).to_string(),
        _ => format!("{thousandths}m"),
    }
}

/// Above and below the target.
fn tolerance(pass: &Pass<'_>) -> (f64, f64) {
    let behavior = pass.autoscaler.spec.behavior.as_ref();
    let of = |rules: Option<&HPAScalingRules>| {
        let said = rules.and_then(|rules| rules.tolerance.as_ref());
        said.map_or(TOLERANCE, |said| thousandths(&said.0) as f64 / 1000.0)
    };
    (
        of(behavior.and_then(|behavior| behavior.scale_up.as_ref())),
        of(behavior.and_then(|behavior| behavior.scale_down.as_ref())),
    )
}

fn failed(metric: &MetricSpec, why: &str) -> (&'static str, String) {
    let resource = metric.resource.as_ref().map(|resource| resource.name.as_str());
    let of_container = metric
        .container_resource
        .as_ref()
        .map(|resource| resource.name.as_str());
    let name = resource.or(of_container).unwrap_or("cpu");
    let (reason, message) = failed_resource(name, why);
    match metric.type_.as_str() {
        "ContainerResource" => ("FailedGetContainerResourceMetric", message),
        _ => (reason, message),
    }
}

fn failed_resource(resource: &str, why: &str) -> (&'static str, String) {
    (
        "FailedGetResourceMetric",
        format!("failed to get {resource} utilization: {why}"),
    )
}

/// The reason and message that upstream gives where the API of a metric is not installed.
fn unserved(metric: &MetricSpec) -> (&'static str, String) {
    let custom = |kind: &str| {
        format!(
            "unable to get metric for {kind}: unable to fetch metrics from custom metrics API: the server could not find the requested resource"
        )
    };
    match metric.type_.as_str() {
        "Pods" => ("FailedGetPodsMetric", custom("pods")),
        "Object" => ("FailedGetObjectMetric", custom("object")),
        "External" => (
            "FailedGetExternalMetric",
            "unable to get external metric: unable to fetch metrics from external metrics API: the server could not find the requested resource".to_owned(),
        ),
        _ => {
            let resource = metric.resource.as_ref().map(|resource| resource.name.as_str());
            let of_container = metric.container_resource.as_ref().map(|resource| resource.name.as_str());
            let why = NOT_SERVED.replace("resource cpu", &format!("resource {}", resource.or(of_container).unwrap_or("cpu")));
            failed(metric, &why)
        }
    }
}

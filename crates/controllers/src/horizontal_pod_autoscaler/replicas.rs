//! How many replicas a resource metric asks for: upstream's replica calculator. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Pod};
use smol_str::SmolStr;
use warren_apimachinery::quantity::Quantity;

use crate::resource_metrics::PodUsage;

/// How long a starting pod's cpu is not believed.
const CPU_INITIALIZATION: SignedDuration = SignedDuration::from_secs(300);
/// How long a pod may take to become ready for the first time.
const INITIAL_READINESS: SignedDuration = SignedDuration::from_secs(30);
/// How far from the target nothing is done.
pub(super) const TOLERANCE: f64 = 0.1;

/// What is wanted of a resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aim {
    /// `cpu` or `memory`.
    pub(super) resource: SmolStr,
    /// Of one container; of all if empty.
    pub(super) container: SmolStr,
    pub(super) target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// Percent of what is requested.
    Utilization(i64),
    /// Thousandths per pod.
    Value(i64),
}

/// What the metric asks for, and what it is now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proposal {
    pub(super) replicas: i64,
    /// Percent; only for a target of utilization.
    pub(super) utilization: Option<i64>,
    /// Thousandths per pod.
    pub(super) value: i64,
}

/// What is known when replicas are counted.
pub(super) struct Scene<'a> {
    pub(super) current: i64,
    pub(super) pods: &'a [Pod],
    pub(super) usage: &'a [PodUsage],
    /// Above and below the target.
    pub(super) tolerance: (f64, f64),
    pub(super) now: Timestamp,
}

/// A pod's value by its name.
type Values = BTreeMap<String, i64>;

/// # Errors
/// Upstream's text.
pub(super) fn propose(aim: &Aim, scene: &Scene<'_>) -> Result<Proposal, String> {
    let mut metrics = values(aim, scene.usage)?;
    let groups = Groups::of(aim, scene, &metrics);
    metrics.retain(|name, _| !groups.ignored.contains(name) && !groups.unready.contains(name));
    if metrics.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
    }
    let requests = match aim.target {
        Target::Utilization(_) => requests(aim, scene.pods)?,
        Target::Value(_) => Values::new(),
    };
    let now = ratio(aim.target, &metrics, &requests)?;
    let replicas = groups.replicas(aim.target, scene, metrics, (&requests, now.ratio))?;
    Ok(Proposal {
        replicas,
        utilization: now.utilization,
        value: now.value,
    })
}

/// What each pod uses; a pod of which a container was not measured is left out.
fn values(aim: &Aim, usage: &[PodUsage]) -> Result<Values, String> {
    let mut all = Values::new();
    for pod in usage {
        let mut of_pod = pod.containers.iter();
        let value = if aim.container.is_empty() {
            of_pod
                .map(|(_, used)| used.get(&aim.resource).copied())
                .sum::<Option<i64>>()
        } else {
            let found = of_pod.find(|(name, _)| *name == aim.container);
            let (_, used) = found.ok_or_else(|| {
                format!(
                    "container {} not present in metrics for pod {}",
                    aim.container, pod.pod
                )
            })?;
            used.get(&aim.resource).copied()
        };
        if let Some(value) = value {
            all.insert(pod.pod.to_string(), value);
        }
    }
    if all.is_empty() {
        return Err("no metrics returned from resource metrics API".to_owned());
    }
    Ok(all)
}

struct Groups {
    ready: i64,
    unready: BTreeSet<String>,
    missing: BTreeSet<String>,
    ignored: BTreeSet<String>,
}

impl Groups {
    fn of(aim: &Aim, scene: &Scene<'_>, metrics: &Values) -> Self {
        let mut groups = Self {
            ready: 0,
            unready: BTreeSet::new(),
            missing: BTreeSet::new(),
            ignored: BTreeSet::new(),
        };
        for pod in scene.pods {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if pod.metadata.deletion_timestamp.is_some() || phase == Some("Failed") {
                groups.ignored.insert(name);
            } else if phase == Some("Pending") {
                groups.unready.insert(name);
            } else if !metrics.contains_key(&name) {
                groups.missing.insert(name);
            } else if aim.resource == "cpu" && is_starting(pod, scene) {
                groups.unready.insert(name);
            } else {
                groups.ready += 1;
            }
        }
        groups
    }

    fn replicas(
        &self,
        target: Target,
        scene: &Scene<'_>,
        mut metrics: Values,
        (requests, ratio_now): (&Values, f64),
    ) -> Result<i64, String> {
        let (above, below) = scene.tolerance;
        let is_near = |ratio: f64| ratio <= 1.0 + above && ratio >= 1.0 - below;
        let fills_up = !self.unready.is_empty() && ratio_now > 1.0;
        if !fills_up && self.missing.is_empty() {
            return Ok(if is_near(ratio_now) {
                scene.current
            } else {
                rounded_up(ratio_now * self.ready as f64)
            });
        }
        for name in &self.missing {
            if ratio_now < 1.0 {
                metrics.insert(name.clone(), assumed(target, requests, name));
            } else if ratio_now > 1.0 {
                metrics.insert(name.clone(), 0);
            }
        }
        if fills_up {
            metrics.extend(self.unready.iter().map(|name| (name.clone(), 0)));
        }
        let then = ratio(target, &metrics, requests)?.ratio;
        let turned = (ratio_now < 1.0 && then > 1.0) || (ratio_now > 1.0 && then < 1.0);
        if is_near(then) || turned {
            return Ok(scene.current);
        }
        let replicas = rounded_up(then * metrics.len() as f64);
        let is_against = (then < 1.0 && replicas > scene.current) || (then > 1.0 && replicas < scene.current);
        Ok(if is_against { scene.current } else { replicas })
    }
}

/// What a pod that was not measured is taken to use, so that nothing is scaled down for want of a metric.
fn assumed(target: Target, requests: &Values, name: &str) -> i64 {
    match target {
        Target::Utilization(percent) => {
            requests.get(name).copied().unwrap_or_default() * percent.max(100) / 100
        }
        Target::Value(value) => value,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a count of replicas; what is beyond its range saturates"
)]
fn rounded_up(replicas: f64) -> i64 {
    replicas.ceil() as i64
}

struct Ratio {
    ratio: f64,
    utilization: Option<i64>,
    value: i64,
}

fn ratio(target: Target, metrics: &Values, requests: &Values) -> Result<Ratio, String> {
    match target {
        Target::Value(wanted) => {
            let count = i64::try_from(metrics.len()).unwrap_or(i64::MAX).max(1);
            let value = metrics.values().sum::<i64>() / count;
            Ok(Ratio {
                ratio: value as f64 / wanted.max(1) as f64,
                utilization: None,
                value,
            })
        }
        Target::Utilization(wanted) => {
            let both = metrics
                .iter()
                .filter_map(|(name, used)| Some((used, requests.get(name)?)));
            let (mut used, mut requested, mut count) = (0, 0, 0);
            for (of_pod, request) in both {
                used += of_pod;
                requested += request;
                count += 1;
            }
            if requested == 0 {
                return Err("no metrics returned matched known pods".to_owned());
            }
            let utilization = used * 100 / requested;
            Ok(Ratio {
                ratio: utilization as f64 / wanted.max(1) as f64,
                utilization: Some(utilization),
                value: used / count,
            })
        }
    }
}

/// What each pod requests.
fn requests(aim: &Aim, pods: &[Pod]) -> Result<Values, String> {
    let mut all = Values::new();
    for pod in pods {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let Some(spec) = &pod.spec else { continue };
        let of_pod = spec
            .resources
            .as_ref()
            .and_then(|resources| resources.requests.as_ref());
        let of_pod = of_pod.and_then(|requests| requests.get(aim.resource.as_str()));
        if let Some(request) = of_pod.filter(|_| aim.container.is_empty()) {
            all.insert(name, thousandths(&request.0));
            continue;
        }
        let restarted = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
        let sidecars = spec.init_containers.iter().flatten().filter(restarted);
        let mut sum = 0;
        for container in spec.containers.iter().chain(sidecars) {
            if !aim.container.is_empty() && aim.container != container.name {
                continue;
            }
            let requests = container
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref());
            let request = requests.and_then(|requests| requests.get(aim.resource.as_str()));
            let request = request.ok_or_else(|| {
                format!(
                    "missing request for {} in container {} of Pod {name}",
                    aim.resource, container.name
                )
            })?;
            sum += thousandths(&request.0);
        }
        all.insert(name, sum);
    }
    Ok(all)
}

pub(super) fn thousandths(quantity: &str) -> i64 {
    Quantity::parse(quantity).map_or(0, |quantity| quantity.milli_value())
}

/// Whether a pod's cpu says more of its start than of its work.
fn is_starting(pod: &Pod, scene: &Scene<'_>) -> bool {
    let status = pod.status.as_ref();
    let mut conditions = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.find(|condition| condition.type_ == "Ready");
    let started = status
        .and_then(|status| status.start_time.as_ref())
        .map(|time| time.0);
    let (Some(ready), Some(started)) = (ready, started) else {
        return true;
    };
    let turned = ready.last_transition_time.as_ref().map_or(started, |time| time.0);
    if started + CPU_INITIALIZATION > scene.now {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let metric = scene.usage.iter().find(|usage| usage.pod == name);
        let is_early = metric.is_some_and(|metric| metric.at.is_some_and(|at| at < turned + metric.window));
        return ready.status == "False" || is_early;
    }
    ready.status == "False" && started + INITIAL_READINESS > turned
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn pod(name: &str, phase: &str, request: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"containers": [
                {"name": "app", "resources": {"requests": {"cpu": request}}}]},
            "status": {"phase": phase, "startTime": "1969-12-31T00:00:00Z", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "1969-12-31T00:00:00Z"}]}}))
        .unwrap()
    }

    fn used(name: &str, cpu: i64) -> PodUsage {
        PodUsage {
            pod: name.into(),
            at: Some(NOW),
            containers: vec![("app".into(), [("cpu".into(), cpu)].into())],
            ..PodUsage::default()
        }
    }

    #[track_caller]
    fn check(target: Target, pods: &[(&str, &str)], usage: &[(&str, i64)], expect: Result<i64, &str>) {
        let aim = Aim {
            resource: "cpu".into(),
            container: SmolStr::default(),
            target,
        };
        let pods: Vec<Pod> = pods.iter().map(|(name, phase)| pod(name, phase, "1")).collect();
        let usage: Vec<PodUsage> = usage.iter().map(|(name, cpu)| used(name, *cpu)).collect();
        let scene = Scene {
            current: i64::try_from(pods.len()).unwrap(),
            pods: &pods,
            usage: &usage,
            tolerance: (TOLERANCE, TOLERANCE),
            now: NOW,
        };
        let got = propose(&aim, &scene).map(|proposal| proposal.replicas);
        assert_eq!(got, expect.map_err(str::to_owned));
    }

    #[test]
    fn replicas_follow_the_ratio_of_use_to_target() {
        let three = [("a", "Running"), ("b", "Running"), ("c", "Running")];
        let half = Target::Utilization(50);
        check(half, &three, &[("a", 900), ("b", 950), ("c", 1000)], Ok(6));
        check(half, &three, &[("a", 100), ("b", 100), ("c", 100)], Ok(1));
        check(half, &three, &[("a", 520), ("b", 520), ("c", 520)], Ok(3));
        check(
            Target::Value(500),
            &three,
            &[("a", 900), ("b", 900), ("c", 1200)],
            Ok(6),
        );
    }

    #[test]
    fn pods_that_were_not_measured_hold_back_either_way() {
        let three = [("a", "Running"), ("b", "Running"), ("c", "Running")];
        let half = Target::Utilization(50);
        // Down: taken to use all they asked for. Up: taken to use nothing.
        check(half, &three, &[("a", 100), ("b", 100)], Ok(3));
        check(half, &three, &[("a", 1000), ("b", 1000)], Ok(4));
        let starting = [("a", "Running"), ("b", "Pending"), ("c", "Running")];
        check(half, &starting, &[("a", 1000), ("c", 1000)], Ok(4));
    }

    #[test]
    fn what_is_missing_is_said() {
        let half = Target::Utilization(50);
        check(
            half,
            &[("a", "Running")],
            &[],
            Err("no metrics returned from resource metrics API"),
        );
        check(
            half,
            &[("a", "Pending")],
            &[("a", 1)],
            Err("did not receive metrics for targeted pods (pods might be unready)"),
        );
        let mut bare = pod("a", "Running", "1");
        bare.spec.as_mut().unwrap().containers[0].resources = None;
        let aim = Aim {
            resource: "cpu".into(),
            container: SmolStr::default(),
            target: half,
        };
        assert_eq!(
            requests(&aim, &[bare]),
            Err("missing request for cpu in container app of Pod a".to_owned())
        );
    }
}

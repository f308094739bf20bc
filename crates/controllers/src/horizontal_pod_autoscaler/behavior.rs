//! How fast a target may follow its metrics: stabilisation and rates, as upstream. Pure, but for the history that is
//! handed in.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerSpec};

/// How long recommendations are remembered when the behaviour does not say: against scaling down too soon.
const DOWN_WINDOW: i64 = 300;
/// The longest window and period that the API allows.
const LONGEST: SignedDuration = SignedDuration::from_secs(3600);
/// Recommendations and events that are kept, one of each per pass of 15 s at the most.
const KEPT: usize = 300;

/// What was recommended and done of late for one autoscaler; like upstream's, it begins anew with the process.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Bound: `KEPT`.
    recommended: VecDeque<(Timestamp, i64)>,
    /// By how much the target changed. Bound: `KEPT`.
    scaled: VecDeque<(Timestamp, i64)>,
}

/// A count, and why it is not what the metrics ask for: reason and message of `ScalingLimited` and `AbleToScale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounded {
    pub(super) replicas: i64,
    pub(super) able: (&'static str, &'static str),
    pub(super) is_limited: bool,
    pub(super) limit: (&'static str, &'static str),
}

impl History {
    /// The target was scaled.
    pub(super) fn scaled(&mut self, now: Timestamp, change: i64) {
        self.scaled.push_back((now, change));
        trim(&mut self.scaled, now);
    }

    /// What becomes of a recommendation.
    pub(super) fn bound(
        &mut self,
        spec: &HorizontalPodAutoscalerSpec,
        (current, desired): (i64, i64),
        now: Timestamp,
    ) -> Bounded {
        if self.recommended.is_empty() {
            // As upstream: what stands now was recommended by somebody.
            self.recommended.push_back((now, current));
        }
        let (stable, able) = self.stabilized(spec, (current, desired), now);
        self.recommended.push_back((now, desired));
        trim(&mut self.recommended, now);
        let (replicas, limit) = self.limited(spec, (current, stable), now);
        Bounded {
            replicas,
            able,
            is_limited: replicas != stable,
            limit,
        }
    }

    fn stabilized(
        &self,
        spec: &HorizontalPodAutoscalerSpec,
        (current, desired): (i64, i64),
        now: Timestamp,
    ) -> (i64, (&'static str, &'static str)) {
        let window = |rules: Option<&HPAScalingRules>, default: i64| {
            let seconds = rules.and_then(|rules| rules.stabilization_window_seconds);
            SignedDuration::from_secs(seconds.map_or(default, i64::from))
        };
        let (up, down) = rules(spec);
        let (up, down) = (window(up, 0), window(down, DOWN_WINDOW));
        let within = |window: SignedDuration| {
            self.recommended
                .iter()
                .filter(move |(at, _)| *at > now - window)
                .map(|(_, count)| *count)
        };
        let lowest = within(up).chain([desired]).min().unwrap_or(desired);
        let highest = within(down).chain([desired]).max().unwrap_or(desired);
        // With an empty `highest` below `lowest` there is no choice; the way down wins, as it comes last upstream.
        let stable = current.max(lowest).min(highest);
        let able = if stable == desired {
            ("ReadyForNewScale", "recommended size matches current size")
        } else if desired < current {
            (
                "ScaleDownStabilized",
                "recent recommendations were higher than current one, applying the highest recent recommendation",
            )
        } else {
            (
                "ScaleUpStabilized",
                "recent recommendations were lower than current one, applying the lowest recent recommendation",
            )
        };
        (stable, able)
    }

    fn limited(
        &self,
        spec: &HorizontalPodAutoscalerSpec,
        (current, desired): (i64, i64),
        now: Timestamp,
    ) -> (i64, (&'static str, &'static str)) {
        let min = i64::from(spec.min_replicas.unwrap_or(1));
        let max = i64::from(spec.max_replicas);
        let (up, down) = match spec.behavior {
            Some(_) => (
                self.up_limit(spec, current, now),
                self.down_limit(spec, current, now),
            ),
            // Upstream's fixed rate where no behaviour is said.
            None => ((2 * current).max(4), i64::MIN),
        };
        if desired > max.min(up) {
            return if max > up {
                (
                    up,
                    (
                        "ScaleUpLimit",
                        "the desired replica count is increasing faster than the maximum scale rate",
                    ),
                )
            } else {
                (
                    max,
                    (
                        "TooManyReplicas",
                        "the desired replica count is more than the maximum replica count",
                    ),
                )
            };
        }
        if desired < min.max(down) {
            return if min < down {
                (
                    down,
                    (
                        "ScaleDownLimit",
                        "the desired replica count is decreasing faster than the maximum scale rate",
                    ),
                )
            } else {
                (
                    min,
                    (
                        "TooFewReplicas",
                        "the desired replica count is less than the minimum replica count",
                    ),
                )
            };
        }
        (
            desired,
            (
                "DesiredWithinRange",
                "the desired count is within the acceptable range",
            ),
        )
    }

    fn up_limit(&self, spec: &HorizontalPodAutoscalerSpec, current: i64, now: Timestamp) -> i64 {
        let default = [policy("Pods", 4, 15), policy("Percent", 100, 15)];
        let limits = self.limits(
            rules(spec).0,
            &default,
            current,
            now,
            |start, policy| match policy.type_.as_str() {
                "Pods" => start + i64::from(policy.value),
                _ => share(start, 100 + i64::from(policy.value), f64::ceil),
            },
        );
        let picked = match select(rules(spec).0) {
            "Disabled" => Some(current),
            "Min" => limits.into_iter().min(),
            _ => limits.into_iter().max(),
        };
        picked.unwrap_or(current).max(current)
    }

    fn down_limit(&self, spec: &HorizontalPodAutoscalerSpec, current: i64, now: Timestamp) -> i64 {
        let default = [policy("Percent", 100, 15)];
        let limits = self.limits(
            rules(spec).1,
            &default,
            current,
            now,
            |start, policy| match policy.type_.as_str() {
                "Pods" => start - i64::from(policy.value),
                _ => share(start, 100 - i64::from(policy.value), f64::trunc),
            },
        );
        let picked = match select(rules(spec).1) {
            "Disabled" => Some(current),
            "Min" => limits.into_iter().max(),
            _ => limits.into_iter().min(),
        };
        picked.unwrap_or(current).min(current)
    }

    /// How far each policy lets the target go, from what it was at the beginning of the policy's period.
    fn limits(
        &self,
        rules: Option<&HPAScalingRules>,
        default: &[HPAScalingPolicy],
        current: i64,
        now: Timestamp,
        limit: impl Fn(i64, &HPAScalingPolicy) -> i64,
    ) -> Vec<i64> {
        let own = rules
            .and_then(|rules| rules.policies.as_deref())
            .filter(|own| !own.is_empty());
        let policies = own.unwrap_or(default).iter();
        policies
            .map(|policy| {
                let since = now - SignedDuration::from_secs(i64::from(policy.period_seconds));
                let changes = self.scaled.iter().filter(|(at, _)| *at > since);
                let start = current - changes.map(|(_, change)| change).sum::<i64>();
                limit(start, policy)
            })
            .collect()
    }
}

fn trim(kept: &mut VecDeque<(Timestamp, i64)>, now: Timestamp) {
    while kept.len() > KEPT || kept.front().is_some_and(|(at, _)| *at <= now - LONGEST) {
        kept.pop_front();
    }
}

/// The rules up and down.
fn rules(spec: &HorizontalPodAutoscalerSpec) -> (Option<&HPAScalingRules>, Option<&HPAScalingRules>) {
    let behavior = spec.behavior.as_ref();
    (
        behavior.and_then(|behavior| behavior.scale_up.as_ref()),
        behavior.and_then(|behavior| behavior.scale_down.as_ref()),
    )
}

fn select(rules: Option<&HPAScalingRules>) -> &str {
    let select = rules.and_then(|rules| rules.select_policy.as_deref());
    select.unwrap_or("Max")
}

fn policy(kind: &str, value: i32, period_seconds: i32) -> HPAScalingPolicy {
    HPAScalingPolicy {
        type_: kind.to_owned(),
        value,
        period_seconds,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a count of replicas; what is beyond its range saturates"
)]
fn share(of: i64, percent: i64, round: impl Fn(f64) -> f64) -> i64 {
    round(of as f64 * percent as f64 / 100.0) as i64
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(behavior: Value) -> HorizontalPodAutoscalerSpec {
        serde_json::from_value(json!({"minReplicas": 1, "maxReplicas": 50, "behavior": behavior,
            "scaleTargetRef": {"kind": "Deployment", "name": "web"}}))
        .unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn without_a_behaviour_targets_double_and_wait_five_minutes_to_shrink() {
        let spec = spec(Value::Null);
        let mut history = History::default();
        let up = history.bound(&spec, (5, 40), at(0));
        assert_eq!(
            (up.replicas, up.limit.0, up.is_limited),
            (10, "ScaleUpLimit", true)
        );
        let down = history.bound(&spec, (10, 2), at(60));
        assert_eq!((down.replicas, down.able.0), (10, "ScaleDownStabilized"));
        let later = history.bound(&spec, (10, 2), at(400));
        assert_eq!(
            (later.replicas, later.able.0, later.limit.0),
            (2, "ReadyForNewScale", "DesiredWithinRange")
        );
    }

    #[test]
    fn policies_bound_what_changes_within_their_period() {
        let spec = spec(json!({
            "scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
            "scaleDown": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}}));
        let mut history = History::default();
        assert_eq!(history.bound(&spec, (4, 10), at(0)).replicas, 6);
        history.scaled(at(0), 2);
        assert_eq!(history.bound(&spec, (6, 10), at(30)).replicas, 6);
        assert_eq!(history.bound(&spec, (6, 10), at(90)).replicas, 8);
        let down = history.bound(&spec, (8, 1), at(200));
        assert_eq!((down.replicas, down.limit.0), (4, "ScaleDownLimit"));
    }

    #[test]
    fn a_way_that_is_disabled_is_closed() {
        let spec = spec(json!({"scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Disabled"}}));
        assert_eq!(History::default().bound(&spec, (8, 1), at(0)).replicas, 8);
    }
}

//! `spec.podFailurePolicy`: what a failed pod means.

use k8s_openapi::api::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule,
};

use crate::pod::Pod;

/// What becomes of a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts against the backoff limit.
    Count,
    /// It does not count.
    Ignore,
    /// It counts, and its index is not tried again.
    FailIndex,
    /// The job fails, for this reason.
    FailJob(String),
}

/// The first rule that matches decides; without one, it counts.
pub(super) fn judge(policy: Option<&PodFailurePolicy>, pod: &Pod) -> Verdict {
    let Some(policy) = policy else {
        return Verdict::Count;
    };
    for (index, rule) in policy.rules.iter().enumerate() {
        let Some(what) = matched(rule, pod) else {
            continue;
        };
        return match rule.action.as_str() {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(format!("{what} matching FailJob rule at index {index}")),
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

fn matched(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let (namespace, name) = (&pod.meta().namespace, pod.name());
    if let Some(codes) = &rule.on_exit_codes {
        let (container, code) = failed_container(codes, pod)?;
        return Some(format!(
            "Container {container} for pod {namespace}/{name} failed with exit code {code}"
        ));
    }
    let patterns = rule.on_pod_conditions.iter().flatten();
    let mut kinds = patterns.filter(|pattern| {
        pod.condition(&pattern.type_)
            .is_some_and(|condition| condition.status == pattern.status.as_deref().unwrap_or("True"))
    });
    let pattern = kinds.next()?;
    Some(format!("Pod {namespace}/{name} has condition {}", pattern.type_))
}

fn failed_container<'a>(
    codes: &PodFailurePolicyOnExitCodesRequirement,
    pod: &'a Pod,
) -> Option<(&'a str, i32)> {
    let statuses = pod
        .status
        .container_statuses
        .iter()
        .chain(&pod.status.init_container_statuses);
    statuses
        .filter(|status| {
            codes
                .container_name
                .as_ref()
                .is_none_or(|name| *name == status.name)
        })
        .filter_map(|status| {
            let code = status.state.terminated.as_ref()?.exit_code;
            Some((status.name.as_str(), code))
        })
        .find(|(_, code)| {
            let listed = codes.values.contains(code);
            *code != 0
                && if codes.operator == "NotIn" {
                    !listed
                } else {
                    listed
                }
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};
    use warren_apimachinery::Object;

    use super::*;

    fn check(rules: Value, expect: Verdict) {
        let policy: PodFailurePolicy = serde_json::from_value(json!({"rules": rules})).unwrap();
        let pod = Pod::of(Arc::new(Object::from_value(
            &json!({"metadata": {"name": "p", "namespace": "n"},
            "status": {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}],
                "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 42}}}]}}),
        )));
        assert_eq!(judge(Some(&policy), &pod), expect);
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let exit = |action: &str, operator: &str, code: i64| json!({"action": action, "onExitCodes": {"operator": operator, "values": [code]}});
        let message = "Container main for pod n/p failed with exit code 42 matching FailJob rule at index 1";
        check(
            json!([exit("Ignore", "In", 1), exit("FailJob", "In", 42)]),
            Verdict::FailJob(message.to_owned()),
        );
        check(json!([exit("Ignore", "NotIn", 1)]), Verdict::Ignore);
        check(json!([exit("FailIndex", "In", 42)]), Verdict::FailIndex);
        check(json!([exit("Ignore", "In", 7)]), Verdict::Count);
        let disrupted = json!([{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]);
        check(disrupted, Verdict::Ignore);
    }
}

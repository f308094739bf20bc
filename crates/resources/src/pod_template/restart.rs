//! When a container starts again: its own restart policy, and the rules by exit code that refine it.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

const POLICIES: &[&str] = &["Always", "Never", "OnFailure"];
const ACTIONS: &[&str] = &["Restart", "RestartAllContainers"];
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;

/// Checks a container's `restartPolicy` and `restartPolicyRules`.
pub(super) fn policy_and_rules(errors: &mut Errors, path: &Path, container: &Value) {
    let policy_path = path.child("restartPolicy");
    let rules = container.items("/restartPolicyRules");
    match container.field("restartPolicy").as_str() {
        Some(policy) => check::one_of(errors, &policy_path, policy, POLICIES),
        None if rules.is_empty() => return,
        None => errors.push(Error::required(
            &policy_path,
            "must specify restartPolicy when restart rules are used",
        )),
    }
    let path = path.child("restartPolicyRules");
    if rules.len() > RULES_MAX {
        errors.push(Error::too_many(&path, rules.len(), RULES_MAX));
    }
    for (at, rule) in rules.iter().enumerate() {
        one_rule(errors, &path.index(at), rule);
    }
}

fn one_rule(errors: &mut Errors, path: &Path, rule: &Value) {
    check::one_of(errors, &path.child("action"), rule.text("/action"), ACTIONS);
    let (codes, path) = (rule.field("exitCodes"), path.child("exitCodes"));
    if codes.is_null() {
        errors.push(Error::required(&path, "must be specified"));
        return;
    }
    check::one_of(
        errors,
        &path.child("operator"),
        codes.text("/operator"),
        &["In", "NotIn"],
    );
    let values = codes.items("/values").len();
    if values > EXIT_CODES_MAX {
        errors.push(Error::too_many(&path.child("values"), values, EXIT_CODES_MAX));
    }
}

/// Whether a container may leave its end behind: what its rules, its own policy or the pod's say of that exit code.
pub(crate) fn may_restart(container: &Value, pod_policy: &str, exit_code: i64) -> bool {
    let matching = container.items("/restartPolicyRules").iter().find(|rule| {
        let listed = rule
            .items("/exitCodes/values")
            .iter()
            .any(|code| code.as_i64() == Some(exit_code));
        match rule.text("/exitCodes/operator") {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    });
    if let Some(rule) = matching {
        return ACTIONS.contains(&rule.text("/action"));
    }
    match container.field("restartPolicy").as_str().unwrap_or(pod_policy) {
        "Never" => false,
        "OnFailure" => exit_code != 0,
        _ => true,
    }
}

/// Whether the end of one container can start all of them again.
pub(crate) fn all_may_restart(spec: &Value) -> bool {
    ["/containers", "/initContainers"].into_iter().any(|list| {
        spec.items(list).iter().any(|container| {
            container
                .items("/restartPolicyRules")
                .iter()
                .any(|rule| rule.text("/action") == "RestartAllContainers")
        })
    })
}

//! When a job's pods count as failed, and when the job counts as done.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;
const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];

/// Checks `podFailurePolicy`.
pub(super) fn pod_failure(errors: &mut Errors, path: &Path, spec: &Value) {
    let rules = spec.items("/podFailurePolicy/rules");
    let path = path.child("rules");
    if rules.len() > RULES_MAX {
        errors.push(Error::too_many(&path, rules.len(), RULES_MAX));
    }
    let containers: HashSet<&str> = spec
        .items("/template/spec/containers")
        .iter()
        .chain(spec.items("/template/spec/initContainers"))
        .map(|container| container.text("/name"))
        .collect();
    for (at, rule) in rules.iter().enumerate() {
        let path = path.index(at);
        let action = rule.text("/action");
        check::required_one_of(errors, &path.child("action"), action, ACTIONS);
        if action == "FailIndex" && spec.field("backoffLimitPerIndex").is_null() {
            errors.push(Error::invalid(
                &path.child("action"),
                action,
                "requires the backoffLimitPerIndex to be set",
            ));
        }
        let codes = rule.field("onExitCodes");
        let conditions = rule.items("/onPodConditions");
        if !codes.is_null() {
            exit_codes(errors, &path.child("onExitCodes"), codes, &containers);
        }
        pod_conditions(errors, &path.child("onPodConditions"), conditions);
        let problem = match (codes.is_null(), conditions.is_empty()) {
            (false, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (true, true) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => continue,
        };
        errors.push(Error::invalid(&path, rule.clone(), problem));
    }
}

fn exit_codes(errors: &mut Errors, path: &Path, codes: &Value, containers: &HashSet<&str>) {
    let operator = codes.text("/operator");
    check::required_one_of(errors, &path.child("operator"), operator, &["In", "NotIn"]);
    if let Some(name) = codes.field("containerName").as_str()
        && !containers.contains(name)
    {
        errors.push(Error::invalid(
            &path.child("containerName"),
            name,
            "must be one of the container or initContainer names in the pod template",
        ));
    }
    let (values, path) = (codes.items("/values"), path.child("values"));
    if values.is_empty() {
        errors.push(Error::invalid(
            &path,
            values.to_vec(),
            "at least one value is required",
        ));
    } else if values.len() > EXIT_CODES_MAX {
        errors.push(Error::too_many(&path, values.len(), EXIT_CODES_MAX));
    }
    let mut seen = HashSet::new();
    let mut ordered = true;
    let mut before = i64::MIN;
    for (at, value) in values.iter().enumerate() {
        let code = value.as_i64().unwrap_or_default();
        if operator == "In" && code == 0 {
            errors.push(Error::invalid(
                &path.index(at),
                code,
                "must not be 0 for the In operator",
            ));
        }
        if !seen.insert(code) {
            errors.push(Error::duplicate(&path.index(at), code));
        }
        ordered &= code >= before;
        before = code;
    }
    if !ordered {
        errors.push(Error::invalid(&path, values.to_vec(), "must be ordered"));
    }
}

fn pod_conditions(errors: &mut Errors, path: &Path, conditions: &[Value]) {
    if conditions.len() > CONDITIONS_MAX {
        errors.push(Error::too_many(path, conditions.len(), CONDITIONS_MAX));
    }
    for (at, condition) in conditions.iter().enumerate() {
        let path = path.index(at);
        check::qualified_name(errors, &path.child("type"), condition.text("/type"));
        check::required_one_of(
            errors,
            &path.child("status"),
            condition.text("/status"),
            &["False", "True", "Unknown"],
        );
    }
}

/// Checks `successPolicy`.
pub(super) fn success(errors: &mut Errors, path: &Path, spec: &Value) {
    let policy = spec.field("successPolicy");
    if policy.is_null() {
        return;
    }
    let (rules, rules_path) = (policy.items("/rules"), path.child("rules"));
    if spec.text("/completionMode") != "Indexed" {
        errors.push(Error::invalid(
            path,
            policy.clone(),
            "requires indexed completion mode",
        ));
        return;
    }
    if rules.is_empty() {
        errors.push(Error::required(
            &rules_path,
            "at least one rules must be specified when the successPolicy is specified",
        ));
    }
    if rules.len() > RULES_MAX {
        errors.push(Error::too_many(&rules_path, rules.len(), RULES_MAX));
    }
    for (at, rule) in rules.iter().enumerate() {
        let path = rules_path.index(at);
        let (count, indexes) = (rule.int("/succeededCount"), rule.field("succeededIndexes"));
        if count.is_none() && indexes.is_null() {
            errors.push(Error::required(
                &path,
                "at least one of succeededCount or succeededIndexes must be specified",
            ));
        }
        check::not_negative(
            errors,
            &path.child("succeededCount"),
            rule.field("succeededCount"),
        );
        if let (Some(count), Some(wanted)) = (count, spec.int("/completions"))
            && count > wanted
        {
            errors.push(Error::invalid(
                &path.child("succeededCount"),
                count,
                format!("must be less than or equal to {wanted} (the number of specified completions)"),
            ));
        }
    }
}

//! When a job's pods count as failed, and when the job counts as done.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::indexes;
use crate::check::{self, Errors};
use crate::go_literal::go_literal;

const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const CONDITIONS_MAX: usize = 20;
const INDEXES_MAX: usize = 64 * 1024;
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
        required_one_of(errors, &path.child("action"), action, ACTIONS);
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
        errors.push(Error::invalid_whole(&path, problem));
    }
}

/// One of `values`; where there is none, upstream lists them as Go prints them.
fn required_one_of(errors: &mut Errors, path: &Path, value: &str, values: &[&str]) {
    if value.is_empty() {
        let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        errors.push(Error::required(
            path,
            format!("valid values: [{}]", quoted.join(" ")),
        ));
    } else {
        check::one_of(errors, path, value, values);
    }
}

fn exit_codes(errors: &mut Errors, path: &Path, codes: &Value, containers: &HashSet<&str>) {
    let operator = codes.text("/operator");
    required_one_of(errors, &path.child("operator"), operator, &["In", "NotIn"]);
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
        required_one_of(
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
        let shown = go_literal("SuccessPolicy", policy);
        let problem = "requires indexed completion mode";
        errors.push(Error::invalid(path, policy.clone(), problem).shown_as(shown));
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
        success_rule(errors, &path, rule, spec.int("/completions").unwrap_or_default());
    }
}

fn success_rule(errors: &mut Errors, path: &Path, rule: &Value, completions: i64) {
    let mut listed = None;
    if let Some(list) = rule.field("succeededIndexes").as_str() {
        let path = path.child("succeededIndexes");
        if list.len() > INDEXES_MAX {
            errors.push(Error::too_long(&path, INDEXES_MAX));
        }
        let counted = indexes::count(list, completions);
        if let Err(problem) = &counted {
            let problem = format!("error parsing succeededIndexes: {problem}");
            errors.push(Error::invalid(&path, list, problem));
        }
        listed = Some(counted.unwrap_or_default());
    }
    let path = path.child("succeededCount");
    check::not_negative(errors, &path, rule.field("succeededCount"));
    let Some(count) = rule.int("/succeededCount") else {
        return;
    };
    let mut more_than = |bound: i64, of: &str| {
        if count > bound {
            let problem = format!("must be less than or equal to {bound} (the number of {of})");
            errors.push(Error::invalid(&path, count, problem));
        }
    };
    more_than(completions, "specified completions");
    if let Some(listed) = listed {
        more_than(listed, "indexes in the specified succeededIndexes field");
    }
}

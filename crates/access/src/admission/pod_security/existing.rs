//! Pods that were there before their namespace became stricter: they stay, and who made it stricter is told.

use std::collections::BTreeMap;

use serde_json::Value;
use warren_apimachinery::Meta;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;

use super::{Level, findings, level_of};
use crate::admission::Asked;

/// How many pods are looked at, as upstream bounds it.
const MAX_PODS: usize = 3000;

/// Warns about pods that a raised level would refuse.
pub(super) fn warn(cx: &Asked<'_>, namespace: &Value) {
    let Some(old) = cx.old else { return };
    let level = |namespace: &Value| level_of(&Meta::of(namespace), "enforce");
    let before = level(old).map_or(Level::Privileged, |(policy, _)| policy.level);
    let Some((after, name)) = level(namespace).filter(|(after, _)| after.level > before) else {
        return;
    };
    let namespace = cx.key.name.as_str();
    let mut violations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in cx.all(&PODS, Some(namespace)).take(MAX_PODS) {
        let reasons: Vec<String> = findings(after, &pod)
            .into_iter()
            .map(|finding| finding.reason)
            .collect();
        if !reasons.is_empty() {
            let pods = violations.entry(reasons.join(", ")).or_default();
            pods.push(pod.text("/metadata/name").to_owned());
        }
    }
    if violations.is_empty() {
        return;
    }
    cx.warnings.add(format!(
        "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level {name:?}"
    ));
    // Pods come in the order of their names, so the first of each is the one to name.
    let mut lines: Vec<String> = violations
        .iter()
        .map(|(reasons, pods)| format!("{}: {reasons}", some_of(pods)))
        .collect();
    lines.sort_unstable();
    lines.into_iter().for_each(|line| cx.warnings.add(line));
}

fn some_of(pods: &[String]) -> String {
    let first = pods.first().map(String::as_str).unwrap_or_default();
    match pods.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} (and 1 other pod)"),
        count => format!("{first} (and {} other pods)", count - 1),
    }
}

//! Labels of namespaces: whether they make sense, and which pods that are there would no longer be let in.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::PODS;
use warren_apimachinery::value::ValueExt;
use warren_registry::admission::Operation;

use super::standard::{Level, Modes, PREFIX, Standard};
use super::{Policy, findings};
use crate::admission::Asked;

/// How many pods are looked at, as upstream bounds it.
const MAX_PODS: usize = 3000;

pub(super) fn validate(cx: &Asked<'_>, namespace: &Value) -> Result<(), Status> {
    let defaults = cx.settings.pod_security.modes;
    let modes = |namespace: &Value| {
        let labels = namespace.at("/metadata/labels");
        let label = |key: &str| labels.field(key).as_str().map(str::to_owned);
        // The labels of an object that is not stored yet are no `Meta`.
        let held: BTreeMap<String, String> = MODES
            .iter()
            .map(|mode| format!("{PREFIX}{mode}"))
            .filter_map(|key| Some((key.clone(), label(&key)?)))
            .collect();
        Modes::of(|key| held.get(key).map(String::as_str), defaults)
    };
    let (new, errors) = modes(namespace);
    let invalid = || {
        let name = namespace.text("/metadata/name");
        Err(Status::invalid("", "Namespace", name, &errors))
    };
    let Some(old) = cx.old.filter(|_| cx.operation == Operation::Update) else {
        return if errors.is_empty() { Ok(()) } else { invalid() };
    };
    let (before, old_errors) = modes(old);
    if !errors.is_empty() && errors != old_errors {
        return invalid();
    }
    let (now, then) = (new.enforce, before.enforce);
    let is_relaxed = now.version == then.version && now.level <= then.level;
    if now == then || now.level == Level::Privileged || is_relaxed {
        return Ok(());
    }
    let name = cx.key.name.as_str();
    if cx.settings.pod_security.exempts_namespace(name) {
        if let Some(warning) = ignored(name, &new, &defaults, namespace) {
            cx.warnings.add(warning);
        }
        return Ok(());
    }
    warn_of_existing(cx, name, now);
    Ok(())
}

const MODES: [&str; 6] = [
    "enforce",
    "enforce-version",
    "audit",
    "audit-version",
    "warn",
    "warn-version",
];

/// What the owner of an exempt namespace hears who labels it all the same.
fn ignored(name: &str, modes: &Modes, defaults: &Modes, namespace: &Value) -> Option<String> {
    let is_default = modes.enforce.is_like(defaults.enforce)
        && modes.audit.is_like(defaults.audit)
        && modes.warn.is_like(defaults.warn);
    if modes.are_privileged() || is_default {
        return None;
    }
    let labels = namespace.at("/metadata/labels");
    let says = |mode: &str| {
        let has = |key: String| !labels.field(&key).is_null();
        has(format!("{PREFIX}{mode}")) || has(format!("{PREFIX}{mode}-version"))
    };
    let all = [
        ("enforce", modes.enforce),
        ("audit", modes.audit),
        ("warn", modes.warn),
    ];
    let said: Vec<String> = all
        .into_iter()
        .filter(|(mode, standard)| standard.level != Level::Privileged && says(mode))
        .map(|(mode, standard)| format!("{mode}={standard}"))
        .collect();
    Some(format!(
        "namespace {name:?} is exempt from Pod Security, and the policy ({}) will be ignored",
        said.join(", ")
    ))
}

/// Warns about pods that a raised level would refuse.
fn warn_of_existing(cx: &Asked<'_>, namespace: &str, standard: Standard) {
    let mut controllers = HashSet::new();
    // One pod of each controller first, as upstream: what makes pods makes them alike.
    let (first, rest): (Vec<_>, Vec<_>) = cx
        .cluster
        .list(&PODS.group_resource(), Some(namespace))
        .partition(|pod| match pod.meta().controller() {
            Some(controller) => controllers.insert(controller.uid.clone()),
            None => true,
        });
    let all = first.into_iter().chain(rest).map(|pod| pod.to_value());
    let settings = &cx.settings.pod_security;
    let asked: Vec<Value> = all.filter(|pod| !settings.exempts_runtime_class(pod)).collect();
    let mut violations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in asked.iter().take(MAX_PODS) {
        let reasons: Vec<String> = findings(Policy::of(standard), pod)
            .into_iter()
            .map(|finding| finding.reason)
            .collect();
        if !reasons.is_empty() {
            let pods = violations.entry(reasons.join(", ")).or_default();
            pods.push(pod.text("/metadata/name").to_owned());
        }
    }
    if asked.len() > MAX_PODS {
        cx.warnings.add(format!(
            "new PodSecurity enforce level only checked against the first {MAX_PODS} of {} existing pods",
            asked.len()
        ));
    }
    if violations.is_empty() {
        return;
    }
    let level = standard.to_string();
    cx.warnings.add(format!(
        "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level {level:?}"
    ));
    let mut lines: Vec<String> = violations
        .into_iter()
        .map(|(reasons, pods)| format!("{}: {reasons}", some_of(pods)))
        .collect();
    lines.sort_unstable();
    lines.into_iter().for_each(|line| cx.warnings.add(line));
}

fn some_of(mut pods: Vec<String>) -> String {
    pods.sort_unstable();
    let first = pods.first().map(String::as_str).unwrap_or_default();
    match pods.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} (and 1 other pod)"),
        count => format!("{first} (and {} other pods)", count - 1),
    }
}

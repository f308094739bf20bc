//! The recorded answers of real API servers, and how ours are compared with them. Shared by `golden` and `replay`,
//! which drive different parts of ours.

use std::collections::BTreeSet;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// Objects as they were created, with their tables.
pub(crate) const OBJECTS: &str = include_str!("../golden/defaulted-objects-and-tables.json");
/// Requests of all kinds, in order.
pub(crate) const REQUESTS: &str = include_str!("../golden/requests-and-answers.json");

/// What a path names: `/api/v1/namespaces/default/pods/x/status` and the like.
pub(crate) struct Address<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) plural: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
}

impl<'a> Address<'a> {
    /// `None` for what is no resource.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let path = path.split('?').next()?;
        let mut parts = path.trim_start_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let version = parts.next()?;
        let mut rest: Vec<&str> = parts.collect();
        let mut namespace = "";
        if let ["namespaces", within, _, ..] = rest.as_slice() {
            namespace = within;
            rest.drain(..2);
        }
        Some(Self {
            group,
            version,
            namespace,
            plural: rest.first()?,
            name: rest.get(1).copied().unwrap_or_default(),
            subresource: rest.get(2).copied().unwrap_or_default(),
        })
    }
}

/// Takes the given fields and the service account's token out of a pod: admission put them there.
pub(crate) fn strip_pod(pod: &mut Value, fields: &[&str]) {
    for field in fields {
        pod.take_at(&format!("/spec/{field}"));
    }
    let is_token = |entry: &Value| entry.text("/name").starts_with("kube-api-access-");
    let mut lists = vec!["/spec/volumes".to_owned()];
    lists.extend(
        (0..pod.items("/spec/containers").len()).map(|at| format!("/spec/containers/{at}/volumeMounts")),
    );
    for list in lists {
        let kept: Vec<Value> = pod
            .items(&list)
            .iter()
            .filter(|entry| !is_token(entry))
            .cloned()
            .collect();
        if kept.is_empty() {
            pod.take_at(&list);
        } else {
            pod.set(&list, kept);
        }
    }
}

/// What differs, as JSON pointers with both sides.
pub(crate) fn differences(pointer: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let next = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                match (a.get(key), b.get(key)) {
                    (Some(ours), Some(theirs)) => differences(&next, ours, theirs, out),
                    (ours, theirs) => out.push(format!("{next}: ours {ours:?}, theirs {theirs:?}")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (ours, theirs)) in a.iter().zip(b).enumerate() {
                differences(&format!("{pointer}/{at}"), ours, theirs, out);
            }
        }
        _ if ours == theirs => {}
        _ => out.push(format!("{pointer}: ours {ours}, theirs {theirs}")),
    }
}

/// Compares the cases that failed with the open ones of a committed list; answers what does not agree.
pub(crate) fn settle(list: &str, prefix: &str, failed: &[(String, Vec<String>)]) -> Vec<String> {
    let open: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix(prefix))
        .map(str::trim)
        .collect();
    let mut problems = Vec::new();
    for (case, why) in failed {
        if !open.contains(case.as_str()) {
            problems.push(format!("{prefix} {case}\n    {}", why.join("\n    ")));
        }
    }
    for case in &open {
        if !failed.iter().any(|(name, _)| name == case) {
            problems.push(format!("{prefix} {case}: matches now, take it out of the list"));
        }
    }
    problems
}

//! What the conditions of a terminating namespace say: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::GroupResource;
use warren_apimachinery::value::ValueExt;

use crate::timestamp;

/// What a pass over the contents came to.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What could not be deleted, and why.
    pub(super) failures: Vec<String>,
    /// How many objects of each resource are still there.
    pub(super) remaining: BTreeMap<GroupResource, usize>,
    /// How many of them hold each finalizer.
    pub(super) finalizers: BTreeMap<String, usize>,
}

impl Findings {
    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.failures.is_empty() && self.remaining.is_empty()
    }
}

struct Said {
    kind: &'static str,
    is: bool,
    reason: &'static str,
    message: String,
}

fn said(findings: &Findings) -> [Said; 5] {
    let calm = |kind, reason, message: &str| Said {
        kind,
        is: false,
        reason,
        message: message.to_owned(),
    };
    let discovery = calm(
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    );
    let parsing = calm(
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    );
    let mut content = calm(
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    );
    if !findings.failures.is_empty() {
        content.is = true;
        content.reason = "ContentDeletionFailed";
        content.message = format!(
            "Failed to delete all resource types, {} remaining: {}",
            findings.failures.len(),
            findings.failures.join(", ")
        );
    }
    let mut remaining = calm(
        "NamespaceContentRemaining",
        "ContentRemoved",
        "All content successfully removed",
    );
    if !findings.remaining.is_empty() {
        let counts = findings.remaining.iter();
        let counts = counts.map(|(r, n)| format!("{}.{} has {n} resource instances", r.resource, r.group));
        remaining.is = true;
        remaining.reason = "SomeResourcesRemain";
        remaining.message = format!(
            "Some resources are remaining: {}",
            counts.collect::<Vec<_>>().join(", ")
        );
    }
    let mut finalizers = calm(
        "NamespaceFinalizersRemaining",
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    );
    if !findings.finalizers.is_empty() {
        let counts = findings.finalizers.iter();
        let counts = counts.map(|(name, n)| format!("{name} in {n} resource instances"));
        finalizers.is = true;
        finalizers.reason = "SomeFinalizersRemain";
        finalizers.message = format!(
            "Some content in the namespace has finalizers remaining: {}",
            counts.collect::<Vec<_>>().join(", ")
        );
    }
    [discovery, parsing, content, remaining, finalizers]
}

/// The conditions to write. Transition times stay as long as what is said does.
pub(super) fn decide(old: &[Value], findings: &Findings, now: Timestamp) -> Vec<Value> {
    let ours = said(findings);
    let mut all: Vec<Value> = old
        .iter()
        .filter(|condition| !ours.iter().any(|said| said.kind == condition.text("/type")))
        .cloned()
        .collect();
    for said in ours {
        let status = if said.is { "True" } else { "False" };
        let before = old.iter().find(|condition| condition.text("/type") == said.kind);
        let unchanged = before.filter(|condition| {
            condition.text("/status") == status
                && condition.text("/message") == said.message
                && condition.text("/reason") == said.reason
        });
        all.push(unchanged.cloned().unwrap_or_else(|| {
            json!({"type": said.kind, "status": status, "lastTransitionTime": timestamp::text(now),
                "reason": said.reason, "message": said.message})
        }));
    }
    all
}

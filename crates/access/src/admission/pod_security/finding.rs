//! How a violation reads: `privileged (container "c" must not set securityContext.privileged=true)`.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use super::standard::Standard;

/// One violated check.
pub(super) struct Finding {
    pub(super) reason: String,
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            detail: detail.into(),
        }
    }
}

/// All findings in one sentence; `None` when there are none.
pub(super) fn join(findings: &[Finding]) -> Option<String> {
    let texts: Vec<String> = findings
        .iter()
        .map(|finding| match finding.detail.is_empty() {
            true => finding.reason.clone(),
            false => format!("{} ({})", finding.reason, finding.detail),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// What is said of a pod that is let in all the same.
pub(super) fn would_violate(standard: Standard, detail: &str) -> String {
    let standard = standard.to_string();
    format!("would violate PodSecurity {standard:?}: {detail}")
}

/// `"a", "b"`
pub(super) fn quoted<T: AsRef<str>>(names: &[T]) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("{:?}", name.as_ref())).collect();
    all.join(", ")
}

/// `container "a"` or `containers "a", "b"`.
pub(super) fn containers_named<T: AsRef<str>>(names: &[T]) -> String {
    format!("{} {}", plural("container", names.len()), quoted(names))
}

/// The word, with an `s` unless there is one.
pub(super) fn plural(word: &str, count: usize) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

/// `pod and container "a"`, `pod`, or `container "a"`: who did it.
pub(super) fn who(pod: bool, containers: &[&str]) -> String {
    match (pod, containers.is_empty()) {
        (true, true) => "pod".to_owned(),
        (true, false) => format!("pod and {}", containers_named(containers)),
        (false, _) => containers_named(containers),
    }
}

/// The names of those containers that `is_bad`.
pub(super) fn bad<'p>(
    containers: impl Iterator<Item = &'p Value>,
    is_bad: impl Fn(&Value) -> bool,
) -> Vec<&'p str> {
    containers
        .filter(|container| is_bad(container))
        .map(|container| container.text("/name"))
        .collect()
}

/// Distinct values, sorted.
pub(super) fn sorted(values: impl Iterator<Item = String>) -> Vec<String> {
    let set: std::collections::BTreeSet<String> = values.collect();
    set.into_iter().collect()
}

//! Whether a definition in one of the community's own groups says that the community approved it.

use serde_json::Value;
use warren_apimachinery::field::go_quote;
use warren_apimachinery::value::ValueExt;

/// The annotation that says so.
pub(crate) const ANNOTATION: &str = "api-approved.kubernetes.io";

/// What a definition says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    Missing,
    /// It says that it is not.
    Bypassed,
    Approved,
    Invalid,
}

/// Whether a group's name is the community's.
pub(crate) fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"].iter().any(|own| {
        group
            .strip_suffix(own)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// What the annotation of a definition says.
pub(crate) fn of(crd: &Value) -> Approval {
    match crd.at("/metadata/annotations").field(ANNOTATION).as_str() {
        None | Some("") => Approval::Missing,
        Some(text) if text.starts_with("unapproved") => Approval::Bypassed,
        Some(text) if is_url(text) => Approval::Approved,
        Some(_) => Approval::Invalid,
    }
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        is_scheme && !host.is_empty() && !text.contains(char::is_whitespace)
    })
}

/// Upstream's words for what is not approved.
pub(crate) fn demand(approval: Approval) -> String {
    let form = match approval {
        Approval::Missing => "",
        _ => " with either a URL or a reason starting with \"unapproved\"",
    };
    format!(
        "protected groups must have approval annotation {ANNOTATION:?}{form}, see https://github.com/kubernetes/enhancements/pull/1111"
    )
}

/// Status, reason and message of the condition `KubernetesAPIApprovalPolicyConformant`; none for groups of others.
pub fn conformance(crd: &Value) -> Option<(&'static str, &'static str, String)> {
    if !is_protected(crd.text("/spec/group")) {
        return None;
    }
    let text = crd
        .at("/metadata/annotations")
        .field(ANNOTATION)
        .as_str()
        .unwrap_or_default();
    let approval = of(crd);
    Some(match approval {
        Approval::Missing => ("False", "MissingAnnotation", demand(approval)),
        Approval::Invalid => ("False", "InvalidAnnotation", demand(approval)),
        Approval::Bypassed => (
            "False",
            "UnapprovedAnnotation",
            format!("not approved: {}", go_quote(text)),
        ),
        Approval::Approved => ("True", "ApprovedAnnotation", format!("approved in {text}")),
    })
}

//! The rules of a flow schema: whose requests, to what.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

const ALL: &str = "*";
const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];
/// Each kind of subject, and the field that names one.
const SUBJECTS: [(&str, &str); 3] = [
    ("ServiceAccount", "serviceAccount"),
    ("User", "user"),
    ("Group", "group"),
];

/// Checks one of `spec.rules`.
pub(super) fn rule(errors: &mut Errors, path: &Path, rule: &Value) {
    let subjects = rule.items("/subjects");
    for (at, value) in subjects.iter().enumerate() {
        subject(errors, &path.child("subjects").index(at), value);
    }
    if subjects.is_empty() {
        errors.push(Error::required(
            &path.child("subjects"),
            "subjects must contain at least one value",
        ));
    }
    let (resources, paths) = (rule.items("/resourceRules"), rule.items("/nonResourceRules"));
    if resources.is_empty() && paths.is_empty() {
        errors.push(Error::required(
            path,
            "at least one of resourceRules and nonResourceRules has to be non-empty",
        ));
    }
    for (at, value) in resources.iter().enumerate() {
        resource_rule(errors, &path.child("resourceRules").index(at), value);
    }
    for (at, value) in paths.iter().enumerate() {
        path_rule(errors, &path.child("nonResourceRules").index(at), value);
    }
}

fn subject(errors: &mut Errors, path: &Path, subject: &Value) {
    let kind = subject.text("/kind");
    let Some((_, own)) = SUBJECTS.iter().find(|(known, _)| *known == kind) else {
        check::one_of(
            errors,
            &path.child("kind"),
            kind,
            &["Group", "ServiceAccount", "User"],
        );
        return;
    };
    let (own_path, value) = (path.child(own), subject.field(own));
    if value.is_null() {
        errors.push(Error::required(
            &own_path,
            format!("{own} is required when subject kind is '{kind}'"),
        ));
    } else {
        check::required(errors, &own_path.child("name"), value.text("/name"));
        if kind == "ServiceAccount" {
            service_account(errors, &own_path, value);
        }
    }
    for (other, field) in SUBJECTS {
        if other != kind && !subject.field(field).is_null() {
            errors.push(Error::forbidden(
                &path.child(field),
                format!("{field} is forbidden when subject kind is not '{other}'"),
            ));
        }
    }
}

fn service_account(errors: &mut Errors, path: &Path, account: &Value) {
    let (name, namespace) = (account.text("/name"), account.text("/namespace"));
    if !name.is_empty() && name != ALL {
        check::dns_subdomain(errors, &path.child("name"), name);
    }
    let path = path.child("namespace");
    if namespace.is_empty() {
        errors.push(Error::required(
            &path,
            "must specify namespace for service account",
        ));
    } else {
        check::dns_label(errors, &path, namespace);
    }
}

fn verbs(errors: &mut Errors, path: &Path, rule: &Value) {
    let path = path.child("verbs");
    if all_or_some(
        errors,
        &path,
        rule.field("verbs"),
        ["verbs must contain at least one value", "verbs"],
    ) {
        let verbs = rule.items("/verbs");
        let is_known = |verb: &Value| verb.as_str().is_some_and(|verb| VERBS.contains(&verb));
        if !verbs.iter().all(is_known) {
            errors.push(Error::not_supported(&path, verbs.to_vec(), VERBS));
        }
    }
}

/// Checks a list that is not empty and says `*` alone; answers whether it holds neither error nor `*`. The words are
/// those for an empty list, and what is listed.
fn all_or_some(errors: &mut Errors, path: &Path, list: &Value, [empty, what]: [&str; 2]) -> bool {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        errors.push(Error::required(path, empty));
        return false;
    }
    let has_all = items.iter().any(|item| item == ALL);
    if has_all && items.len() > 1 {
        errors.push(Error::invalid(
            path,
            list.clone(),
            format!("if '*' is present, must not specify other {what}"),
        ));
    }
    !has_all
}

fn resource_rule(errors: &mut Errors, path: &Path, rule: &Value) {
    const LISTS: [(&str, &str, &str); 2] = [
        (
            "apiGroups",
            "resource rules must supply at least one api group",
            "api groups",
        ),
        (
            "resources",
            "resource rules must supply at least one resource",
            "resources",
        ),
    ];
    verbs(errors, path, rule);
    for (field, empty, what) in LISTS {
        all_or_some(errors, &path.child(field), rule.field(field), [empty, what]);
    }
    let (path, namespaces) = (path.child("namespaces"), rule.items("/namespaces"));
    let is_cluster_wide = rule.field("clusterScope").as_bool() == Some(true);
    if namespaces.is_empty() && is_cluster_wide {
        return;
    }
    const NONE: &str = "resource rules that are not cluster scoped must supply at least one namespace";
    if all_or_some(errors, &path, rule.field("namespaces"), [NONE, "namespaces"]) {
        for (at, namespace) in namespaces.iter().enumerate() {
            let namespace = namespace.as_str().unwrap_or_default();
            let wrong = names::dns1123_label(namespace).into_iter();
            let told =
                wrong.map(|why| format!("each member of this list must be '*' or a DNS-1123 label; {why}"));
            check::text(errors, &path.index(at), namespace, told);
        }
    }
}

fn path_rule(errors: &mut Errors, path: &Path, rule: &Value) {
    verbs(errors, path, rule);
    let path = path.child("nonResourceURLs");
    let words = [
        "nonResourceURLs must contain at least one value",
        "non-resource URLs",
    ];
    if all_or_some(errors, &path, rule.field("nonResourceURLs"), words) {
        for (at, url) in rule.items("/nonResourceURLs").iter().enumerate() {
            let url = url.as_str().unwrap_or_default();
            if let Some(why) = wrong_path(url) {
                errors.push(Error::invalid(&path.index(at), url, why));
            }
        }
    }
}

fn wrong_path(url: &str) -> Option<&'static str> {
    if url.is_empty() {
        return Some("must not be empty");
    }
    let stars = url.matches(ALL).count();
    if url == "/" {
        None
    } else if !url.starts_with('/') {
        Some("must start with slash")
    } else if url.contains(' ') {
        Some("must not contain white-space")
    } else if url.contains("//") {
        Some("must not contain double slash")
    } else if stars > 1 || (stars == 1 && !url.ends_with("/*")) {
        Some("wildcard can only do suffix matching")
    } else {
        None
    }
}

/// Checks the conditions of a status.
pub(super) fn conditions(object: &Value) -> Errors {
    let mut errors = Errors::new();
    let path = Path::new("status.conditions");
    let mut seen = Vec::new();
    for (at, condition) in object.items("/status/conditions").iter().enumerate() {
        let (path, kind) = (path.index(at).child("type"), condition.text("/type"));
        if seen.contains(&kind) {
            errors.push(Error::duplicate(&path, kind));
        }
        seen.push(kind);
        check::required(&mut errors, &path, kind);
    }
    errors
}

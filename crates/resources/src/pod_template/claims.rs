//! Claims of devices: the pod's `resourceClaims`, and the containers' references to them.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::spec::Cx;
use crate::check::{self, Errors};
use crate::go_literal::go_literal;

/// Checks the references of a container to the pod's resource claims.
pub(super) fn of_container(errors: &mut Errors, path: &Path, claims: &[Value], cx: &Cx<'_>) {
    let mut seen = HashSet::new();
    for (at, claim) in claims.iter().enumerate() {
        let (name, request, at) = (claim.text("/name"), claim.text("/request"), path.index(at));
        if !check::required(errors, &at, name) {
            continue;
        }
        repeated(errors, &at, (name, request), &mut seen);
        if !cx.claims.contains(&name) {
            errors.push(unknown(&at, name, cx));
        }
    }
}

/// A claim as a whole covers each of its requests.
fn repeated<'a>(
    errors: &mut Errors,
    path: &Path,
    (name, request): (&'a str, &'a str),
    seen: &mut HashSet<(&'a str, &'a str)>,
) {
    if seen.contains(&(name, "")) {
        errors.push(Error::duplicate(path, name));
        return;
    }
    if !request.is_empty() {
        check::dns_label(errors, &path.child("request"), request);
    }
    if seen.contains(&(name, request)) {
        errors.push(Error::duplicate(path, format!("{name}/{request}")));
    } else if request.is_empty() {
        let overlapping = seen.iter().filter(|(known, _)| *known == name);
        errors.extend(overlapping.map(|_| Error::duplicate(path, name)));
    }
    seen.insert((name, request));
}

fn unknown(path: &Path, name: &str, cx: &Cx<'_>) -> Error {
    let mut names = cx.claims.clone();
    names.sort_unstable();
    names.dedup();
    let mut error = Error::not_found(path, name);
    error.detail = if names.is_empty() {
        "must be one of the names in pod.spec.resourceClaims which is empty".to_owned()
    } else {
        format!(
            "must be one of the names in pod.spec.resourceClaims: {}",
            names.join(", ")
        )
    };
    error
}

/// Checks the pod's own `resourceClaims`; a pod that mirrors a static one can have none.
pub(super) fn of_pod(errors: &mut Errors, path: &Path, claims: &[Value], is_mirror: bool) {
    let mut names = HashSet::new();
    for (at, claim) in claims.iter().enumerate() {
        if is_mirror {
            errors.push(Error::forbidden(
                &Path::new("[]"),
                "static pods do not support resource claims",
            ));
            continue;
        }
        let (name, at) = (claim.text("/name"), path.index(at));
        if check::required(errors, &at.child("name"), name) {
            if names.insert(name) {
                check::dns_label(errors, &at.child("name"), name);
            } else {
                errors.push(Error::duplicate(&at.child("name"), name));
            }
        }
        source(errors, &at, claim);
    }
}

fn source(errors: &mut Errors, path: &Path, claim: &Value) {
    const SOURCES: [&str; 2] = ["resourceClaimName", "resourceClaimTemplateName"];
    let given = SOURCES
        .iter()
        .filter(|field| claim.field(field).is_string())
        .count();
    let problem = match given {
        1 => None,
        0 => Some("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        _ => Some("at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
    };
    if let Some(problem) = problem {
        let shown = go_literal("PodResourceClaim", claim);
        errors.push(Error::invalid(path, claim.clone(), problem).shown_as(shown));
    }
    for field in SOURCES {
        if let Some(name) = claim.field(field).as_str() {
            check::dns_subdomain(errors, &path.child(field), name);
        }
    }
}

//! Field and label selectors of a review: whether they are well formed, and what of them could not be read. RBAC does
//! not look at them.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{FieldSelector, LabelSelector, label, name};

/// Both selectors of `resourceAttributes`, as upstream's validation; unknown operators are let through, as newer
/// clients may know more.
pub(super) fn errors(attributes: &Value) -> Vec<Error> {
    let path = Path::new("spec.resourceAttributes");
    let mut errors = errors_of(
        attributes.field("fieldSelector"),
        &path.child("fieldSelector"),
        field_requirement,
    );
    errors.extend(errors_of(
        attributes.field("labelSelector"),
        &path.child("labelSelector"),
        label_requirement,
    ));
    errors
}

fn errors_of(selector: &Value, path: &Path, check: fn(&Value, &Path) -> Vec<Error>) -> Vec<Error> {
    if !selector.is_object() {
        return Vec::new();
    }
    let (raw, requirements) = (selector.text("/rawSelector"), selector.items("/requirements"));
    let mut errors = Vec::new();
    match (raw.is_empty(), requirements.is_empty()) {
        (false, false) => errors.push(Error::invalid(
            &path.child("rawSelector"),
            raw,
            "may not specified at the same time as requirements",
        )),
        (true, true) => errors.push(Error::required(
            &path.child("requirements"),
            format!(
                "when {} is specified, requirements or rawSelector is required",
                path.as_str()
            ),
        )),
        _ => {}
    }
    for (at, requirement) in requirements.iter().enumerate() {
        errors.extend(check(requirement, &path.child("requirements").index(at)));
    }
    errors
}

fn field_requirement(requirement: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    if requirement.text("/key").is_empty() {
        errors.push(Error::required(&path.child("key"), "must be specified"));
    }
    errors.extend(values(requirement, path));
    errors
}

fn label_requirement(requirement: &Value, path: &Path) -> Vec<Error> {
    let mut errors: Vec<Error> = values(requirement, path).into_iter().collect();
    errors.extend(label::validate_key(requirement.text("/key"), &path.child("key")));
    for (at, value) in requirement.items("/values").iter().enumerate() {
        let text = value.as_str().unwrap_or_default();
        let at = path.child("values").index(at);
        errors.extend(
            name::label_value(text)
                .into_iter()
                .map(|why| Error::invalid(&at, text, why)),
        );
    }
    errors
}

fn values(requirement: &Value, path: &Path) -> Option<Error> {
    let (path, none) = (path.child("values"), requirement.items("/values").is_empty());
    match (requirement.text("/operator"), none) {
        ("In" | "NotIn", true) => Some(Error::required(
            &path,
            "must be specified when `operator` is 'In' or 'NotIn'",
        )),
        ("Exists" | "DoesNotExist", false) => Some(Error::forbidden(
            &path,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        )),
        _ => None,
    }
}

/// A field selector as it would stand in a query; what only reviews can say is left out.
pub(super) fn fields(selector: &Value) -> String {
    let raw = selector.text("/rawSelector");
    if !raw.is_empty() {
        return raw.to_owned();
    }
    let requirements = selector.items("/requirements").iter();
    let parts = requirements.filter_map(|requirement| {
        let [value] = requirement.items("/values") else {
            return None;
        };
        let sign = match requirement.text("/operator") {
            "In" => "=",
            "NotIn" => "!=",
            _ => return None,
        };
        Some(format!("{}{sign}{}", requirement.text("/key"), value.as_str()?))
    });
    parts.collect::<Vec<_>>().join(",")
}

/// What could not be read of the selectors, as `status.evaluationError` tells it; empty when all could.
pub(super) fn unread(attributes: &Value) -> String {
    let fields = attributes.field("fieldSelector");
    let labels = attributes.field("labelSelector");
    [
        ("fieldSelector", readable_fields(fields)),
        ("labelSelector", readable_labels(labels)),
    ]
    .into_iter()
    .filter_map(|(name, readable)| {
        let how = match readable {
            Readable::Whole => return None,
            Readable::Partly => "partially ignored",
            Readable::NotAtAll => "ignored",
        };
        Some(format!("spec.resourceAttributes.{name} {how} due to parse error"))
    })
    .collect::<Vec<_>>()
    .join("; ")
}

enum Readable {
    Whole,
    Partly,
    NotAtAll,
}

fn readable_fields(selector: &Value) -> Readable {
    let raw = selector.text("/rawSelector");
    if !raw.is_empty() {
        return of_raw(FieldSelector::parse(raw).is_ok());
    }
    of_requirements(selector, |requirement| {
        matches!(requirement.text("/operator"), "In" | "NotIn") && requirement.items("/values").len() == 1
    })
}

fn readable_labels(selector: &Value) -> Readable {
    let raw = selector.text("/rawSelector");
    if !raw.is_empty() {
        return of_raw(LabelSelector::parse(raw).is_ok());
    }
    of_requirements(selector, |requirement| {
        matches!(
            requirement.text("/operator"),
            "In" | "NotIn" | "Exists" | "DoesNotExist"
        )
    })
}

fn of_raw(is_read: bool) -> Readable {
    if is_read {
        Readable::Whole
    } else {
        Readable::NotAtAll
    }
}

fn of_requirements(selector: &Value, is_read: impl Fn(&Value) -> bool) -> Readable {
    let all = selector.items("/requirements");
    match all.iter().filter(|requirement| is_read(requirement)).count() {
        read if read == all.len() => Readable::Whole,
        0 => Readable::NotAtAll,
        _ => Readable::Partly,
    }
}

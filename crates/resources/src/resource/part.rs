//! What claims, classes and slices of devices have in common: names, selectors, tolerations, configuration.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_cel::SelectorError;

use crate::check::{self, Errors};

const DRIVER_MAX: usize = 63;
const POOL_MAX: usize = 253;
const ID_MAX: usize = 32;
const PARAMETERS_MAX: usize = 10 * 1024;
const LIST_MAX: usize = 32;
const EFFECTS: &[&str] = &["NoExecute", "NoSchedule", "None"];

/// Checks a list item by item; one that is too long is not looked into.
pub(super) fn list(
    errors: &mut Errors,
    path: &Path,
    items: &[Value],
    most: usize,
    mut one: impl FnMut(&mut Errors, &Path, &Value),
) {
    if items.len() > most {
        errors.push(Error::too_many(path, items.len(), most));
        return;
    }
    for (at, item) in items.iter().enumerate() {
        one(errors, &path.index(at), item);
    }
}

/// Tells of items whose key another one before them has.
pub(super) fn unique(errors: &mut Errors, path: &Path, items: &[Value], key: &str) {
    let mut seen = HashSet::new();
    for (at, item) in items.iter().enumerate() {
        let key = if key.is_empty() { item } else { item.at(key) };
        let key = key.as_str().unwrap_or_default();
        if !seen.insert(key) {
            errors.push(Error::duplicate(&path.index(at), key));
        }
    }
}

/// The name of a driver.
pub(super) fn driver(errors: &mut Errors, path: &Path, text: &str) {
    if !check::required(errors, path, text) {
        return;
    }
    if text.len() > DRIVER_MAX {
        errors.push(Error::too_long(path, DRIVER_MAX));
    }
    check::text(errors, path, text, names::dns1123_subdomain(&text.to_lowercase()));
}

/// The name of a pool: subdomains with slashes between them.
pub(super) fn pool(errors: &mut Errors, path: &Path, text: &str) {
    if !check::required(errors, path, text) {
        return;
    }
    if text.len() > POOL_MAX {
        errors.push(Error::too_long(path, POOL_MAX));
    }
    for part in text.split('/') {
        check::dns_subdomain(errors, path, part);
    }
}

/// `domain/identifier`, or an identifier of the driver's own.
pub(super) fn qualified(errors: &mut Errors, path: &Path, text: &str) {
    let (domain, id) = match text.split_once('/') {
        Some((_, id)) if id.contains('/') => return,
        Some((domain, id)) => (Some(domain), id),
        None => (None, text),
    };
    match domain {
        Some("") => errors.push(Error::invalid(path, "", "the domain must not be empty")),
        Some(domain) => driver(errors, path, domain),
        None => {}
    }
    if domain.is_some() && id.is_empty() {
        errors.push(Error::invalid(path, "", "the name must not be empty"));
        return;
    }
    if id.len() > ID_MAX {
        errors.push(Error::too_long(path, ID_MAX));
    }
    check::text(errors, path, id, names::c_identifier(id));
}

/// `domain/identifier`.
pub(super) fn fully_qualified(errors: &mut Errors, path: &Path, text: &str) {
    qualified(errors, path, text);
    if !text.contains('/') {
        errors.push(Error::invalid(
            path,
            text,
            "a fully qualified name must be a domain and a name separated by a slash",
        ));
    }
}

/// The longest expression of a selector, in bytes.
const EXPRESSION_MAX: usize = 10 * 1024;

/// Selectors with their expressions.
pub(super) fn selectors(errors: &mut Errors, path: &Path, all: &[Value]) {
    list(errors, path, all, LIST_MAX, |errors, path, selector| {
        let path = path.child("cel");
        if selector.field("cel").is_null() {
            return errors.push(Error::required(&path, ""));
        }
        let (source, path) = (selector.text("/cel/expression"), path.child("expression"));
        if source.len() > EXPRESSION_MAX {
            return errors.push(Error::too_long(&path, EXPRESSION_MAX));
        }
        errors.extend(warren_cel::check_selector(source).err().map(|error| match error {
            SelectorError::Invalid(why) => Error::invalid(&path, source, why),
            SelectorError::Internal(why) => Error::internal(&path, why),
            SelectorError::TooComplex => Error::forbidden(&path, "too complex, exceeds cost limit"),
        }));
    });
}

/// What a driver reads: its name, and parameters of its own.
pub(super) fn configuration(errors: &mut Errors, path: &Path, configuration: &Value) {
    let (path, opaque) = (path.child("opaque"), configuration.field("opaque"));
    if opaque.is_null() {
        errors.push(Error::required(&path, ""));
        return;
    }
    driver(errors, &path.child("driver"), opaque.text("/driver"));
    let (path, parameters) = (path.child("parameters"), opaque.field("parameters"));
    if parameters.is_null() {
        errors.push(Error::required(&path, ""));
    } else if parameters.to_string().len() > PARAMETERS_MAX {
        errors.push(Error::too_long(&path, PARAMETERS_MAX));
    } else if !parameters.is_object() {
        errors.push(Error::invalid(
            &path,
            "<value omitted>",
            "must be a valid JSON object",
        ));
    }
}

fn label_value(errors: &mut Errors, path: &Path, text: &str) {
    check::text(errors, path, text, names::label_value(text));
}

/// A toleration of a device's taint.
pub(super) fn toleration(errors: &mut Errors, path: &Path, toleration: &Value) {
    let (key, value) = (toleration.text("/key"), toleration.text("/value"));
    if !key.is_empty() {
        check::qualified_name(errors, &path.child("key"), key);
    }
    let value_path = path.child("value");
    match toleration.text("/operator") {
        "Exists" if value.is_empty() => {}
        "Exists" => errors.push(Error::invalid(
            &value_path,
            value,
            "must be empty for operator `Exists`",
        )),
        "Equal" => label_value(errors, &value_path, value),
        other => check::required_one_of(errors, &path.child("operator"), other, &["Equal", "Exists"]),
    }
    let effect = toleration.text("/effect");
    if !effect.is_empty() {
        check::one_of(errors, &path.child("effect"), effect, EFFECTS);
    }
}

/// A taint of a device.
pub(super) fn taint(errors: &mut Errors, path: &Path, taint: &Value) {
    check::qualified_name(errors, &path.child("key"), taint.text("/key"));
    let value = taint.text("/value");
    if !value.is_empty() {
        label_value(errors, &path.child("value"), value);
    }
    check::required_one_of(errors, &path.child("effect"), taint.text("/effect"), EFFECTS);
}

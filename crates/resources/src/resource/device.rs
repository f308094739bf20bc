//! A device of a slice: its attributes, what it has to give, and its taints.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::part::{list, qualified, taint};
use crate::check::{self, Errors};
use crate::go_literal::go_literal;

const VALUES_MAX: usize = 32;
const TAINTS_MAX: usize = 16;
const TEXT_MAX: usize = 64;
const FIELDS: [&str; 8] = [
    "bool", "int", "string", "version", "bools", "ints", "strings", "versions",
];

/// Checks a device.
pub(super) fn check(errors: &mut Errors, path: &Path, device: &Value) {
    check::dns_label(errors, &path.child("name"), device.text("/name"));
    let count = |field: &str| device.field(field).as_object().map_or(0, serde_json::Map::len);
    let total = count("attributes") + count("capacity");
    if total > VALUES_MAX {
        let why = format!("the total number of attributes and capacities must not exceed {VALUES_MAX}");
        errors.push(Error::invalid(path, total, why));
    }
    let attributes = path.child("attributes");
    for (name, value) in device.field("attributes").as_object().into_iter().flatten() {
        qualified(errors, &attributes, name);
        attribute(errors, &attributes.key(name), value);
    }
    for name in device
        .field("capacity")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        qualified(errors, &path.child("capacity"), name);
    }
    list(
        errors,
        &path.child("taints"),
        device.items("/taints"),
        TAINTS_MAX,
        taint,
    );
}

fn attribute(errors: &mut Errors, path: &Path, attribute: &Value) {
    for field in ["string", "version"] {
        if attribute
            .field(field)
            .as_str()
            .is_some_and(|text| text.len() > TEXT_MAX)
        {
            errors.push(Error::too_long(&path.child(field), TEXT_MAX));
        }
    }
    if let Some(version) = attribute
        .field("version")
        .as_str()
        .filter(|text| !is_version(text))
    {
        errors.push(Error::invalid(
            &path.child("version"),
            version,
            "must be a string compatible with semver.org spec 2.0.0",
        ));
    }
    const WHY: &str = "exactly one value must be specified";
    match FIELDS
        .iter()
        .filter(|field| !attribute.field(field).is_null())
        .count()
    {
        0 => errors.push(Error::invalid(path, "", WHY)),
        1 => {}
        _ => {
            let shown = go_literal("DeviceAttribute", &internal(attribute));
            errors.push(Error::invalid(path, attribute.clone(), WHY).shown_as(shown));
        }
    }
}

/// By the names of upstream's internal fields.
fn internal(attribute: &Value) -> Value {
    let named = FIELDS.iter().map(|field| {
        let name = match field.strip_suffix('s') {
            Some(one) => format!("{one}Values"),
            None => format!("{field}Value"),
        };
        (name, attribute.field(field).clone())
    });
    Value::Object(named.collect())
}

/// Three numbers with dots between them; what follows is a release candidate's or a build's.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    core.split('.').count() == 3 && core.split('.').all(is_number)
}

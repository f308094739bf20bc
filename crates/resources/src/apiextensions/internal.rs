//! The specification of a definition as upstream's internal version has it, whose paths stand in its messages: what
//! all versions have alike stands once, above them.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::check;

/// What moves up when all versions agree: the field of a version, and the field above.
const SHARED: [(&str, &str); 4] = [
    ("subresources", "subresources"),
    ("schema", "validation"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
    ("selectableFields", "selectableFields"),
];

/// `spec` of version 1 in upstream's internal form.
pub(super) fn internal(spec: &Value) -> Value {
    let mut spec = spec.clone();
    flatten_conversion(&mut spec);
    let Some(first) = spec.items("/versions").first().cloned() else {
        return spec;
    };
    spec.set("/version", first.field("name").clone());
    for (field, above) in SHARED {
        let shared = first.field(field);
        let agree = |version: &Value| {
            check::same(version.field(field), shared) && {
                // A schema that is there and empty is not one that is absent.
                version.field(field).is_null() == shared.is_null()
            }
        };
        if !spec.items("/versions").iter().all(agree) {
            continue;
        }
        if !shared.is_null() {
            spec.set(&format!("/{above}"), shared.clone());
        }
        let versions = spec.pointer_mut("/versions").and_then(Value::as_array_mut);
        for version in versions.into_iter().flatten().filter_map(Value::as_object_mut) {
            version.remove(field);
        }
    }
    spec
}

fn flatten_conversion(spec: &mut Value) {
    let Some(webhook) = spec.take_at("/conversion/webhook").filter(Value::is_object) else {
        return;
    };
    for (field, flat) in [
        ("clientConfig", "webhookClientConfig"),
        ("conversionReviewVersions", "conversionReviewVersions"),
    ] {
        if !webhook.field(field).is_null() {
            spec.set(&format!("/conversion/{flat}"), webhook.field(field).clone());
        }
    }
}

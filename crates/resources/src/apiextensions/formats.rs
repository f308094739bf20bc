//! Formats that nobody checks: users are told of them.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// What upstream checks, sorted; a dash in a name does not count.
const KNOWN: [&str; 31] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "double",
    "duration",
    "email",
    "float",
    "hexcolor",
    "hostname",
    "int32",
    "int64",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "ip",
];

/// The formats in the schemas of a definition that nobody checks.
pub(super) fn unknown(object: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for version in object.items("/spec/versions") {
        collect(&mut found, version.at("/schema/openAPIV3Schema"));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn collect<'a>(found: &mut Vec<&'a str>, schema: &'a Value) {
    let format = schema.text("/format");
    if !format.is_empty() && !KNOWN.contains(&format.replace('-', "").as_str()) {
        found.push(format);
    }
    for key in ["items", "additionalProperties", "not"] {
        if schema.field(key).is_object() {
            collect(found, schema.field(key));
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for child in schema.field(key).as_array().into_iter().flatten() {
            collect(found, child);
        }
    }
    for child in schema
        .field("properties")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, child)| child)
    {
        collect(found, child);
    }
}

//! Named formats: `format.dns1123Label().validate('a_b')`.

use warren_apimachinery::name;

use super::url::Url;
use super::{Answer, Row, no_such_overload};
use crate::value::{Instant, Opaque, Value};

pub(super) const TABLE: &[Row] = &[
    (
        "validate",
        "format-validate",
        "kubernetes.NamedFormat.(string) -> optional(list(string))",
        validate,
    ),
    (
        "format.named",
        "format-named",
        "(string) -> optional(kubernetes.NamedFormat)",
        named,
    ),
];

/// The functions that give a format each; `evaluate` carries them out by name.
pub(super) const NAMES: [&str; 13] = [
    "format.dns1123Label",
    "format.dns1123Subdomain",
    "format.dns1035Label",
    "format.qualifiedName",
    "format.dns1123LabelPrefix",
    "format.dns1123SubdomainPrefix",
    "format.dns1035LabelPrefix",
    "format.labelValue",
    "format.uri",
    "format.uuid",
    "format.byte",
    "format.date",
    "format.datetime",
];

/// What text must look like.
#[derive(Debug)]
pub struct Format {
    /// Its name as upstream shows it.
    pub(crate) name: &'static str,
    check: fn(&str) -> Vec<String>,
    /// How long its regular expression is, from which the cost of a check is counted.
    pub(crate) length: u64,
}

static FORMATS: [(&str, Format); 13] = [
    (
        "dns1123Label",
        Format {
            name: "DNS1123Label",
            check: name::dns1123_label,
            length: 30,
        },
    ),
    (
        "dns1123Subdomain",
        Format {
            name: "DNS1123Subdomain",
            check: name::dns1123_subdomain,
            length: 60,
        },
    ),
    (
        "dns1035Label",
        Format {
            name: "DNS1035Label",
            check: name::dns1035_label,
            length: 30,
        },
    ),
    (
        "qualifiedName",
        Format {
            name: "QualifiedName",
            check: name::qualified_name,
            length: 60,
        },
    ),
    (
        "dns1123LabelPrefix",
        Format {
            name: "DNS1123LabelPrefix",
            check: |text| name::dns1123_label(&name::mask_trailing_dash(text)),
            length: 30,
        },
    ),
    (
        "dns1123SubdomainPrefix",
        Format {
            name: "DNS1123SubdomainPrefix",
            check: |text| name::dns1123_subdomain(&name::mask_trailing_dash(text)),
            length: 60,
        },
    ),
    (
        "dns1035LabelPrefix",
        Format {
            name: "DNS1035LabelPrefix",
            check: |text| name::dns1035_label(&name::mask_trailing_dash(text)),
            length: 30,
        },
    ),
    (
        "labelValue",
        Format {
            name: "LabelValue",
            check: name::label_value,
            length: 40,
        },
    ),
    (
        "uri",
        Format {
            name: "URI",
            check: |text| Url::parse(text).err().into_iter().collect(),
            length: 1_103,
        },
    ),
    (
        "uuid",
        Format {
            name: "uuid",
            check: |text| unless(is_uuid(text), "does not match the UUID format"),
            length: 70,
        },
    ),
    (
        "byte",
        Format {
            name: "byte",
            check: |text| unless(is_base64(text), "invalid base64"),
            length: 84,
        },
    ),
    (
        "date",
        Format {
            name: "date",
            check: |text| unless(is_date(text), "invalid date"),
            length: 71,
        },
    ),
    (
        "datetime",
        Format {
            name: "datetime",
            check: |text| unless(Instant::parse(text).is_some(), "invalid datetime"),
            length: 71,
        },
    ),
];

fn unless(holds: bool, why: &str) -> Vec<String> {
    if holds { Vec::new() } else { vec![why.to_owned()] }
}

fn is_uuid(text: &str) -> bool {
    let digits = text.chars().filter(|c| *c != '-').count();
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    digits == 32
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        && (groups == [8, 4, 4, 4, 12] || groups == [32])
}

fn is_base64(text: &str) -> bool {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).is_ok() && !text.is_empty()
}

fn is_date(text: &str) -> bool {
    Instant::parse_date(text).is_ok()
}

/// The format that a function such as `format.uri` gives.
pub(crate) fn of_function(function: &str) -> Option<&'static Format> {
    let name = function.strip_prefix("format.")?;
    FORMATS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, format)| format)
}

fn named<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(name)] = arguments else {
        return Err(no_such_overload());
    };
    let found = FORMATS.iter().find(|(known, _)| *known == &**name);
    Ok(match found {
        Some((_, format)) => Value::some(Value::Opaque(Opaque::Format(format))),
        None => Value::Optional(None),
    })
}

fn validate<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::Opaque(Opaque::Format(format)), Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    let faults = (format.check)(text);
    if faults.is_empty() {
        return Ok(Value::Optional(None));
    }
    let faults = faults.into_iter().map(Value::from).collect();
    Ok(Value::some(Value::list(faults)))
}

//! The flow schemas and priority levels that every API server keeps as they are.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};
use crate::go_literal::go_literal;

const SPECS: &str = include_str!("../../data/mandatory-flow-control.json");

/// `RESOURCE/NAME` and the specification. Read once; lives as long as the process.
static MANDATORY: LazyLock<HashMap<&'static str, Value>> =
    LazyLock::new(|| serde_json::from_str(SPECS).unwrap_or_default());

/// A mandatory flow schema is what it is.
pub(super) fn flow_schema(errors: &mut Errors, object: &Value) {
    let own_name = object.text("/metadata/name");
    let Some(fixed) = MANDATORY.get(format!("flowschemas/{own_name}").as_str()) else {
        return;
    };
    if !check::same(fixed, object.field("spec")) {
        let why = format!("spec of '{own_name}' must equal the fixed value");
        errors.push(refused("FlowSchemaSpec", object, why));
    }
}

/// A mandatory priority level is what it is, but for the exemptions of the exempt one.
pub(super) fn priority_level(errors: &mut Errors, object: &Value) {
    let own_name = object.text("/metadata/name");
    let Some(fixed) = MANDATORY.get(format!("prioritylevelconfigurations/{own_name}").as_str()) else {
        return;
    };
    let is_free = own_name == super::EXEMPT;
    let fields: &[&str] = if is_free {
        &["type", "limited"]
    } else {
        &["type", "limited", "exempt"]
    };
    let spec = object.field("spec");
    if !fields
        .iter()
        .all(|field| check::same(fixed.field(field), spec.field(field)))
    {
        let but = if is_free {
            " except the 'spec.exempt' field"
        } else {
            ""
        };
        let why = format!("spec of '{own_name}'{but} must equal the fixed value");
        errors.push(refused("PriorityLevelConfigurationSpec", object, why));
    }
}

fn refused(kind: &str, object: &Value, why: String) -> Error {
    let spec = object.field("spec");
    Error::invalid(&Path::new("spec"), spec.clone(), why).shown_as(go_literal(kind, spec))
}

//! One version of a definition.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::columns::{columns, subresources};
use super::schema;
use super::selectable_fields::selectable_fields;
use crate::check::Errors;

const WARNING_MAX: usize = 256;

/// Checks a version of the internal form; `has_status` says whether its status is written apart.
pub(super) fn version(errors: &mut Errors, path: &Path, version: &Value, has_status: bool) {
    let warning = &version.field("deprecationWarning");
    let is_deprecated = version.field("deprecated").as_bool() == Some(true);
    for why in wrong_warning(is_deprecated, warning.as_str()) {
        errors.push(Error::invalid(
            &path.child("deprecationWarning"),
            (*warning).clone(),
            why,
        ));
    }
    schema::validation(errors, &path.child("schema"), version.field("schema"), has_status);
    subresources(errors, &path.child("subresources"), version.field("subresources"));
    columns(
        errors,
        &path.child("additionalPrinterColumns"),
        version.items("/additionalPrinterColumns"),
    );
    let fields = version.items("/selectableFields");
    let schema = version.at("/schema/openAPIV3Schema");
    let fields_path = path.child("selectableFields");
    if !fields.is_empty() && schema.is_null() {
        // The word `not` is upstream's.
        errors.push(Error::invalid(
            &fields_path,
            "",
            "may only be set when `version.schema.openAPIV3Schema` is not included",
        ));
    } else {
        selectable_fields(errors, &fields_path, fields, schema);
    }
}

fn wrong_warning(is_deprecated: bool, warning: Option<&str>) -> Vec<String> {
    let Some(warning) = warning else {
        return Vec::new();
    };
    if !is_deprecated {
        return vec!["can only be set for deprecated versions".to_owned()];
    }
    let mut wrong = Vec::new();
    if warning.len() > WARNING_MAX {
        wrong.push("must be <= 256 characters long".to_owned());
    }
    if warning.is_empty() {
        wrong.push("must not be an empty string".to_owned());
    }
    let bad = warning.char_indices().find(|(_, c)| c.is_control());
    if let Some((at, _)) = bad {
        wrong.push(format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {at}"
        ));
    }
    wrong
}

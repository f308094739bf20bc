//! The specification of a definition, in upstream's order.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as dns;
use warren_apimachinery::value::ValueExt;

use super::columns::{columns, subresources};
use super::conversion::conversion;
use super::names::{joined, names, required};
use super::selectable_fields::selectable_fields;
use super::{schema, version};
use crate::check::{self, Errors};
use crate::go_literal::go_literal;

/// Checks a specification in its internal form.
pub(super) fn spec(errors: &mut Errors, spec: &Value) {
    let path = Path::new("spec");
    group(errors, &path.child("group"), spec.text("/group"));
    let scopes = &["Cluster", "Namespaced"];
    check::required_one_of(errors, &path.child("scope"), spec.text("/scope"), scopes);
    schemas_are_there(errors, &path, spec);
    versions(errors, &path, spec);
    let names_path = path.child("names");
    required(errors, &names_path, spec.field("names"));
    names(errors, &names_path, spec.field("names"));
    shared(errors, &path, spec);
    conversion(errors, &path.child("conversion"), spec.field("conversion"));
}

fn group(errors: &mut Errors, path: &Path, group: &str) {
    if !check::required(errors, path, group) {
        return;
    }
    let wrong = dns::dns1123_subdomain(group);
    if !wrong.is_empty() {
        joined(errors, path, group, "", &wrong);
    } else if !group.contains('.') {
        errors.push(Error::invalid(
            path,
            group,
            "should be a domain with at least one dot",
        ));
    }
}

fn schemas_are_there(errors: &mut Errors, path: &Path, spec: &Value) {
    if !spec.at("/validation/openAPIV3Schema").is_null() {
        return;
    }
    for (at, version) in spec.items("/versions").iter().enumerate() {
        if version.at("/schema/openAPIV3Schema").is_null() {
            let path = path.child("versions").index(at).child("schema.openAPIV3Schema");
            errors.push(Error::required(&path, ""));
        }
    }
}

fn has_status(subresources: &Value) -> bool {
    !subresources.field("status").is_null()
}

fn versions(errors: &mut Errors, path: &Path, spec: &Value) {
    let list_path = path.child("versions");
    let versions = spec.items("/versions");
    let above = spec.field("subresources");
    let is_per_version = versions
        .iter()
        .any(|version| !version.field("subresources").is_null());
    for (at, version) in versions.iter().enumerate() {
        let (path, own_name) = (list_path.index(at), version.text("/name"));
        joined(
            errors,
            &path.child("name"),
            own_name,
            "",
            &dns::dns1035_label(own_name),
        );
        let own = if is_per_version {
            version.field("subresources")
        } else {
            above
        };
        version::version(errors, &path, version, has_status(own));
    }
    let mut refuse = |why: &str| {
        let all = spec.field("versions");
        let shown = go_literal("[]CustomResourceDefinitionVersion", all);
        errors.push(Error::invalid(&list_path, all.clone(), why).shown_as(shown));
    };
    let unique: HashSet<&str> = versions.iter().map(|version| version.text("/name")).collect();
    if unique.len() != versions.len() {
        refuse("must contain unique version names");
    }
    let is_stored = |version: &&Value| version.field("storage").as_bool() == Some(true);
    if versions.iter().filter(is_stored).count() != 1 {
        refuse("must have exactly one version marked as storage version");
    }
    let first = spec.text("/version");
    if !first.is_empty() {
        joined(
            errors,
            &path.child("version"),
            first,
            "",
            &dns::dns1035_label(first),
        );
    }
}

/// What all versions have alike.
fn shared(errors: &mut Errors, path: &Path, spec: &Value) {
    let any_status = has_status(spec.field("subresources"))
        || spec
            .items("/versions")
            .iter()
            .any(|version| has_status(version.field("subresources")));
    schema::validation(
        errors,
        &path.child("validation"),
        spec.field("validation"),
        any_status,
    );
    subresources(errors, &path.child("subresources"), spec.field("subresources"));
    columns(
        errors,
        &path.child("additionalPrinterColumns"),
        spec.items("/additionalPrinterColumns"),
    );
    let (fields_path, fields) = (path.child("selectableFields"), spec.items("/selectableFields"));
    if fields.is_empty() {
        return;
    }
    if spec.field("validation").is_null() {
        errors.push(Error::invalid(
            &fields_path,
            "",
            "may only be set when validations.schema is included",
        ));
    } else {
        selectable_fields(
            errors,
            &fields_path,
            fields,
            spec.at("/validation/openAPIV3Schema"),
        );
    }
}

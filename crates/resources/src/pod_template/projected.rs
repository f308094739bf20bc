//! Volumes made of files: keys of config maps and secrets, fields of the pod, tokens, and all of them together.

use std::collections::HashSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::env::{Place, field_ref, resource_field_ref};
use super::paths::unreserved_path;
use crate::check::{self, Errors};

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// The permissions of a file.
pub(super) fn mode(errors: &mut Errors, path: &Path, mode: &Value) {
    if let Some(bits) = mode.as_i64().filter(|bits| !(0..=0o777).contains(bits)) {
        errors.push(Error::invalid(path, bits, FILE_MODE));
    }
}

/// Checks which keys become which files.
pub(super) fn keys(errors: &mut Errors, path: &Path, items: &[Value]) {
    for (at, item) in items.iter().enumerate() {
        one_key(errors, &path.index(at), item);
    }
}

fn one_key(errors: &mut Errors, path: &Path, item: &Value) {
    check::required(errors, &path.child("key"), item.text("/key"));
    check::required(errors, &path.child("path"), item.text("/path"));
    unreserved_path(errors, &path.child("path"), item.text("/path"));
    mode(errors, &path.child("mode"), item.field("mode"));
}

/// Checks a file that shows a field of the pod.
pub(super) fn downward_file(errors: &mut Errors, path: &Path, file: &Value) {
    check::required(errors, &path.child("path"), file.text("/path"));
    unreserved_path(errors, &path.child("path"), file.text("/path"));
    let (field, resource) = (file.field("fieldRef"), file.field("resourceFieldRef"));
    match (field.is_null(), resource.is_null()) {
        (false, _) => {
            field_ref(errors, &path.child("fieldRef"), field, Place::Volume);
            if !resource.is_null() {
                errors.push(Error::invalid(
                    path,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                ));
            }
        }
        (true, false) => resource_field_ref(errors, &path.child("resourceFieldRef"), resource, Place::Volume),
        (true, true) => errors.push(Error::required(
            path,
            "one of fieldRef and resourceFieldRef is required",
        )),
    }
    mode(errors, &path.child("mode"), file.field("mode"));
}

/// Checks a `projected` volume.
pub(super) fn projected(errors: &mut Errors, path: &Path, source: &Value) {
    mode(errors, &path.child("defaultMode"), source.field("defaultMode"));
    let mut paths = HashSet::new();
    for (at, source) in source.items("/sources").iter().enumerate() {
        let source_path = path.child("sources").index(at);
        for kind in ["secret", "configMap"] {
            let (keyed, at) = (source.field(kind), source_path.child(kind));
            if keyed.is_null() {
                continue;
            }
            let name = keyed.text("/name");
            check::required(errors, &at.child("name"), name);
            for (index, item) in keyed.items("/items").iter().enumerate() {
                one_key(errors, &at.child("items").index(index), item);
                unique_path(errors, path, &mut paths, item.text("/path"), name);
            }
        }
        let downward = source.field("downwardAPI");
        for file in downward.items("/items") {
            downward_file(errors, &source_path.child("downwardAPI"), file);
            let file = file.text("/path");
            unique_path(errors, path, &mut paths, file, file);
        }
        let token = source.field("serviceAccountToken");
        if !token.is_null() {
            token_source(errors, path, &source_path.child("serviceAccountToken"), token);
        }
        let given = source
            .as_object()
            .map_or(0, |map| map.values().filter(|value| !value.is_null()).count());
        if given > 1 {
            errors.push(Error::forbidden(
                &source_path,
                "may not specify more than 1 volume type per source",
            ));
        }
    }
}

fn unique_path<'a>(
    errors: &mut Errors,
    path: &Path,
    seen: &mut HashSet<&'a str>,
    file: &'a str,
    shown: &str,
) {
    if !file.is_empty() && !seen.insert(file) {
        errors.push(Error::invalid(path, shown, "conflicting duplicate paths"));
    }
}

fn token_source(errors: &mut Errors, volume: &Path, path: &Path, token: &Value) {
    let seconds = token.int("/expirationSeconds").unwrap_or_default();
    let expiration = path.child("expirationSeconds");
    if seconds < 600 {
        errors.push(Error::invalid(
            &expiration,
            seconds,
            "may not specify a duration less than 10 minutes",
        ));
    }
    if seconds > 1 << 32 {
        errors.push(Error::invalid(
            &expiration,
            seconds,
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    // Upstream reports the path at the volume, not at the source.
    let file = token.text("/path");
    if check::required(errors, &volume.child("path"), file) {
        unreserved_path(errors, &volume.child("path"), file);
    }
}

//! `metadata`: what clients may not set, and what upstream demands of the rest.
//!
//! Does not own what a single kind adds; that is its strategy.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, label, name, time};

use crate::Warnings;
use crate::definition::Definition;
use crate::strategy::NameRule;

/// The finalizer that makes the garbage collector orphan dependents.
pub(crate) const ORPHAN: &str = "orphan";
/// The finalizer that makes the garbage collector delete dependents first.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// What only the system writes; dropped from what a client creates.
const SYSTEM: [&str; 5] = [
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "uid",
    "selfLink",
];

/// `metadata` of an object, made if it is not there.
///
/// # Errors
/// When `metadata` or the object is of another shape.
pub(crate) fn of(object: &mut Value) -> Result<&mut Map<String, Value>, Status> {
    object
        .object_at("/metadata")
        .ok_or_else(|| Status::bad_request("metadata must be an object"))
}

/// Drops what a client may not set on a new object.
pub(crate) fn wipe(object: &mut Value) -> Result<(), Status> {
    let metadata = of(object)?;
    for field in SYSTEM {
        metadata.remove(field);
    }
    Ok(())
}

/// Gives a new object its uid, its time, and its generation where the kind counts one.
pub(crate) fn fill(object: &mut Value, definition: &Definition, now: Timestamp) -> Result<(), Status> {
    let metadata = of(object)?;
    metadata.insert("uid".to_owned(), new_uid().into());
    metadata.insert("creationTimestamp".to_owned(), time::format(now).into());
    if definition.strategy.traits().generation {
        metadata.insert("generation".to_owned(), 1.into());
    }
    Ok(())
}

/// A fresh uid.
pub(crate) fn new_uid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Makes the object's namespace the request's.
///
/// # Errors
/// 400 when the object names another one.
pub(crate) fn settle_namespace(
    object: &mut Value,
    definition: &Definition,
    namespace: &str,
) -> Result<(), Status> {
    let metadata = of(object)?;
    let own = metadata
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !definition.is_namespaced() {
        metadata.remove("namespace");
    } else if own.is_empty() {
        metadata.insert("namespace".to_owned(), namespace.into());
    } else if own != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Keeps the first of owner references that are the same, with upstream's warning.
pub(crate) fn dedup_owners(object: &mut Value, warnings: &Warnings) {
    let Some(Value::Array(owners)) = object.pointer_mut("/metadata/ownerReferences") else {
        return;
    };
    let mut seen: Vec<Value> = Vec::with_capacity(owners.len());
    let mut doubled: Vec<String> = Vec::new();
    for owner in owners.drain(..) {
        if seen.contains(&owner) {
            let uid = owner.text("/uid").to_owned();
            if !doubled.contains(&uid) {
                doubled.push(uid);
            }
        } else {
            seen.push(owner);
        }
    }
    *owners = seen;
    if !doubled.is_empty() {
        warnings.add(format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            doubled.join(", ")
        ));
    }
}

/// What is wrong with the metadata of a new object.
pub(crate) fn validate(object: &Value, definition: &Definition, builtin: bool) -> Vec<Error> {
    let metadata = object.field("metadata");
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    let rule = definition.strategy.traits().name;
    let prefix = metadata.text("/generateName");
    if !prefix.is_empty() {
        let at = path.child("generateName");
        errors.extend(
            check_name(rule, prefix, NameKind::Prefix)
                .into_iter()
                .map(|why| Error::invalid(&at, prefix, why)),
        );
    }
    let own = metadata.text("/name");
    let at = path.child("name");
    if own.is_empty() {
        errors.push(Error::required(&at, "name or generateName is required"));
    } else {
        errors.extend(
            check_name(rule, own, NameKind::Whole)
                .into_iter()
                .map(|why| Error::invalid(&at, own, why)),
        );
    }
    errors.extend(namespace(metadata, definition, &path));
    if let Some(generation) = metadata.int("/generation").filter(|generation| *generation < 0) {
        errors.push(Error::invalid(
            &path.child("generation"),
            generation,
            "must be greater than or equal to 0",
        ));
    }
    errors.extend(freely_changed(metadata, &path));
    let at = path.child("finalizers");
    errors.extend(finalizers(metadata, &at));
    if builtin {
        errors.extend(unqualified_finalizers(metadata, &at));
    }
    errors
}

/// What is wrong with the metadata of an object that stands in a custom resource; its name may be missing.
pub fn validate_embedded(metadata: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let named = [("generateName", NameKind::Prefix), ("name", NameKind::Whole)];
    for (field, kind) in named {
        let text = metadata.field(field).as_str().unwrap_or_default();
        if !text.is_empty() {
            let wrong = check_name(NameRule::PathSegment, text, kind).into_iter();
            errors.extend(wrong.map(|why| Error::invalid(&path.child(field), text, why)));
        }
    }
    let own = metadata.text("/namespace");
    if !own.is_empty() {
        let wrong = name::dns1123_label(own).into_iter();
        errors.extend(wrong.map(|why| Error::invalid(&path.child("namespace"), own, why)));
    }
    if let Some(generation) = metadata.int("/generation").filter(|generation| *generation < 0) {
        let why = "must be greater than or equal to 0";
        errors.push(Error::invalid(&path.child("generation"), generation, why));
    }
    errors.extend(freely_changed(metadata, path));
    errors.extend(finalizers(metadata, &path.child("finalizers")));
    errors
}

/// What is wrong with the metadata of a changed object. Upstream looks at the new object, then at the change, and
/// the kind's own validation looks at the change again: all of it is listed.
pub(crate) fn validate_update(new: &Value, old: &Value, builtin: bool) -> Vec<Error> {
    let path = Path::new("metadata");
    let (new, old) = (new.field("metadata"), old.field("metadata"));
    let at = path.child("finalizers");
    let mut errors = freely_changed(new, &path);
    errors.extend(finalizers(new, &at));
    let changes = changes(new, old, &path);
    errors.extend(changes.iter().cloned());
    errors.extend(changes);
    if builtin {
        errors.extend(unqualified_finalizers(new, &at));
    }
    errors
}

/// What may not change, and what may.
fn changes(new: &Value, old: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    if !old.field("deletionTimestamp").is_null() {
        errors.extend(no_new_finalizers(new, old, &path.child("finalizers")));
    }
    if new.int("/generation").unwrap_or_default() < old.int("/generation").unwrap_or_default() {
        errors.push(Error::invalid(
            &path.child("generation"),
            new.field("generation").clone(),
            "must not be decremented",
        ));
    }
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let now = new.field(field);
        if now != old.field(field) {
            errors.push(Error::invalid(
                &path.child(field),
                now.clone(),
                "field is immutable",
            ));
        }
    }
    errors.extend(freely_changed(new, path));
    errors
}

/// Labels, annotations and owners: checked alike on create and update.
fn freely_changed(metadata: &Value, path: &Path) -> Vec<Error> {
    let mut errors = label::validate(metadata.field("labels"), &path.child("labels"));
    errors.extend(label::validate_annotations(
        metadata.field("annotations"),
        &path.child("annotations"),
    ));
    errors.extend(owners(metadata, &path.child("ownerReferences")));
    errors.extend(managers(metadata, &path.child("managedFields")));
    errors
}

/// The names in `managedFields`; what they own is forgotten where it makes no sense.
fn managers(metadata: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    for (index, entry) in metadata.items("/managedFields").iter().enumerate() {
        let at = path.index(index);
        for (field, limit) in [("manager", 128), ("subresource", 256)] {
            if entry.field(field).as_str().is_some_and(|text| text.len() > limit) {
                errors.push(Error::too_long(&at.child(field), limit));
            }
        }
    }
    errors
}

fn namespace(metadata: &Value, definition: &Definition, path: &Path) -> Vec<Error> {
    let at = path.child("namespace");
    let own = metadata.text("/namespace");
    match (definition.is_namespaced(), own.is_empty()) {
        (true, true) => vec![Error::required(&at, "")],
        (true, false) => name::dns1123_label(own)
            .into_iter()
            .map(|why| Error::invalid(&at, own, why))
            .collect(),
        (false, true) => Vec::new(),
        (false, false) => vec![Error::forbidden(&at, "not allowed on this type")],
    }
}

fn owners(metadata: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut controller: Option<String> = None;
    for owner in metadata.items("/ownerReferences") {
        for field in ["apiVersion", "kind", "name", "uid"] {
            let value = owner.text(&format!("/{field}"));
            let why = if field == "apiVersion" {
                "version must not be empty"
            } else {
                "must not be empty"
            };
            if value.is_empty() || (field == "apiVersion" && !has_version(value)) {
                errors.push(Error::invalid(&path.child(field), value, why));
            }
        }
        if owner.text("/apiVersion") == "v1" && owner.text("/kind") == "Event" {
            errors.push(Error::invalid(
                path,
                owner.clone(),
                "/v1, Kind=Event is disallowed from being an owner",
            ));
        }
        if owner.field("controller").as_bool() == Some(true) {
            let own = format!("{}/{}", owner.text("/kind"), owner.text("/name"));
            if let Some(first) = &controller {
                errors.push(Error::invalid(
                    path,
                    metadata.field("ownerReferences").clone(),
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {own}"
                    ),
                ));
            } else {
                controller = Some(own);
            }
        }
    }
    errors
}

/// Whether an `apiVersion` of an owner names a version: `v1` or `group/v1`.
fn has_version(api_version: &str) -> bool {
    let version = api_version
        .split_once('/')
        .map_or(api_version, |(_, version)| version);
    !version.is_empty() && !version.contains('/')
}

fn finalizers(metadata: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let all = metadata.items("/finalizers");
    for finalizer in all {
        let finalizer = finalizer.as_str().unwrap_or_default();
        errors.extend(
            name::qualified_name(finalizer)
                .into_iter()
                .map(|why| Error::invalid(path, finalizer, why)),
        );
    }
    let has = |name: &str| all.iter().any(|finalizer| finalizer.as_str() == Some(name));
    if has(ORPHAN) && has(FOREGROUND) {
        errors.push(Error::invalid(
            path,
            metadata.field("finalizers").clone(),
            format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set"),
        ));
    }
    errors
}

/// The finalizer of definitions of custom resources, of which upstream asks no domain.
const DEFINITIONS: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What built-in kinds ask of finalizers besides: a domain, unless they are Kubernetes' own.
fn unqualified_finalizers(metadata: &Value, path: &Path) -> Vec<Error> {
    let all = metadata.items("/finalizers").iter().enumerate();
    all.map(|(index, finalizer)| (index, finalizer.as_str().unwrap_or_default()))
        .filter(|(_, finalizer)| {
            ![ORPHAN, FOREGROUND, "kubernetes", DEFINITIONS].contains(finalizer) && !finalizer.contains('/')
        })
        .map(|(index, finalizer)| {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            Error::invalid(&path.index(index), finalizer, why)
        })
        .collect()
}

fn no_new_finalizers(new: &Value, old: &Value, path: &Path) -> Option<Error> {
    let before = old.items("/finalizers");
    let mut added: Vec<String> = new
        .items("/finalizers")
        .iter()
        .filter(|finalizer| !before.contains(finalizer))
        .map(ToString::to_string)
        .collect();
    added.sort_unstable();
    (!added.is_empty()).then(|| {
        Error::forbidden(
            path,
            format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            ),
        )
    })
}

/// Whether a text is a name or the beginning of one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NameKind {
    Whole,
    Prefix,
}

fn check_name(rule: NameRule, text: &str, kind: NameKind) -> Vec<String> {
    let masked;
    let looked_at = if kind == NameKind::Prefix {
        masked = name::mask_trailing_dash(text);
        masked.as_str()
    } else {
        text
    };
    match rule {
        NameRule::DnsSubdomain => name::dns1123_subdomain(looked_at),
        NameRule::DnsLabel => name::dns1123_label(looked_at),
        NameRule::Dns1035Label => name::dns1035_label(looked_at),
        NameRule::PathSegment if kind == NameKind::Prefix => name::path_segment_prefix(text),
        NameRule::PathSegment => name::path_segment(text),
        NameRule::Custom => Vec::new(),
    }
}

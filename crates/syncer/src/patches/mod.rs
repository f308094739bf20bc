//! `patches` of the configuration: what an operator changes in an object on its way, by path. Owns which patches apply
//! where, and in which order; expressions are `expression`'s.
//!
//! Towards the host a patch changes the host object last of all, so it sees translated names; no patch reaches the
//! marks by which a host object is ours. Towards the tenant a patch changes the status that is reported, and a
//! `reverseExpression` of another field carries that field of the host object back.

mod expression;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersion, ObjectKey, Resource, resource};
use warren_config::{Patch, PatchReference};
use warren_translate::Virtual;

use crate::binding::Binding;
use crate::catalogue::MIRRORED;
use crate::mirrored::Report;
use crate::path::Path;
use crate::sides::host_key;

/// What expressions may look at.
pub(crate) struct Scene<'a> {
    pub(crate) binding: &'a Binding,
    pub(crate) virtual_object: &'a Value,
    /// `null` when there is none yet.
    pub(crate) host_object: &'a Value,
}

/// Which way an object goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A tenant's object to the host.
    ToHost,
    /// What the host says of a tenant's object.
    Back,
    /// An object of the host's own to a tenant.
    FromHost,
}

/// Applies every patch to a host object that is about to be written.
///
/// # Errors
/// Which patch fails, and why, as a tenant may read it: its paths and expressions are the operator's own words.
pub(crate) fn to_host(patches: &[Patch], scene: &Scene<'_>, host: &mut Value) -> Result<(), String> {
    let marks = host.at("/metadata").clone();
    apply(patches, scene, Way::ToHost, host)?;
    protect(host, &marks);
    Ok(())
}

/// Applies the patches to what comes back.
///
/// # Errors
/// As `to_host`.
pub(crate) fn to_virtual(patches: &[Patch], scene: &Scene<'_>, report: &mut Report) -> Result<(), String> {
    if !report.status.is_null() {
        let below = |patch: &&Patch| Path::parse(&patch.path).is_some_and(|path| path.is_below("status"));
        let of_status: Vec<Patch> = patches.iter().filter(below).cloned().collect();
        let mut object = json!({"status": report.status});
        apply(&of_status, scene, Way::Back, &mut object)?;
        report.status = object.take_at("/status").unwrap_or_default();
    }
    for patch in patches
        .iter()
        .filter(|patch| !patch.reverse_expression.is_empty())
    {
        let path = parsed(patch)?;
        if path.is_below("status") || path.is_below("metadata") {
            continue;
        }
        for place in path.places(scene.host_object) {
            let value = expression::evaluate(
                &patch.reverse_expression,
                scene,
                (&place, scene.host_object.at(&place)),
            )
            .map_err(|why| failed(patch, &why))?;
            if !scene.host_object.at(&place).is_null() && scene.virtual_object.at(&place) != &value {
                set_in_copy(&mut report.main, scene.virtual_object, &place, value);
            }
        }
    }
    Ok(())
}

/// Applies the expressions to an object that the host shows its tenants.
///
/// # Errors
/// As `to_host`.
pub(crate) fn from_host(
    patches: &[Patch],
    binding: &Binding,
    host: &Value,
    view: &mut Value,
) -> Result<(), String> {
    let scene = Scene {
        binding,
        virtual_object: &Value::Null,
        host_object: host,
    };
    let metadata = view.at("/metadata").clone();
    apply(patches, &scene, Way::FromHost, view)?;
    protect(view, &metadata);
    Ok(())
}

/// A merge patch replaces lists as a whole, so the nearest list above a place goes along.
fn set_in_copy(patch: &mut Value, object: &Value, place: &str, value: Value) {
    let mut whole = String::new();
    for token in place.split('/').skip(1) {
        whole = format!("{whole}/{token}");
        if object.at(&whole).is_array() {
            break;
        }
    }
    if patch.at(&whole).is_null() {
        patch.set(&whole, object.at(&whole).clone());
    }
    patch.set(place, value);
}

fn apply(patches: &[Patch], scene: &Scene<'_>, way: Way, object: &mut Value) -> Result<(), String> {
    for patch in patches {
        let path = parsed(patch)?;
        let expression = match way {
            Way::ToHost | Way::FromHost => &patch.expression,
            Way::Back => &patch.reverse_expression,
        };
        for place in path.places(object) {
            if !expression.is_empty() {
                let value = expression::evaluate(expression, scene, (&place, object.at(&place)))
                    .map_err(|why| failed(patch, &why))?;
                put(object, &place, value);
            } else if way == Way::ToHost && patch.expression.is_empty() && patch.reverse_expression.is_empty()
            {
                translate(patch, scene, object, &place);
            }
        }
    }
    Ok(())
}

fn parsed(patch: &Patch) -> Result<Path, String> {
    Path::parse(&patch.path).ok_or_else(|| format!("the path {:?} of a patch cannot be read", patch.path))
}

fn failed(patch: &Patch, why: &str) -> String {
    format!("the patch of {} fails: {why}", patch.path)
}

/// What an expression makes `null` of is removed.
fn put(object: &mut Value, place: &str, value: Value) {
    if value.is_null() {
        object.take_at(place);
    } else {
        object.set(place, value);
    }
}

/// A patch without an expression: the value is a name, a reference, or labels that select.
fn translate(patch: &Patch, scene: &Scene<'_>, object: &mut Value, place: &str) {
    if patch.labels.is_some() {
        translate_labels(scene, object, place);
    } else if let Some(reference) = &patch.reference {
        translate_reference(reference, scene, object, place);
    }
}

fn translate_labels(scene: &Scene<'_>, object: &mut Value, place: &str) {
    let tenant = &scene.binding.tenant;
    let namespace = Virtual(scene.virtual_object.text("/metadata/namespace"));
    let value = object.at(place).clone();
    let is_selector = ["matchLabels", "matchExpressions"]
        .iter()
        .any(|field| !value.field(field).is_null());
    match &value {
        Value::Object(_) if is_selector => object.set(place, tenant.host_selector(&value, Some(namespace))),
        Value::Object(labels) => object.set(place, tenant.host_selector_map(labels, namespace)),
        Value::String(key) => object.set(place, tenant.host_label_key(key)),
        _ => {}
    }
}

/// `place` is the name itself, or the object that `namePath` and `namespacePath` lead into.
fn translate_reference(reference: &PatchReference, scene: &Scene<'_>, object: &mut Value, place: &str) {
    let below = |path: &str| {
        let path = Path::parse(path)?;
        let first = path.places(object.at(place)).into_iter().next()?;
        Some(format!("{place}{first}"))
    };
    let text = |path: &str| {
        below(path)
            .map(|place| object.text(&place).to_owned())
            .filter(|text| !text.is_empty())
    };
    let kind = text(&reference.kind_path).unwrap_or_else(|| reference.kind.clone());
    let api_version = text(&reference.api_version_path).unwrap_or_else(|| reference.api_version.clone());
    let resource = resource_of(&api_version, &kind);
    let namespace_place = below(&reference.namespace_path);
    let namespace = text(&reference.namespace_path)
        .unwrap_or_else(|| scene.virtual_object.text("/metadata/namespace").to_owned());
    let name_place = below(&reference.name_path).unwrap_or_else(|| place.to_owned());
    let Some(name) = object.at(&name_place).as_str().filter(|name| !name.is_empty()) else {
        return;
    };
    let key = host_key(scene.binding, &resource, &ObjectKey::namespaced(namespace, name));
    object.set(&name_place, key.name.as_str());
    if let Some(place) = namespace_place.filter(|place| object.at(place).is_string()) {
        object.set(&place, key.namespace.as_str());
    }
}

/// The resource of a kind, as far as names are made by it: cluster-scoped kinds are those of the table; any other is
/// one of namespaces, whose names may hold dots.
fn resource_of(api_version: &str, kind: &str) -> Resource {
    let group = GroupVersion::parse(api_version)
        .map(|parsed| parsed.group)
        .unwrap_or_default();
    let known = MIRRORED.iter().map(|row| row.resource).chain(NAMED_OTHERWISE);
    let mut of_kind = known.filter(|resource| resource.group == group && resource.kind == kind);
    of_kind.next().unwrap_or(resource::SECRETS)
}

/// Kinds of other rules that are named in ways of their own.
const NAMED_OTHERWISE: [Resource; 2] = [resource::SERVICES, resource::CONFIG_MAPS];

/// Puts back what no patch may change: whose the object is, its name and its owner.
fn protect(host: &mut Value, metadata: &Value) {
    for field in ["name", "namespace", "ownerReferences"] {
        if !metadata.field(field).is_null() {
            host.set(&format!("/metadata/{field}"), metadata.field(field).clone());
        }
    }
    for map in ["labels", "annotations"] {
        let place = format!("/metadata/{map}");
        let marks = metadata.field(map).as_object().into_iter().flatten();
        if let Some(there) = host.object_at(&place) {
            there.retain(|key, _| !is_mark(key));
            there.extend(
                marks
                    .filter(|(key, _)| is_mark(key))
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
    }
}

fn is_mark(key: &str) -> bool {
    key.starts_with("warren.dev/")
}

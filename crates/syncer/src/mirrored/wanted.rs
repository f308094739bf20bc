//! The host object of a virtual one, as a row describes it. Pure but for looks at what is there.

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};
use warren_translate::Virtual;

use super::{ALL, Carry, Notice, Pass};
use crate::applied::{Parts, metadata_parts};
use crate::patches;
use crate::path::{Path, escaped};
use crate::sides::{Sides, host_metadata};

/// What the host object should be, and its parts that follow the virtual one.
pub(crate) struct Wanted {
    pub(crate) host: Value,
    pub(crate) parts: Parts,
}

/// What becomes of a virtual object.
pub(crate) enum Outcome {
    Carry(Box<Wanted>),
    Nothing,
    Waits(Notice),
    Refused(Notice),
}

/// See the module. `there` is the host object as it is now.
pub(crate) fn wanted(pass: &Pass<'_>, there: &Value) -> Outcome {
    let row = pass.row;
    let mut host = json!({"apiVersion": row.resource.api_version(), "kind": row.resource.kind,
        "metadata": host_metadata(&pass.sides.binding, &row.resource, pass.value)});
    let carried = pass.value.as_object().into_iter().flatten();
    for (field, value) in carried.filter(|(field, _)| is_carried(row.fields, field)) {
        host.set(&format!("/{}", escaped(field)), value.clone());
    }
    let namespace = pass.value.text("/metadata/namespace");
    for (place, resource) in row.references {
        translate_references(pass.sides, namespace, (place, resource), &mut host);
    }
    match (row.shape)(pass.sides, pass.value, &mut host) {
        Carry::Yes => {}
        Carry::No => return Outcome::Nothing,
        Carry::Waits(notice) => return Outcome::Waits(notice),
        Carry::Refused(notice) => return Outcome::Refused(notice),
    }
    if !pass.patches.is_empty() {
        let scene = patches::Scene {
            binding: &pass.sides.binding,
            virtual_object: pass.value,
            host_object: there,
        };
        if let Err(why) = patches::to_host(pass.patches, &scene, &mut host) {
            return Outcome::Waits(Notice::new(why));
        }
    }
    Outcome::Carry(Box::new(Wanted {
        parts: parts(pass, &host),
        host,
    }))
}

fn is_carried(fields: &[&str], field: &str) -> bool {
    match fields {
        ALL => !ENVELOPE.contains(&field),
        named => named.contains(&field),
    }
}

/// What every object has, whatever its kind.
const ENVELOPE: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

fn parts(pass: &Pass<'_>, host: &Value) -> Parts {
    let mut parts = Parts::new();
    metadata_parts(host.at("/metadata"), &mut parts);
    for path in pass.row.follows.iter().chain(pass.row.fixed) {
        let places = Path::parse(path)
            .map(|path| path.places(host))
            .unwrap_or_default();
        // With `/*` the spec is among the places, though its fields follow one by one.
        let whole = |place: &String| {
            place != "/spec"
                && !ENVELOPE
                    .iter()
                    .any(|field| place.strip_prefix('/') == Some(field))
        };
        for place in places.into_iter().filter(|place| *path != "/*" || whole(place)) {
            let value = host.at(&place).clone();
            if !value.is_null() {
                parts.insert(place, value);
            }
        }
    }
    parts
}

fn translate_references(
    sides: &Sides<'_>,
    namespace: &str,
    (place, resource): (&str, &Resource),
    host: &mut Value,
) {
    let places = Path::parse(place)
        .map(|path| path.places(host))
        .unwrap_or_default();
    for place in places {
        if let Some(Value::String(name)) = host.pointer_mut(&place)
            && !name.is_empty()
        {
            *name = name_on_host(sides, resource, namespace, name).to_string();
        }
    }
}

/// The host name of an object that a virtual object of `namespace` names.
pub(crate) fn name_on_host(sides: &Sides<'_>, resource: &Resource, namespace: &str, name: &str) -> SmolStr {
    let tenant = &sides.binding.tenant;
    match resource.scope {
        Scope::Cluster => tenant.host_cluster_name(Virtual(name)).0,
        Scope::Namespaced => {
            let key = Virtual(ObjectKey::namespaced(namespace, name));
            tenant.host_name(resource, &key).0
        }
    }
}

//! References of the Gateway API: `group`, `kind`, `namespace` and `name`, each with its defaults.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::resource::{self, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource};

use super::{each, grant};
use crate::sides::{Sides, ours};

/// Who refers: a kind of the Gateway API in a virtual namespace.
pub(super) struct Referrer<'a> {
    pub(super) sides: &'a Sides<'a>,
    pub(super) kind: &'static str,
    pub(super) namespace: &'a str,
}

impl<'a> Referrer<'a> {
    pub(super) fn new(sides: &'a Sides<'a>, kind: &'static str, namespace: &'a str) -> Self {
        Self {
            sides,
            kind,
            namespace,
        }
    }
}

/// Gives a reference its host name. One into another namespace that nobody grants is taken for one into the referrer's
/// own: there it names nothing that is not the tenant's, and the host's controller says that it leads nowhere.
pub(super) fn translate(referrer: &Referrer<'_>, default_kind: &str, reference: &mut Value) {
    let kind = match reference.text("/kind") {
        "" => default_kind.to_owned(),
        kind => kind.to_owned(),
    };
    let group = reference.text("/group").to_owned();
    let named = reference.text("/namespace").to_owned();
    let name = reference.text("/name").to_owned();
    let target = grant::Target {
        group: &group,
        kind: &kind,
        name: &name,
    };
    let elsewhere = !named.is_empty() && named != referrer.namespace;
    let granted = elsewhere && grant::is_granted(referrer, &named, &target);
    let namespace = if granted {
        named.as_str()
    } else {
        referrer.namespace
    };
    let key = ObjectKey::namespaced(namespace, target.name);
    let host = referrer.sides.host_key(&kind_of(&group, &kind), &key);
    reference.set("/name", host.name.as_str());
    set_namespace(referrer, reference, &host.namespace);
}

/// A namespace is said only where it is another than the referrer's.
pub(super) fn set_namespace(referrer: &Referrer<'_>, reference: &mut Value, host_namespace: &str) {
    let own = ObjectKey::namespaced(referrer.namespace, "any");
    let own = referrer.sides.host_key(&resource::GATEWAYS, &own).namespace;
    if own == host_namespace {
        reference.take_at("/namespace");
    } else {
        reference.set("/namespace", host_namespace);
    }
}

/// A kind as names are made for it: only Services have a form of their own.
pub(super) fn kind_of(group: &str, kind: &str) -> Resource {
    match (group, kind) {
        ("" | "core", "Service") => resource::SERVICES,
        ("" | "core", "Secret") => resource::SECRETS,
        ("" | "core", "ConfigMap") => resource::CONFIG_MAPS,
        _ => Resource {
            plural: "others",
            scope: Scope::Namespaced,
            ..resource::GATEWAYS
        },
    }
}

/// What the host's controllers name, as the tenant knows it: a Gateway or a Service. What is not the tenant's stays
/// unnamed.
pub(super) fn to_virtual(sides: &Sides<'_>, virtual_namespace: &str, reference: &mut Value) {
    let of_kind = match reference.text("/kind") {
        "Service" => resource::SERVICES,
        _ => resource::GATEWAYS,
    };
    let namespace = match reference.text("/namespace") {
        "" => {
            sides
                .host_key(&of_kind, &ObjectKey::namespaced(virtual_namespace, "any"))
                .namespace
        }
        namespace => SmolStr::new(namespace),
    };
    let host = ObjectKey::namespaced(namespace, reference.text("/name"));
    let key = match sides.host.get(&of_kind, &host) {
        Some(there) => ours(&sides.binding, &there).map(|identity| identity.key.0),
        None => None,
    };
    let key = key.or_else(|| super::attach::shown_as(sides, &host));
    match key {
        Some(key) => {
            reference.set("/name", key.name.as_str());
            reference.set("/namespace", key.namespace.as_str());
        }
        None => {
            reference.set("/name", "unknown");
            reference.take_at("/namespace");
        }
    }
}

/// The secrets that a Gateway names, with their namespaces.
pub(crate) fn secrets(gateway: &Value) -> Vec<ObjectKey> {
    named(
        gateway,
        &["/spec/listeners/*/tls/certificateRefs/*"],
        "Secret",
        "Secret",
    )
}

/// The config maps that a Gateway or a policy names.
pub(crate) fn config_maps(object: &Value) -> Vec<ObjectKey> {
    let places = [
        "/spec/listeners/*/tls/frontendValidation/caCertificateRefs/*",
        "/spec/tls/frontend/default/validation/caCertificateRefs/*",
        "/spec/validation/caCertificateRefs/*",
    ];
    named(object, &places, "ConfigMap", "ConfigMap")
}

fn named(object: &Value, places: &[&str], kind: &str, default_kind: &str) -> Vec<ObjectKey> {
    let own = object.text("/metadata/namespace");
    let mut found = Vec::new();
    let mut object_copy = object.clone();
    for place in places {
        each(place, &mut object_copy, |reference| {
            let said = match reference.text("/kind") {
                "" => default_kind,
                said => said,
            };
            let namespace = match reference.text("/namespace") {
                "" => own,
                namespace => namespace,
            };
            if said == kind {
                found.push(ObjectKey::namespaced(namespace, reference.text("/name")));
            }
        });
    }
    found
}

//! Routes: their parents and backends by their host names, and only those parents that let them attach.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_reconciler::{Change, Cluster, Triggers};

use super::attach::{host_gateway, may_attach};
use super::reference::{self, Referrer, set_namespace, translate};
use super::{each, is_shown};
use crate::ingress::is_allowed;
use crate::mirrored::{Carry, Notice, Report};
use crate::sides::Sides;

/// Where a rule names Services.
const BACKENDS: [&str; 3] = [
    "/spec/rules/*/backendRefs/*",
    "/spec/rules/*/filters/*/requestMirror/backendRef",
    "/spec/rules/*/backendRefs/*/filters/*/requestMirror/backendRef",
];
/// Where a rule names an object of a kind that only the host's controller knows.
const EXTENSIONS: [&str; 2] = [
    "/spec/rules/*/filters/*/extensionRef",
    "/spec/rules/*/backendRefs/*/filters/*/extensionRef",
];

pub(super) fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let hostnames: Vec<&str> = value
        .items("/spec/hostnames")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let allowed = sides.binding.spec.policies.ingresses.allowed_hosts.as_deref();
    if let Some(name) = hostnames.iter().find(|name| !is_allowed(allowed, name)) {
        return Carry::Refused(Notice::new(format!(
            "The host name {name:?} is not one that this cluster may claim"
        )));
    }
    let referrer = Referrer::new(
        sides,
        referring(value.text("/kind")),
        value.text("/metadata/namespace"),
    );
    let parents = value.items("/spec/parentRefs");
    let attached: Vec<Value> = parents
        .iter()
        .filter_map(|parent| host_parent(&referrer, &hostnames, parent))
        .collect();
    if attached.is_empty() && !parents.is_empty() {
        let why = "No Gateway that it names allows routes of this namespace or with these host names";
        return Carry::Refused(Notice::new(why));
    }
    if !parents.is_empty() {
        host.set("/spec/parentRefs", attached);
    }
    for (paths, kind) in [(BACKENDS.as_slice(), "Service"), (EXTENSIONS.as_slice(), "")] {
        for path in paths {
            each(path, host, |reference| translate(&referrer, kind, reference));
        }
    }
    Carry::Yes
}

/// The kind as grants name it.
fn referring(kind: &str) -> &'static str {
    let known = [
        resource::HTTP_ROUTES,
        resource::GRPC_ROUTES,
        resource::TLS_ROUTES,
        resource::TCP_ROUTES,
        resource::UDP_ROUTES,
    ];
    known
        .into_iter()
        .map(|resource| resource.kind)
        .find(|known| *known == kind)
        .unwrap_or_default()
}

/// A parent as the host has it; `None` when it does not let the route attach.
fn host_parent(referrer: &Referrer<'_>, hostnames: &[&str], parent: &Value) -> Option<Value> {
    let sides = referrer.sides;
    let namespace = match parent.text("/namespace") {
        "" => referrer.namespace,
        namespace => namespace,
    };
    let key = ObjectKey::namespaced(namespace, parent.text("/name"));
    let mut host = parent.clone();
    let host_key = match parent.text("/kind") {
        "" | "Gateway" => {
            if !may_attach(
                sides,
                &key,
                parent.text("/sectionName"),
                referrer.namespace,
                hostnames,
            ) {
                return None;
            }
            match is_shown(sides, &key) {
                true => host_gateway(sides, &key)?,
                false => sides.host_key(&resource::GATEWAYS, &key),
            }
        }
        // Of a mesh: a route may attach to a Service of its own namespace only.
        "Service" if namespace == referrer.namespace => sides.host_key(&resource::SERVICES, &key),
        _ => return None,
    };
    host.set("/name", host_key.name.as_str());
    set_namespace(referrer, &mut host, &host_key.namespace);
    Some(host)
}

/// What parents say, with the parents' names as the tenant knows them.
pub(super) fn report(sides: &Sides<'_>, value: &Value, host: &Value) -> Report {
    let mut status = host.at("/status").clone();
    let namespace = value.text("/metadata/namespace");
    each("/parents/*/parentRef", &mut status, |parent| {
        let said = parent.at("/namespace").is_string();
        reference::to_virtual(sides, namespace, parent);
        if !said && parent.text("/namespace") == namespace {
            parent.take_at("/namespace");
        }
    });
    Report {
        main: Value::Null,
        status,
    }
}

/// Routes that a Gateway, a grant or a namespace may concern.
pub(super) fn routes_of(resource: &Resource, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
    let is_namespace = resource::NAMESPACES.is(&change.resource);
    // Only its labels count.
    if is_namespace
        && change
            .previous
            .as_ref()
            .is_none_or(|previous| previous.meta().labels == change.object.meta().labels)
    {
        return;
    }
    let status_only = |previous: &warren_apimachinery::Object| {
        previous.to_value().at("/spec") == change.object.to_value().at("/spec")
    };
    if !is_namespace && change.previous.as_deref().is_some_and(status_only) {
        return;
    }
    for route in cluster.list(resource, None) {
        out.add(route.key());
    }
}

//! The Gateway API: gateways, routes and policies of a tenant on the host, and gateways of the host for the tenant's
//! routes. On the host the tenant's namespaces are one, so what the API decides by namespaces (which routes a listener
//! takes, which references are granted) is decided here, in the virtual cluster's terms, before anything is carried.

mod attach;
mod grant;
mod listener;
mod reference;
mod route;

use serde_json::Value;
use warren_apimachinery::resource;
use warren_apimachinery::value::ValueExt;
use warren_config::{Synced, VirtualClusterSpec};

use self::reference::{Referrer, translate};
pub(crate) use self::reference::{config_maps, secrets};
use crate::mirrored::{Carry, Report, Row, Setting};
use crate::path::Path;
use crate::sides::Sides;

/// A tenant's Gateways.
pub(crate) const GATEWAYS: Row = Row {
    shape: listener::shape,
    report: Some(listener::report),
    ..Row::new("sync-gateways", resource::GATEWAYS, |spec| {
        of_api(
            spec,
            spec.sync.to_host.gateway_api.syncs_gateways(),
            &spec.sync.to_host.gateway_api.gateways,
        )
    })
};

/// What routes depend on beside themselves.
macro_rules! route {
    ($rule:literal, $resource:expr, $setting:expr) => {
        Row {
            watches: &[
                $resource,
                resource::GATEWAYS,
                resource::REFERENCE_GRANTS,
                resource::NAMESPACES,
            ],
            also: |change, cluster, out| route::routes_of(&$resource, change, cluster, out),
            shape: route::shape,
            report: Some(route::report),
            ..Row::new($rule, $resource, $setting)
        }
    };
}

/// Routes of HTTP.
pub(crate) const HTTP_ROUTES: Row = route!("sync-http-routes", resource::HTTP_ROUTES, |spec| {
    of_api(
        spec,
        spec.sync.to_host.gateway_api.syncs_http_routes(),
        &spec.sync.to_host.gateway_api.http_routes,
    )
});
/// Routes of gRPC, which are with those of HTTP.
pub(crate) const GRPC_ROUTES: Row = route!("sync-grpc-routes", resource::GRPC_ROUTES, |spec| {
    of_api(
        spec,
        spec.sync.to_host.gateway_api.syncs_http_routes(),
        &spec.sync.to_host.gateway_api.http_routes,
    )
});
/// Routes of TLS that is passed through.
pub(crate) const TLS_ROUTES: Row = route!("sync-tls-routes", resource::TLS_ROUTES, |spec| {
    let routes = &spec.sync.to_host.gateway_api.tls_routes;
    of_api(spec, routes.enabled, routes)
});

/// How a gateway speaks TLS to services.
pub(crate) const BACKEND_TLS_POLICIES: Row = Row {
    shape: |sides, value, host| {
        let namespace = value.text("/metadata/namespace");
        let referrer = Referrer::new(sides, "BackendTLSPolicy", namespace);
        for path in ["/spec/targetRefs/*", "/spec/validation/caCertificateRefs/*"] {
            each(path, host, |reference| translate(&referrer, "Service", reference));
        }
        Carry::Yes
    },
    report: Some(|sides, value, host| {
        let namespace = value.text("/metadata/namespace");
        let mut status = host.at("/status").clone();
        each("/ancestors/*/ancestorRef", &mut status, |ancestor| {
            reference::to_virtual(sides, namespace, ancestor);
        });
        Report {
            main: Value::Null,
            status,
        }
    }),
    ..Row::new(
        "sync-backend-tls-policies",
        resource::BACKEND_TLS_POLICIES,
        |spec| {
            let policies = &spec.sync.to_host.gateway_api.backend_tls_policies;
            of_api(spec, policies.enabled, policies)
        },
    )
};

/// Grants are judged in the virtual cluster. The host needs them only where its namespaces are the tenant's, too.
pub(crate) const REFERENCE_GRANTS: Row = Row {
    shape: grant::shape,
    ..Row::new("sync-reference-grants", resource::REFERENCE_GRANTS, |spec| {
        let api = &spec.sync.to_host.gateway_api;
        let wanted = api.reference_grants.is_on(api.syncs_any());
        Setting {
            enabled: wanted && spec.sync.to_host.namespaces.enabled,
            patches: &api.reference_grants.patches,
        }
    })
};

/// A kind's own patches go before those of the whole API.
fn of_api<'a>(spec: &'a VirtualClusterSpec, enabled: bool, own: &'a Synced) -> Setting<'a> {
    let patches = match own.patches.as_slice() {
        [] => &spec.sync.to_host.gateway_api.patches,
        patches => patches,
    };
    Setting { enabled, patches }
}

/// Shows every place of a path to `change`.
fn each(path: &str, value: &mut Value, mut change: impl FnMut(&mut Value)) {
    let places = Path::parse(path)
        .map(|path| path.places(value))
        .unwrap_or_default();
    for place in places {
        if let Some(found) = value.pointer_mut(&place) {
            change(found);
        }
    }
}

/// Whether a virtual object is a Gateway that stands for one of the host's.
fn is_shown(sides: &Sides<'_>, key: &warren_apimachinery::ObjectKey) -> bool {
    let gateway = sides.virtual_cluster.get(&resource::GATEWAYS, key);
    gateway.is_some_and(|gateway| crate::from_host::is_ours(&gateway))
}

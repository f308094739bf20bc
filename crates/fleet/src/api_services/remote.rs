//! Whether the server behind an `APIService` answers, and what it says it serves: as upstream's availability controller
//! finds out.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use warren_access::{Destination, Place, Trust};
use warren_apimachinery::resource::{ENDPOINT_SLICES, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey};
use warren_apiserver::{Backends, Body, RemoteVersion, aggregated_resources};
use warren_reconciler::Context;

/// A server is asked again after this time.
pub(super) const AGAIN: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that is read of what it serves.
const LIMIT: usize = 4 << 20;
const HTTPS: u16 = 443;

/// What was found out about a server.
pub(super) struct Found {
    pub(super) version: RemoteVersion,
    /// `Available`.
    pub(super) condition: Value,
}

/// Why a server is not available: reason and message.
type Unavailable = (&'static str, String);

/// Looks at the Service, its endpoints and its answer.
pub(super) async fn look(cx: &Context, backends: &dyn Backends, object: &Value) -> Found {
    let destination = destination(object);
    let (group, version) = (object.text("/spec/group"), object.text("/spec/version"));
    let asked = match has_endpoints(cx, object) {
        Ok(()) => ask(cx, backends, &destination, &format!("/apis/{group}/{version}")).await,
        Err(why) => Err(why),
    };
    let (status, reason, message) = match &asked {
        Ok(_) => ("True", "Passed", "all checks passed".to_owned()),
        Err((reason, message)) => ("False", *reason, message.clone()),
    };
    Found {
        version: RemoteVersion {
            group: group.into(),
            version: version.into(),
            group_priority: object.int("/spec/groupPriorityMinimum").unwrap_or_default(),
            version_priority: object.int("/spec/versionPriority").unwrap_or_default(),
            destination,
            available: asked.is_ok(),
            resources: asked.ok().map(|list| aggregated_resources(&list)),
        },
        condition: json!({"type": "Available", "status": status, "reason": reason, "message": message}),
    }
}

fn destination(object: &Value) -> Destination {
    let service = object.at("/spec/service");
    let bundle = STANDARD.decode(object.text("/spec/caBundle")).unwrap_or_default();
    Destination {
        place: Place::Service {
            namespace: service.text("/namespace").to_owned(),
            name: service.text("/name").to_owned(),
            port: port(object),
            path: String::new(),
        },
        trust: match object.at("/spec/insecureSkipTLSVerify").as_bool() {
            Some(true) => Trust::Anyone,
            _ => Trust::of_bundle(String::from_utf8(bundle).unwrap_or_default()),
        },
    }
}

fn port(object: &Value) -> u16 {
    let port = object.int("/spec/service/port");
    port.and_then(|port| u16::try_from(port).ok()).unwrap_or(HTTPS)
}

/// Whether anybody stands behind the Service.
fn has_endpoints(cx: &Context, object: &Value) -> Result<(), Unavailable> {
    let (namespace, name) = (
        object.text("/spec/service/namespace"),
        object.text("/spec/service/name"),
    );
    let key = ObjectKey::namespaced(namespace, name);
    let Some(service) = cx.cluster.get(&SERVICES, &key) else {
        return Err((
            "ServiceNotFound",
            format!("service/{name} in {namespace:?} is not present"),
        ));
    };
    let service = service.to_value();
    if service.text("/spec/type") != "ClusterIP" {
        return Ok(());
    }
    let port = i64::from(port(object));
    let mut ports = service.items("/spec/ports").iter();
    let Some(port_name) = ports.find(|entry| entry.int("/port") == Some(port)) else {
        let why = format!("service/{name} in {namespace:?} is not listening on port {port}");
        return Err(("ServicePortError", why));
    };
    let port_name = port_name.text("/name");
    let slices = cx.cluster.list(&ENDPOINT_SLICES, Some(namespace));
    let mut slices = slices
        .iter()
        .filter(|slice| slice.meta().label("kubernetes.io/service-name") == Some(name))
        .peekable();
    if slices.peek().is_none() {
        let why = format!("cannot find endpointslices for service/{name} in {namespace:?}");
        return Err(("EndpointsNotFound", why));
    }
    if slices.any(|slice| is_active(slice, port_name)) {
        return Ok(());
    }
    let why = format!(
        "endpointslices for service/{name} in {namespace:?} have no addresses with port name {port_name:?}"
    );
    Err(("MissingEndpoints", why))
}

fn is_active(slice: &Object, port: &str) -> bool {
    let slice = slice.to_value();
    let is_ready = |endpoint: &Value| endpoint.at("/conditions/ready").as_bool().unwrap_or(true);
    slice.items("/endpoints").iter().any(is_ready)
        && slice
            .items("/ports")
            .iter()
            .any(|entry| entry.text("/name") == port)
}

/// Asks the server what it serves, as one who may read everything.
async fn ask(
    cx: &Context,
    backends: &dyn Backends,
    to: &Destination,
    path: &str,
) -> Result<Value, Unavailable> {
    let url = format!("{}{path}", to.url());
    let failed = |why: &str| {
        (
            "FailedDiscoveryCheck",
            format!("failing or missing response from {url}: {why}"),
        )
    };
    let answered = async {
        let forwarded = backends.forward(cx.cluster.id(), to, request(path)).await;
        let response = forwarded
            .map_err(|why| failed(&format!("Get {url:?}: {why}")))?
            .response;
        let code = response.status();
        if !code.is_success() {
            let why = format!("bad status from {url}: {}", code.as_u16());
            return Err(failed(&why));
        }
        let body = Limited::new(response.into_body(), LIMIT).collect().await;
        let body = body.map_err(|error| failed(&error.to_string()))?;
        // A server that answers without a list is there; nobody knows what it serves.
        Ok(serde_json::from_slice(&body.to_bytes()).unwrap_or_default())
    };
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(answer) => answer,
        Err(_) => Err(failed(&format!("Get {url:?}: context deadline exceeded"))),
    }
}

fn request(path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    for (name, value) in [
        ("accept", "application/json"),
        ("x-remote-user", "system:kube-aggregator"),
        ("x-remote-group", "system:masters"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}

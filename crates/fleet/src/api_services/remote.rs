//! Whether the server behind an `APIService` answers, and what it says it serves: as upstream's availability controller
//! finds out.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use warren_access::{Destination, Place, Trust};
use warren_apimachinery::resource::{ENDPOINT_SLICES, SERVICES};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey};
use warren_apiserver::{Backends, Body, Published, RemoteVersion, aggregated_resources};
use warren_reconciler::Context;

/// A server is asked again after this time.
const AGAIN: Duration = Duration::from_secs(30);
/// One that does not answer is asked again after this time, which doubles up to `AGAIN`.
const SOON: Duration = Duration::from_millis(250);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that is read of what it serves.
const LIMIT: usize = 4 << 20;
/// The most that is read of what it publishes.
const OPENAPI_LIMIT: usize = 16 << 20;
/// As upstream.
const OPENAPI_PATIENCE: Duration = Duration::from_secs(60);
const HTTPS: u16 = 443;

/// After how long a server is asked again: `failures` in a row were seen.
pub(super) fn again(failures: u32) -> Duration {
    match failures {
        0 => AGAIN,
        failures => SOON.saturating_mul(2_u32.saturating_pow(failures - 1)).min(AGAIN),
    }
}

/// What was found out about a server.
pub(super) struct Found {
    pub(super) version: RemoteVersion,
    /// `Available`.
    pub(super) condition: Value,
}

/// Why a server is not available: reason and message.
type Unavailable = (&'static str, String);

/// Looks at the Service, its endpoints and its answer. What it served and published last is kept while it is away.
pub(super) async fn look(
    cx: &Context,
    backends: &dyn Backends,
    object: &Value,
    before: Option<&RemoteVersion>,
) -> Found {
    let destination = destination(object);
    let (group, version) = (object.text("/spec/group"), object.text("/spec/version"));
    let asked = match served_at(cx, object) {
        Ok(address) => {
            let server = Server {
                cx,
                backends,
                to: &destination,
                address,
            };
            server.ask(&format!("/apis/{group}/{version}")).await
        }
        Err(why) => Err(why),
    };
    let (status, reason, message) = match &asked {
        Ok(_) => ("True", "Passed", "all checks passed".to_owned()),
        Err((reason, message)) => ("False", *reason, message.clone()),
    };
    let known = before.and_then(|before| before.published.clone());
    let published = match &asked {
        Ok(_) => published(cx, backends, (&destination, group, version), known).await,
        Err(_) => known,
    };
    let available = asked.is_ok();
    // Only an answer that fails comes back by itself; the Service and its endpoints tell when they change.
    let failures = match &asked {
        Err(("FailedDiscoveryCheck", _)) => before.map_or(0, |before| before.failures).saturating_add(1),
        _ => 0,
    };
    let resources = asked.ok().map(|list| aggregated_resources(&list));
    Found {
        version: RemoteVersion {
            group: group.into(),
            version: version.into(),
            group_priority: object.int("/spec/groupPriorityMinimum").unwrap_or_default(),
            version_priority: object.int("/spec/versionPriority").unwrap_or_default(),
            destination,
            available,
            failures,
            resources: resources.or_else(|| before?.resources.clone()),
            published,
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

/// The address of the server as messages name it, if anybody stands behind the Service.
fn served_at(cx: &Context, object: &Value) -> Result<String, Unavailable> {
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
    let port = i64::from(port(object));
    let host = match (service.text("/spec/type"), service.text("/spec/clusterIP")) {
        ("ExternalName", _) => service.text("/spec/externalName").to_owned(),
        (_, "" | "None") => format!("{name}.{namespace}.svc"),
        (_, address) if address.contains(':') => format!("[{address}]"),
        (_, address) => address.to_owned(),
    };
    let address = format!("https://{host}:{port}");
    if service.text("/spec/type") != "ClusterIP" {
        return Ok(address);
    }
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
        return Ok(address);
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
            .any(|entry| entry.text("/name") == port && entry.int("/port").is_some())
}

/// A server, and the address by which messages name it.
struct Server<'a> {
    cx: &'a Context,
    backends: &'a dyn Backends,
    to: &'a Destination,
    address: String,
}

impl Server<'_> {
    /// Asks what it serves, as one who may read everything.
    async fn ask(&self, path: &str) -> Result<Value, Unavailable> {
        let url = format!("{}{path}", self.address);
        let failed = |why: &str| {
            let why = format!("failing or missing response from {url}: {why}");
            ("FailedDiscoveryCheck", why)
        };
        let answered = async {
            let forwarded = self
                .backends
                .forward(self.cx.cluster.id(), self.to, request(path))
                .await;
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
            Err(_) => {
                let late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
                Err(failed(&format!("Get {url:?}: {late}")))
            }
        }
    }
}

/// What a server publishes as OpenAPI; what is `known` where it does not say, or says that nothing changed.
async fn published(
    cx: &Context,
    backends: &dyn Backends,
    (to, group, version): (&Destination, &str, &str),
    known: Option<Arc<Published>>,
) -> Option<Arc<Published>> {
    let download = async |path: &str, etag: &str| {
        let mut request = request(path);
        if let Ok(etag) = HeaderValue::from_str(etag)
            && !etag.is_empty()
        {
            request.headers_mut().insert(IF_NONE_MATCH, etag);
        }
        let downloaded = async {
            let response = backends
                .forward(cx.cluster.id(), to, request)
                .await
                .ok()?
                .response;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, OPENAPI_LIMIT).collect().await.ok()?;
            Some((head, body.to_bytes()))
        };
        tokio::time::timeout(OPENAPI_PATIENCE, downloaded)
            .await
            .ok()
            .flatten()
    };
    let before = known.as_deref().cloned().unwrap_or_default();
    let mut now = before.clone();
    if let Some((head, body)) = download("/openapi/v3", "").await
        && head.status.is_success()
        && let Ok(root) = serde_json::from_slice::<Value>(&body)
    {
        now.v3 = Published::listed(&root, group, version);
    }
    if let Some((head, body)) = download("/openapi/v2", &before.etag).await
        && head.status.is_success()
        && let Ok(document) = serde_json::from_slice::<Value>(&body)
    {
        now.v2 = Some(Published::part(&document, group, version));
        let etag = head.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        now.etag = etag.unwrap_or_default().to_owned();
    }
    if now == before {
        return known;
    }
    Some(Arc::new(now))
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

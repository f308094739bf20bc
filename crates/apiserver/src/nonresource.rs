//! Paths that are no resources: `/`, `/version`, health, metrics, OpenAPI, OpenID and discovery.

use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use warren_access::ISSUER;
use warren_apimachinery::Status;
use warren_pki::{jwks, openid_configuration};

use crate::accept;
use crate::answer;
use crate::body::Body;
use crate::cx::Cx;
use crate::discovery;
use crate::exposition;
use crate::health;
use crate::openapi;
use crate::zpages;

/// The release whose behaviour is served.
pub const KUBERNETES_VERSION: &str = "v1.36.2";

/// # Errors
/// What the client reads.
pub(crate) fn answer(cx: &Cx<'_>, path: &str) -> Result<Response<Body>, Status> {
    if let Some(response) = health::answer(cx.cluster, path, cx.query) {
        return Ok(response);
    }
    if *cx.method != Method::GET && is_for_get_alone(cx, path) {
        return Err(Status::method_not_allowed());
    }
    match path {
        "/" => answer::people(&json!({ "paths": paths(cx) })),
        "/version" | "/version/" => {
            accept::json_alone(cx.accept())?;
            answer::people(&version())
        }
        "/metrics" => Ok(exposition::metrics(cx)),
        "/metrics/slis" => Ok(exposition::health_checks(cx)),
        "/statusz" => zpages::statusz(cx),
        "/flagz" => zpages::flagz(cx),
        "/api" | "/api/" => discovery::root(cx, true),
        "/apis" | "/apis/" => discovery::root(cx, false),
        "/openapi/v2" => Ok(openapi::v2(cx)),
        "/openapi/v3" | "/openapi/v3/" => Ok(openapi::index(cx)),
        "/.well-known/openid-configuration" => {
            let document = openid_configuration(ISSUER, &format!("{ISSUER}/openid/v1/jwks"));
            Ok(for_an_hour("application/json", &document))
        }
        "/openid/v1/jwks" => {
            let key = cx.cluster.access.guard().token_signer().public_key();
            Ok(for_an_hour("application/jwk-set+json", &jwks(&[key])))
        }
        _ => other(cx, path),
    }
}

/// The documents that others check tokens with may be kept for a while.
fn for_an_hour(media: &'static str, document: &Value) -> Response<Body> {
    let mut response = answer::with(StatusCode::OK, media, Body::full(answer::json(document)));
    let age = HeaderValue::from_static("public, max-age=3600");
    response.headers_mut().insert(header::CACHE_CONTROL, age);
    response
}

fn other(cx: &Cx<'_>, path: &str) -> Result<Response<Body>, Status> {
    if let Some(group_version) = path.strip_prefix("/openapi/v3/") {
        return Ok(openapi::v3(cx, group_version));
    }
    if let Some(found) = discovery::group_or_version(cx, path) {
        return found;
    }
    match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["api", ..] => answer::missing(&cx.registry().catalogue(), ""),
        ["apis", group, _, ..] => answer::missing(&cx.registry().catalogue(), group),
        ["version", ..] => Err(Status::path_not_found()),
        _ => Ok(answer::not_found_page()),
    }
}

/// Upstream's router has routes for some paths, with a method each; other paths have a handler that does not look at the
/// method.
fn is_for_get_alone(cx: &Cx<'_>, path: &str) -> bool {
    let parts = path.trim_matches('/').split('/').count();
    match path.trim_end_matches('/') {
        "/version" | "/api" | "/.well-known/openid-configuration" | "/openid/v1/jwks" => true,
        path if path.starts_with("/api/") || path.starts_with("/apis/") && parts > 2 => {
            discovery::group_or_version(cx, path).is_some()
        }
        _ => false,
    }
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-08-21T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, platform()),
    })
}

/// As Go names the processor.
fn platform() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn paths(cx: &Cx<'_>) -> Vec<String> {
    let catalogue = cx.registry().catalogue();
    let mut paths: Vec<String> = [
        "/.well-known/openid-configuration",
        "/api",
        "/apis",
        "/apis/",
        "/flagz",
        "/metrics",
        "/metrics/slis",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/openid/v1/jwks",
        "/statusz",
        "/version",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(health::paths());
    let remote = cx.cluster.aggregation().all();
    for group in discovery::with_remote(&catalogue, &remote) {
        let root = if group.name.is_empty() {
            "/api".to_owned()
        } else {
            let root = format!("/apis/{}", group.name);
            paths.push(root.clone());
            root
        };
        paths.extend(
            group
                .versions
                .iter()
                .map(|(version, _)| format!("{root}/{version}")),
        );
    }
    paths.sort_unstable();
    paths
}

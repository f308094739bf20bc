//! Paths that are no resources: `/`, `/version`, health, metrics, OpenAPI, OpenID and discovery.

use http::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use warren_access::ISSUER;
use warren_apimachinery::Status;
use warren_pki::{jwks, openid_configuration};

use crate::answer;
use crate::body::Body;
use crate::cx::Cx;
use crate::discovery;
use crate::health;
use crate::openapi;

/// The release whose behaviour is served.
pub const KUBERNETES_VERSION: &str = "v1.36.2";

/// # Errors
/// What the client reads.
pub(crate) fn answer(cx: &Cx<'_>, path: &str) -> Result<Response<Body>, Status> {
    if let Some(response) = health::answer(cx.cluster, path, cx.query) {
        return Ok(response);
    }
    if !matches!(*cx.method, Method::GET | Method::HEAD) {
        return Ok(not_allowed_or_missing(cx, path));
    }
    match path {
        "/" => answer::value(cx, &json!({ "paths": paths(cx) }), StatusCode::OK),
        "/version" | "/version/" => answer::value(cx, &version(), StatusCode::OK),
        "/metrics" => Ok(metrics(cx)),
        "/api" | "/api/" => discovery::root(cx, true),
        "/apis" | "/apis/" => discovery::root(cx, false),
        "/openapi/v2" => openapi::v2(cx),
        "/openapi/v3" | "/openapi/v3/" => openapi::index(cx),
        "/.well-known/openid-configuration" => {
            let document = openid_configuration(ISSUER, &format!("{ISSUER}/openid/v1/jwks"));
            answer::value(cx, &document, StatusCode::OK)
        }
        "/openid/v1/jwks" => {
            let key = cx.cluster.access.guard().token_signer().public_key();
            let keys = answer::json(&jwks(&[key]));
            Ok(answer::with(
                StatusCode::OK,
                "application/jwk-set+json",
                Body::full(keys),
            ))
        }
        _ => other(cx, path),
    }
}

fn other(cx: &Cx<'_>, path: &str) -> Result<Response<Body>, Status> {
    if let Some(group_version) = path.strip_prefix("/openapi/v3/") {
        return openapi::v3(cx, group_version);
    }
    discovery::group_or_version(cx, path).unwrap_or_else(|| Ok(answer::not_found_page()))
}

/// Another method than GET: 405 where GET would answer.
fn not_allowed_or_missing(cx: &Cx<'_>, path: &str) -> Response<Body> {
    let known = path == "/"
        || matches!(path, "/version" | "/metrics" | "/api" | "/apis")
        || discovery::group_or_version(cx, path).is_some();
    if known {
        answer::failure(&Status::method_not_allowed(), crate::accept::Encoding::Json)
    } else {
        answer::not_found_page()
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
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/openid/v1/jwks",
        "/version",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(health::paths());
    for group in discovery::groups(&catalogue) {
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

/// The metrics of the process for those who may see them; a tenant sees that it is up.
fn metrics(cx: &Cx<'_>) -> Response<Body> {
    let text = if cx.cluster.shows_process_metrics {
        cx.server.metrics.render()
    } else {
        "# HELP up Whether this virtual cluster answers.\n# TYPE up gauge\nup 1\n# EOF\n".to_owned()
    };
    let mut response = answer::text(StatusCode::OK, text);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    );
    response
}

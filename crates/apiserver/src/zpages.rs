//! `/statusz` and `/flagz`: what the server is and how it was started, for people and, on request, as objects.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use warren_apimachinery::{Status, StatusReason};
use warren_telemetry::metrics::process;

use crate::accept::{self, Encoding};
use crate::answer;
use crate::body::Body;
use crate::cx::Cx;
use crate::nonresource::KUBERNETES_VERSION;

const GROUP: &str = "config.k8s.io";
const WARNING: &str = "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.";
/// The paths that upstream counts as its own, as `statusz` lists them.
const PATHS: [&str; 7] = [
    "/flagz", "/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version",
];
/// Flags of kube-apiserver and what stands for them here, in the order of their names.
const FLAGS: &str = include_str!("../data/flagz.txt");

/// How a page is written.
enum Form {
    Text,
    Object { encoding: Encoding, version: String },
}

/// # Errors
/// 406 for an object of a version that is not served.
pub(crate) fn statusz(cx: &Cx<'_>) -> Result<Response<Body>, Status> {
    let Form::Object { encoding, version } = form(cx, "Statusz")? else {
        return Ok(text(&statusz_text(cx)));
    };
    let started = started();
    let page = json!({
        "kind": "Statusz",
        "apiVersion": format!("{GROUP}/{version}"),
        "metadata": {"name": "apiserver"},
        "startTime": warren_apimachinery::time::format(started),
        "uptimeSeconds": (cx.now.as_second() - started.as_second()).max(0),
        "goVersion": "",
        "binaryVersion": KUBERNETES_VERSION.trim_start_matches('v'),
        "emulationVersion": "1.36",
        "paths": PATHS,
    });
    object(&page, encoding, "Statusz", &version)
}

/// # Errors
/// 406 for an object of a version that is not served.
pub(crate) fn flagz(cx: &Cx<'_>) -> Result<Response<Body>, Status> {
    let flags = FLAGS
        .lines()
        .map(|line| line.split_once(' ').unwrap_or((line, "")));
    let Form::Object { encoding, version } = form(cx, "Flagz")? else {
        let lines: String = flags.map(|(name, value)| format!("{name} {value}\n")).collect();
        return Ok(text(&format!("\napiserver flagz\n{WARNING}\n{lines}")));
    };
    let flags: Map<String, Value> = flags
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let page = json!({
        "kind": "Flagz",
        "apiVersion": format!("{GROUP}/{version}"),
        "metadata": {"name": "apiserver"},
        "flags": flags,
    });
    object(&page, encoding, "Flagz", &version)
}

/// What was agreed on; the first version of the objects is warned about.
fn form(cx: &Cx<'_>, kind: &'static str) -> Result<Form, Status> {
    let form = accepted(cx, kind)?;
    if matches!(&form, Form::Object { version, .. } if version == "v1alpha1") {
        let page = kind.to_ascii_lowercase();
        cx.warnings.add(format!(
            "This version of the {page} endpoint is deprecated. Please use a newer version."
        ));
    }
    Ok(form)
}

fn accepted(cx: &Cx<'_>, kind: &str) -> Result<Form, Status> {
    let Some(accept) = cx.accept().filter(|accept| !accept.is_empty()) else {
        return Ok(Form::Text);
    };
    for clause in accept::clauses(accept) {
        match (clause.main, clause.sub) {
            ("*", "*") | ("text", "plain" | "*") => return Ok(Form::Text),
            _ => {}
        }
        let version = clause.parameter("v");
        let is_ours = clause.parameter("g") == GROUP
            && clause.parameter("as") == kind
            && matches!(version, "v1alpha1" | "v1beta1");
        let encoding = clause
            .encodings()
            .iter()
            .find(|encoding| **encoding != Encoding::Protobuf);
        if let (true, Some(encoding)) = (is_ours, encoding) {
            return Ok(Form::Object {
                encoding: match encoding {
                    Encoding::Json => Encoding::Pretty,
                    encoding => *encoding,
                },
                version: version.to_owned(),
            });
        }
    }
    Err(Status::new(
        StatusReason::NotAcceptable,
        "only the following media types are accepted: application/json, application/yaml, text/plain",
    ))
}

fn object(page: &Value, encoding: Encoding, kind: &str, version: &str) -> Result<Response<Body>, Status> {
    let mut response = answer::encoded(answer::json(page), encoding, StatusCode::OK)?;
    let media = format!("{};g={GROUP};v={version};as={kind}", encoding.content_type());
    if let Ok(media) = HeaderValue::try_from(media) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    Ok(response)
}

fn text(page: &str) -> Response<Body> {
    answer::with(
        StatusCode::OK,
        "text/plain; charset=utf-8",
        Body::full(page.to_owned()),
    )
}

fn statusz_text(cx: &Cx<'_>) -> String {
    let started = started();
    let up = (cx.now.as_second() - started.as_second()).max(0);
    format!(
        "\napiserver statusz\n{WARNING}\n\nStarted  {}\nUp  {} hr {:02} min {:02} sec\nGo version  \nBinary version  {}\nEmulation version  1.36\nPaths  {}\n",
        started.strftime("%a %b %e %H:%M:%S UTC %Y"),
        up / 3600,
        up / 60 % 60,
        up % 60,
        KUBERNETES_VERSION.trim_start_matches('v'),
        PATHS.join(" ")
    )
}

fn started() -> jiff::Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    jiff::Timestamp::from_second(process::started() as i64).unwrap_or_default()
}

//! Answers: objects, lists and `Status` in the encoding and shape that were agreed on.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use warren_apimachinery::status::Details;
use warren_apimachinery::{Object, Status, StatusReason};
use warren_registry::Catalogue;

use crate::accept::{Accepted, Encoding, Shape};
use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::protobuf;
use crate::table;

/// An answer with a body of known type.
pub(crate) fn with(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A code without a body.
pub(crate) fn nothing(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// Plain text, as `/healthz` and unknown paths answer.
pub(crate) fn text(code: StatusCode, text: impl Into<String>) -> Response<Body> {
    unsniffed(with(code, "text/plain; charset=utf-8", Body::full(text.into())))
}

/// Tells browsers to believe the content type, as Go's server does for text and upstream for what it forbids.
fn unsniffed(mut response: Response<Body>) -> Response<Body> {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// An object of a kind, in the version and shape that the client speaks.
///
/// # Errors
/// 406
pub(crate) fn object(
    cx: &Cx<'_>,
    served: &Served<'_>,
    object: &Object,
    code: StatusCode,
) -> Result<Response<Body>, Status> {
    let accepted = cx.accepted()?;
    shaped(cx, served, object, code, &accepted)
}

/// The same, where the output was agreed on already.
pub(crate) fn shaped(
    cx: &Cx<'_>,
    served: &Served<'_>,
    object: &Object,
    code: StatusCode,
    accepted: &Accepted,
) -> Result<Response<Body>, Status> {
    let bytes = cx.registry().answer(served.definition, served.version(), object);
    let bytes = match &accepted.shape {
        Shape::Whole => bytes,
        Shape::Metadata(version) => partial(&bytes, version),
        Shape::Table(version) => table::of_one(cx, served, version, &bytes)?,
    };
    encoded(bytes, accepted.encoding, code)
}

/// JSON bytes, in the encoding that was agreed on.
pub(crate) fn encoded(bytes: Bytes, encoding: Encoding, code: StatusCode) -> Result<Response<Body>, Status> {
    let bytes = encode(bytes, encoding)?;
    Ok(with(code, encoding.content_type(), Body::full(bytes)))
}

/// A dynamic value, in the encoding that was agreed on.
///
/// # Errors
/// 406
pub(crate) fn value(cx: &Cx<'_>, value: &Value, code: StatusCode) -> Result<Response<Body>, Status> {
    let encoding = cx.accepted()?.encoding;
    encoded(json(value), encoding, code)
}

/// JSON that is always indented, as upstream writes what is no object.
pub(crate) fn people(value: &Value) -> Result<Response<Body>, Status> {
    encoded(json(value), Encoding::Pretty, StatusCode::OK)
}

/// Serialises; what the API answers with always can be.
pub(crate) fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

pub(crate) fn encode(bytes: Bytes, encoding: Encoding) -> Result<Bytes, Status> {
    let broken = |_| Status::internal("the answer could not be encoded");
    match encoding {
        Encoding::Json => Ok(bytes),
        Encoding::Pretty => {
            let value: Value = serde_json::from_slice(&bytes).map_err(broken)?;
            Ok(serde_json::to_vec_pretty(&value).map_err(broken)?.into())
        }
        Encoding::Yaml => {
            let value: Value = serde_json::from_slice(&bytes).map_err(broken)?;
            let text = serde_saphyr::to_string(&value)
                .map_err(|_| Status::internal("the answer could not be encoded"))?;
            Ok(text.into_bytes().into())
        }
        Encoding::Protobuf => protobuf::object(&bytes).map(Bytes::from).ok_or_else(not_protobuf),
    }
}

/// 406 of what has no form in protobuf.
pub(crate) fn not_protobuf() -> Status {
    Status::new(
        StatusReason::NotAcceptable,
        "the object does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message",
    )
}

/// A failure.
pub(crate) fn failure(status: &Status, encoding: Encoding) -> Response<Body> {
    let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bytes = json(status);
    let bytes = encode(bytes.clone(), encoding).unwrap_or(bytes);
    let mut response = with(code, encoding.content_type(), Body::full(bytes));
    let retry = status.details().map_or(0, |details| details.retry_after_seconds);
    if retry > 0 {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(retry));
    }
    response
}

/// What authorisation refuses.
pub(crate) fn forbidden(status: &Status, encoding: Encoding) -> Response<Body> {
    unsniffed(failure(status, encoding))
}

/// `Status` `Success`, as deletions answer it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Success<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: serde_json::Map<String, Value>,
    status: &'static str,
    details: &'a Details,
}

/// What a deletion answers when nothing is left.
///
/// # Errors
/// 406
pub(crate) fn success(cx: &Cx<'_>, details: &Details) -> Result<Response<Body>, Status> {
    let status = Success {
        kind: "Status",
        api_version: "v1",
        metadata: serde_json::Map::new(),
        status: "Success",
        details,
    };
    encoded(json(&status), cx.accepted()?.encoding, StatusCode::OK)
}

#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// The metadata of an object, as its bytes.
pub(crate) fn metadata(bytes: &[u8]) -> &str {
    serde_json::from_slice::<Envelope<'_>>(bytes)
        .ok()
        .and_then(|envelope| envelope.metadata)
        .map_or("{}", RawValue::get)
}

/// `PartialObjectMetadata` of an object: its metadata is copied, nothing is parsed.
pub(crate) fn partial(bytes: &[u8], version: &str) -> Bytes {
    let metadata = metadata(bytes);
    format!(
        r#"{{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/{version}","metadata":{metadata}}}"#
    )
    .into()
}

/// What a path below a group gets that has no route: upstream's router answers for the groups that it knows, Go's
/// server for the rest.
///
/// # Errors
/// 404
pub(crate) fn missing(catalogue: &Catalogue, group: &str) -> Result<Response<Body>, Status> {
    let is_builtin = catalogue.iter().any(|definition| {
        definition.group == group && catalogue.is_builtin(&definition.group, &definition.plural)
    });
    if is_builtin {
        Err(Status::path_not_found())
    } else {
        Ok(not_found_page())
    }
}

/// The text that Go's server answers for a path that nobody serves.
pub(crate) fn not_found_page() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// 504 of a request that took too long.
pub(crate) fn timed_out() -> Status {
    Status::new(
        StatusReason::Timeout,
        "Timeout: request did not complete within requested timeout - context deadline exceeded",
    )
}

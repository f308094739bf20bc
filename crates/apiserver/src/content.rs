//! The body of a request: read up to a limit, told apart by its media type, parsed into a dynamic object.
//!
//! Knows nothing of kinds.

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use warren_apimachinery::decode::summary;
use warren_apimachinery::value::go_kind;
use warren_apimachinery::{Decoded, Status, StatusReason, decode_json, decode_yaml};

use crate::accept::SERVED;
use crate::body::Body;
use crate::protobuf::{self, Refused};

/// Upstream's limit for a request's body.
pub(crate) const LIMIT: usize = 3 * 1024 * 1024;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Yaml,
    Protobuf,
}

/// The `Content-Type` without its parameters, in lower case; empty when absent.
pub(crate) fn media_type(header: Option<&str>) -> String {
    let text = header.unwrap_or_default();
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The media type of an object that is sent; absent means JSON.
///
/// # Errors
/// 415 for anything but JSON, YAML and protobuf.
pub(crate) fn object_media(header: Option<&str>) -> Result<Media, Status> {
    if header.is_none_or(str::is_empty) {
        return Ok(Media::Json);
    }
    match media_type(header).as_str() {
        "application/json" if has_parameters(header) => Ok(Media::Json),
        "application/yaml" if has_parameters(header) => Ok(Media::Yaml),
        "application/vnd.kubernetes.protobuf" if has_parameters(header) => Ok(Media::Protobuf),
        _ => Err(unsupported(SERVED)),
    }
}

/// Whether what stands behind a media type are parameters: Go reads no media type otherwise.
fn has_parameters(header: Option<&str>) -> bool {
    let mut parts = header
        .unwrap_or_default()
        .split(';')
        .skip(1)
        .map(str::trim)
        .peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let is_parameter = part
            .split_once('=')
            .is_some_and(|(name, value)| !name.is_empty() && !name.ends_with(' ') && !value.is_empty());
        let is_end = is_last && part.is_empty();
        if !(is_parameter || is_end) {
            return false;
        }
    }
    true
}

/// 415 in upstream's words.
pub(crate) fn unsupported(accepted: &str) -> Status {
    Status::new(
        StatusReason::UnsupportedMediaType,
        format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        ),
    )
}

/// Reads a body to its end.
///
/// # Errors
/// 413 above the limit; 400 when the client goes away in the middle.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, Status> {
    if body.size_hint().lower() > LIMIT as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame
            .map_err(|_| Status::bad_request("unexpected EOF"))?
            .into_data()
        else {
            continue;
        };
        if first.len() + more.len() + data.len() > LIMIT {
            return Err(too_large());
        }
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    if more.is_empty() {
        return Ok(first);
    }
    Ok([first.as_ref(), more.as_ref()].concat().into())
}

fn too_large() -> Status {
    Status::new(
        StatusReason::RequestEntityTooLarge,
        format!("Request entity too large: limit is {LIMIT}"),
    )
}

/// Parses an object of `kind`.
///
/// # Errors
/// 400 in upstream's words when it is malformed.
pub(crate) fn object(bytes: &[u8], media: Media, kind: &str) -> Result<Decoded, Status> {
    parse(bytes, media).map_err(|refused| match refused {
        Refused::Malformed(why) => unrecognized(kind, &why, bytes),
        Refused::UnknownKind {
            ref api_version,
            kind: ref sent,
        } => Status::bad_request(format!(
            "{sent} in version {api_version:?} cannot be handled as a {kind}: {refused}"
        )),
    })
}

/// Parses an object of any kind.
///
/// # Errors
/// What is wrong, in upstream's words.
pub(crate) fn document(bytes: &[u8], media: Media) -> Result<Decoded, String> {
    parse(bytes, media).map_err(|refused| refused.to_string())
}

fn parse(bytes: &[u8], media: Media) -> Result<Decoded, Refused> {
    let mut decoded = match media {
        Media::Json => json(bytes).map_err(|why| {
            Refused::Malformed(format!("couldn't get version/kind; json parse error: {why}"))
        })?,
        Media::Yaml => decode_yaml(bytes).map_err(|why| Refused::Malformed(why.to_string()))?,
        Media::Protobuf => Decoded {
            value: protobuf::decode(bytes)?,
            duplicates: Vec::new(),
        },
    };
    // Nothing is an object without fields.
    if decoded.value.is_null() {
        decoded.value = Value::Object(Map::new());
    }
    if decoded.value.is_object() {
        return Ok(decoded);
    }
    let found = go_kind(&decoded.value);
    Err(Refused::Malformed(format!(
        "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )))
}

fn unrecognized(kind: &str, why: &str, bytes: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({})",
        summary(bytes)
    ))
}

/// Parses JSON.
///
/// # Errors
/// What is wrong, in the words of Go's decoder.
pub(crate) fn json(bytes: &[u8]) -> Result<Decoded, String> {
    decode_json(bytes).map_err(|why| why.to_string())
}

/// Parses YAML (or JSON, which is much of what is sent as YAML).
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Decoded, String> {
    decode_yaml(bytes).map_err(|why| format!("error converting YAML to JSON: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_bodies_are_refused_in_upstreams_words() {
        let check = |body: &str, expect: &str| {
            assert_eq!(
                object(body.as_bytes(), Media::Json, "Pod").unwrap_err().message(),
                expect
            );
        };
        check(
            "{not json",
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character 'n' looking for beginning of object key string ({not json)",
        );
        check(
            "",
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        );
    }

    #[test]
    fn media_types_that_nobody_reads_are_refused() {
        assert_eq!(object_media(None).unwrap(), Media::Json);
        assert_eq!(
            object_media(Some("application/json; charset=utf-8")).unwrap(),
            Media::Json
        );
        assert_eq!(object_media(Some("application/YAML")).unwrap(), Media::Yaml);
        assert_eq!(
            object_media(Some("application/vnd.kubernetes.protobuf")).unwrap(),
            Media::Protobuf
        );
        assert_eq!(object_media(Some("application/json;")).unwrap(), Media::Json);
        for refused in ["text/plain", "application/cbor", "application/json; charset", ";"] {
            assert_eq!(object_media(Some(refused)).unwrap_err().code(), 415, "{refused}");
        }
    }
}

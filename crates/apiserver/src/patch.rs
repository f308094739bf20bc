//! PATCH: four ways to say what shall be different, told apart by their media type.

use http::{Response, header};
use serde_json::Value;
use warren_apimachinery::status::Details;
use warren_apimachinery::value::go_kind;
use warren_apimachinery::{Decoded, Status, StatusReason};
use warren_reconciler::Part;
use warren_registry::Patch;

use crate::body::Body;
use crate::content;
use crate::cx::{Cx, Served};
use crate::options::{WriteKind, WriteOptions};
use crate::write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// # Errors
/// What the client reads.
pub(crate) async fn object(
    cx: &Cx<'_>,
    served: &Served<'_>,
    part: Part,
    body: Body,
) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let format = format(cx.header(header::CONTENT_TYPE), served.custom)?;
    let bytes = content::read(body).await?;
    let kind = match format {
        Format::Apply => WriteKind::Apply,
        _ => WriteKind::Patch,
    };
    let options = WriteOptions::read(kind, cx.query, write::agent(cx))?;
    let (patch, duplicates) = decode(format, &bytes, options.force)?;
    if format == Format::Apply && part == Part::Main {
        write::authorize_creation(cx, served)?;
    }
    let request = write::request(cx, served, &options, &duplicates);
    let written = cx
        .registry()
        .patch(&request, served.definition, part, &served.key(), patch)
        .await?;
    write::written(cx, served, part, &written)
}

fn format(content_type: Option<&str>, custom: bool) -> Result<Format, Status> {
    match content::media_type(content_type).as_str() {
        "application/json-patch+json" => Ok(Format::Json),
        "application/merge-patch+json" => Ok(Format::Merge),
        "application/apply-patch+yaml" | "application/apply-patch+json" => Ok(Format::Apply),
        "application/strategic-merge-patch+json" if !custom => Ok(Format::Strategic),
        _ if custom => Err(content::unsupported(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        // Upstream's router answers this one, not its serialiser.
        _ => Err(
            Status::new(StatusReason::UnsupportedMediaType, "415: Unsupported Media Type")
                .with_details(Details::default()),
        ),
    }
}

fn decode(format: Format, bytes: &[u8], force: bool) -> Result<(Patch, Vec<String>), Status> {
    let decoded = match format {
        Format::Json | Format::Merge => {
            content::json(bytes).map_err(|why| Status::bad_request(format!("error decoding patch: {why}")))
        }
        Format::Strategic => content::json(bytes).map_err(Status::bad_request),
        Format::Apply => {
            content::yaml(bytes).map_err(|why| Status::bad_request(format!("error decoding YAML: {why}")))
        }
    }?;
    let Decoded { value, duplicates } = decoded;
    check_shape(format, &value)?;
    let patch = match format {
        Format::Json => Patch::Json(value),
        Format::Merge => Patch::Merge(value),
        Format::Strategic => Patch::Strategic(value),
        Format::Apply => Patch::Apply {
            configuration: value,
            force,
        },
    };
    // Positions in a JSON patch are no fields of the object.
    let duplicates = if format == Format::Json {
        Vec::new()
    } else {
        duplicates
    };
    Ok((patch, duplicates))
}

fn check_shape(format: Format, value: &Value) -> Result<(), Status> {
    let found = go_kind(value);
    match (format, value) {
        (Format::Json, Value::Array(_)) => Ok(()),
        (Format::Json, _) => Err(Status::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {found} into Go value of type jsonpatch.Patch"
        ))),
        (_, Value::Object(_)) => Ok(()),
        (Format::Merge, _) => Err(Status::bad_request("error decoding patch: Invalid JSON Patch")),
        (Format::Strategic, _) => Err(Status::bad_request(format!(
            "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        ))),
        (Format::Apply, _) => Err(Status::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_told_apart_and_refused_in_upstreams_words() {
        assert_eq!(
            format(Some("application/merge-patch+json; charset=utf-8"), true).unwrap(),
            Format::Merge
        );
        let check = |content_type: &str, custom, expect: &str| {
            let status = format(Some(content_type), custom).unwrap_err();
            assert_eq!((status.code(), status.message()), (415, expect));
        };
        check("application/json", false, "415: Unsupported Media Type");
        check(
            "application/strategic-merge-patch+json",
            true,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        );
        let broken = decode(Format::Merge, b"{\"data\":", false).unwrap_err();
        assert_eq!(
            broken.message(),
            "error decoding patch: unexpected end of JSON input"
        );
        let object = decode(Format::Json, b"{}", false).unwrap_err();
        assert_eq!(
            object.message(),
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        );
    }
}

//! PATCH: four ways to say what shall be different, told apart by their media type.

use http::{Response, header};
use serde_json::{Map, Value};
use warren_apimachinery::decode::FieldOrder;
use warren_apimachinery::status::Details;
use warren_apimachinery::value::go_kind;
use warren_apimachinery::{Decoded, Status, StatusReason};
use warren_reconciler::Part;
use warren_registry::{FieldValidation, Patch, json_patch_form};

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
    if format != Format::Apply {
        // Upstream looks for the object before it reads the patch.
        cx.registry().get(served.definition, &served.key())?;
    }
    let (patch, duplicates) = decode(format, &bytes, &options)?;
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
    // Told apart by case, and with nothing but a charset behind, as upstream does.
    match content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
    {
        "application/json-patch+json" => Ok(Format::Json),
        "application/merge-patch+json" => Ok(Format::Merge),
        "application/apply-patch+yaml" => Ok(Format::Apply),
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

fn decode(format: Format, bytes: &[u8], options: &WriteOptions) -> Result<(Patch, Vec<String>), Status> {
    let looks_at_fields = options.field_validation != FieldValidation::Ignore;
    let decoding = |why: String| Status::bad_request(format!("error decoding patch: {why}"));
    match format {
        Format::Json => {
            let Decoded { value, duplicates } =
                content::json(bytes).map_err(|why| match looks_at_fields {
                    true => decoding(why),
                    false => Status::bad_request(why),
                })?;
            let mut faults = Vec::new();
            if looks_at_fields {
                faults = json_patch_form(&value)?;
                faults.extend(duplicates.iter().map(|fault| format!("json patch {fault}")));
                FieldOrder::of(bytes).sort(&mut faults);
            }
            Ok((Patch::Json(value), faults))
        }
        Format::Merge => {
            let read = content::json(bytes);
            let bad = || Status::bad_request("Invalid JSON Patch");
            let Decoded { value, duplicates } = read.map_err(|why| match looks_at_fields {
                true => decoding(why),
                false => bad(),
            })?;
            match &value {
                Value::Object(_) => {}
                Value::Null => return Err(bad()),
                other if looks_at_fields => return Err(decoding(no_map(other))),
                // Upstream's library takes a list as the whole outcome.
                Value::Array(_) => {}
                _ => return Err(bad()),
            }
            Ok((Patch::Merge(value), duplicates))
        }
        Format::Strategic => {
            let Decoded { value, duplicates } = content::json(bytes).map_err(Status::bad_request)?;
            if !value.is_object() && !value.is_null() {
                return Err(Status::bad_request(no_map(&value)));
            }
            Ok((Patch::Strategic(value), duplicates))
        }
        Format::Apply => {
            let yaml = |why: String| Status::bad_request(format!("error decoding YAML: {why}"));
            let Decoded {
                mut value,
                duplicates,
            } = content::yaml(bytes).map_err(yaml)?;
            if value.is_null() {
                value = Value::Object(Map::new());
            }
            if !value.is_object() {
                let why = no_map(&value);
                return Err(yaml(format!(
                    "error unmarshaling JSON: while decoding JSON: {why}"
                )));
            }
            let apply = Patch::Apply {
                configuration: value,
                force: options.force,
            };
            Ok((apply, duplicates))
        }
    }
}

fn no_map(found: &Value) -> String {
    let kind = go_kind(found);
    format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

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
        let refusal = |format, body: &[u8], query: &str| {
            let query = Query::parse(Some(query));
            let options = WriteOptions::read(WriteKind::Patch, &query, None).unwrap();
            decode(format, body, &options).unwrap_err().message().to_owned()
        };
        for (format, body, query, expect) in [
            (
                Format::Merge,
                b"{\"data\":".as_slice(),
                "",
                "error decoding patch: unexpected end of JSON input",
            ),
            (
                Format::Merge,
                b"{\"data\":",
                "fieldValidation=Ignore",
                "Invalid JSON Patch",
            ),
            (Format::Merge, b"null", "", "Invalid JSON Patch"),
            (
                Format::Merge,
                b"[]",
                "",
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
            (
                Format::Json,
                b"{}",
                "",
                "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
            ),
            (
                Format::Strategic,
                b"[]",
                "",
                "json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
        ] {
            assert_eq!(refusal(format, body, query), expect);
        }
    }
}

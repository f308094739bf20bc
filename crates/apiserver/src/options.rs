//! The options of requests: read from query and body, validated in upstream's words. One file for each kind of
//! options; here is what they share.

mod delete;
mod list;
mod write;

use std::num::{IntErrorKind, ParseIntError};

use serde_json::Value;
use warren_apimachinery::field::{Error, Path, go_quote};
use warren_apimachinery::{Revision, Status};

pub(crate) use delete::{Dependents, delete};
pub(crate) use list::{ListOptions, Match, Of};
pub(crate) use write::{WriteKind, WriteOptions};

use crate::query::Query;

/// A whole number of the query.
///
/// # Errors
/// 400 with Go's text.
pub(crate) fn number(query: &Query, name: &str) -> Result<Option<i64>, Status> {
    match query.value(name) {
        None | Some("") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|error| Status::bad_request(format!("strconv.ParseInt: {}", unparsed(text, &error)))),
    }
}

/// A revision that a client sent; empty means none.
///
/// # Errors
/// What is wrong, in upstream's words: lists answer it as 400, gets and watches as a failure of their own.
pub(crate) fn parse_revision(text: &str) -> Result<Option<Revision>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(|number| Some(Revision(number)))
        .map_err(|error| {
            format!(
                "resourceVersion: Invalid value: {}: strconv.ParseUint: {}",
                go_quote(text),
                unparsed(text, &error)
            )
        })
}

/// Why a text is no number, as Go says it.
fn unparsed(text: &str, error: &ParseIntError) -> String {
    let why = match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("parsing {}: {why}", go_quote(text))
}

const GROUP: &str = "meta.k8s.io";

/// 422 of an options kind, if anything is wrong.
fn refuse(kind: &str, errors: &[Error]) -> Result<(), Status> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(GROUP, kind, "", errors))
    }
}

/// `Unsupported value`, with the supported ones in upstream's order, which is not always sorted.
fn not_supported(field: &str, value: Value, supported: &str) -> Error {
    let mut error = Error::not_supported(&Path::new(field), value, &[]);
    error.detail = format!("supported values: {supported}");
    error
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>, errors: &mut Vec<Error>) -> bool {
    let values: Vec<&str> = values.collect();
    if values.iter().any(|value| *value != "All") {
        errors.push(not_supported("dryRun", values.clone().into(), "\"All\""));
    }
    !values.is_empty()
}

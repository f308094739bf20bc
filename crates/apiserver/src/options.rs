//! The options of requests: read from query and body, validated in upstream's words.

use std::num::{IntErrorKind, ParseIntError};

use serde_json::Value;
use warren_apimachinery::field::{Error, ErrorType, Path, go_quote};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Revision, Status};
use warren_reconciler::{DeleteOptions, Propagation};
use warren_registry::FieldValidation;

use crate::query::Query;

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
    Error {
        kind: ErrorType::NotSupported,
        path: Path::new(field),
        value,
        detail: format!("supported values: {supported}"),
    }
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>, errors: &mut Vec<Error>) -> bool {
    let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    if values.iter().any(|value| *value != "All") {
        errors.push(not_supported("dryRun", values.clone().into(), "\"All\""));
    }
    !values.is_empty()
}

/// The options of creates, updates and patches.
#[derive(Debug)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) field_manager: String,
    pub(crate) field_validation: FieldValidation,
    pub(crate) force: bool,
}

/// Which options kind a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Create,
    Update,
    Patch,
    Apply,
}

impl WriteOptions {
    /// Reads them from the query; the field manager falls back to the user agent's first word.
    ///
    /// # Errors
    /// 422 in upstream's words.
    pub(crate) fn read(kind: WriteKind, query: &Query, user_agent: Option<&str>) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let asked = query.text("fieldManager");
        match kind {
            WriteKind::Apply if asked.is_empty() => {
                errors.push(Error::required(
                    &Path::new("fieldManager"),
                    "is required for apply patch",
                ));
            }
            WriteKind::Patch if query.value("force").is_some() => {
                errors.push(Error::forbidden(
                    &Path::new("force"),
                    "may not be specified for non-apply patch",
                ));
            }
            _ => {}
        }
        errors.extend(manager_errors(asked));
        let dry_run = dry_run(query.all("dryRun"), &mut errors);
        let field_validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                errors.push(not_supported(
                    "fieldValidation",
                    other.into(),
                    r#""", "Ignore", "Strict", "Warn""#,
                ));
                FieldValidation::Warn
            }
        };
        refuse(kind.options_kind(), &errors)?;
        Ok(Self {
            dry_run,
            field_manager: manager(asked, user_agent),
            field_validation,
            force: query.flag("force"),
        })
    }
}

impl WriteKind {
    const fn options_kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
        }
    }
}

fn manager_errors(manager: &str) -> Vec<Error> {
    let path = Path::new("fieldManager");
    let mut errors = Vec::new();
    if manager.len() > 128 {
        errors.push(Error::too_long(&path, 128));
    }
    if manager.chars().any(char::is_control) {
        errors.push(Error::invalid(
            &path,
            manager,
            "should only contain printable characters",
        ));
    }
    errors
}

/// The field manager that was asked for, or the user agent up to its first slash.
fn manager(asked: &str, user_agent: Option<&str>) -> String {
    if !asked.is_empty() {
        return asked.to_owned();
    }
    let agent = user_agent.unwrap_or_default();
    let word = agent.split('/').next().unwrap_or_default();
    let mut manager = String::new();
    for c in word.chars().filter(|c| !c.is_control()) {
        if manager.len() + c.len_utf8() > 128 {
            break;
        }
        manager.push(c);
    }
    if manager.is_empty() {
        manager.push_str("unknown");
    }
    manager
}

/// The options of a delete: the body's if there is one, else the query's.
///
/// # Errors
/// 422 in upstream's words.
pub(crate) fn delete(body: Option<&Value>, query: &Query) -> Result<(DeleteOptions, bool), Status> {
    let from_body = body.map(body_delete);
    let (mut options, dry_runs, policy, orphan) = match from_body {
        Some(read) => read?,
        None => query_delete(query)?,
    };
    let mut errors = Vec::new();
    let dry_run = dry_run(dry_runs.iter().map(String::as_str), &mut errors);
    if orphan.is_some() && policy.is_some() {
        errors.push(Error::invalid(
            &Path::new("propagationPolicy"),
            policy.clone().unwrap_or_default(),
            "orphanDependents and deletionPropagation cannot be both set",
        ));
    }
    options.propagation = match (policy.as_deref(), orphan) {
        (None, None) => None,
        (None, Some(true)) | (Some("Orphan"), _) => Some(Propagation::Orphan),
        (None, Some(false)) | (Some("Background"), _) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some(other), _) => {
            errors.push(not_supported(
                "propagationPolicy",
                other.into(),
                r#""Foreground", "Background", "Orphan", "nil""#,
            ));
            None
        }
    };
    refuse("DeleteOptions", &errors)?;
    Ok((options, dry_run))
}

type DeleteParts = (DeleteOptions, Vec<String>, Option<String>, Option<bool>);

fn body_delete(body: &Value) -> Result<DeleteParts, Status> {
    let kind = body.text("/kind");
    if !kind.is_empty() && kind != "DeleteOptions" {
        return Err(Status::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a DeleteOptions: converting ({}.{kind}) to (v1.DeleteOptions): unknown conversion",
            body.text("/apiVersion"),
            body.text("/apiVersion"),
        )));
    }
    let text = |pointer: &str| body.at(pointer).as_str().map(str::to_owned);
    let options = DeleteOptions {
        grace_period_seconds: body.int("/gracePeriodSeconds"),
        propagation: None,
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
    };
    let dry_runs = body
        .items("/dryRun")
        .iter()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    Ok((
        options,
        dry_runs,
        text("/propagationPolicy"),
        body.at("/orphanDependents").as_bool(),
    ))
}

fn query_delete(query: &Query) -> Result<DeleteParts, Status> {
    let options = DeleteOptions {
        grace_period_seconds: number(query, "gracePeriodSeconds")?,
        ..DeleteOptions::default()
    };
    Ok((
        options,
        query.all("dryRun").map(str::to_owned).collect(),
        query.value("propagationPolicy").map(str::to_owned),
        query
            .value("orphanDependents")
            .map(|_| query.flag("orphanDependents")),
    ))
}

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

/// `resourceVersionMatch`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Unset,
    Exact,
    NotOlderThan,
}

/// The options of lists and watches, selectors apart.
#[derive(Debug)]
pub(crate) struct ListOptions {
    pub(crate) limit: usize,
    pub(crate) continues: String,
    /// `None` when not given; `Some(ZERO)` for `0`.
    pub(crate) revision: Option<Revision>,
    pub(crate) matching: Match,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    pub(crate) timeout_seconds: Option<u64>,
}

impl ListOptions {
    /// Reads and validates them.
    ///
    /// # Errors
    /// 400 or 422 in upstream's words.
    pub(crate) fn read(query: &Query, watch: bool) -> Result<Self, Status> {
        let revision = query.text("resourceVersion");
        let matching = query.text("resourceVersionMatch");
        let continues = query.text("continue");
        let initial_events = query
            .value("sendInitialEvents")
            .map(|_| query.flag("sendInitialEvents"));
        let errors = if watch {
            watch_errors(matching, continues, initial_events)
        } else {
            list_errors(revision, matching, continues, initial_events)
        };
        let limit = number(query, "limit")?.unwrap_or(0);
        let timeout_seconds = number(query, "timeoutSeconds")?;
        refuse("ListOptions", &errors)?;
        if !continues.is_empty() && !revision.is_empty() {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(0),
            continues: continues.to_owned(),
            revision: parse_revision(revision)?,
            matching: match matching {
                "Exact" => Match::Exact,
                "NotOlderThan" => Match::NotOlderThan,
                _ => Match::Unset,
            },
            bookmarks: query.flag("allowWatchBookmarks"),
            initial_events,
            timeout_seconds: timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        })
    }
}

/// A revision that a client sent; empty means none.
///
/// # Errors
/// 400 in upstream's words.
pub(crate) fn parse_revision(text: &str) -> Result<Option<Revision>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(|number| Some(Revision(number)))
        .map_err(|error| {
            Status::bad_request(format!(
                "invalid resource version: resourceVersion: Invalid value: {}: strconv.ParseUint: {}",
                go_quote(text),
                unparsed(text, &error)
            ))
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

fn list_errors(revision: &str, matching: &str, continues: &str, initial_events: Option<bool>) -> Vec<Error> {
    let path = Path::new("resourceVersionMatch");
    let mut errors = Vec::new();
    if !matching.is_empty() {
        if revision.is_empty() {
            errors.push(Error::forbidden(
                &path,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !continues.is_empty() {
            errors.push(Error::forbidden(
                &path,
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
        if matching != "Exact" && matching != "NotOlderThan" {
            errors.push(not_supported(
                "resourceVersionMatch",
                matching.into(),
                r#""Exact", "NotOlderThan", """#,
            ));
        }
        if matching == "Exact" && revision == "0" {
            errors.push(Error::forbidden(
                &path,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
    }
    if initial_events.is_some() {
        errors.push(Error::forbidden(
            &Path::new("sendInitialEvents"),
            "sendInitialEvents is forbidden for list",
        ));
    }
    errors
}

fn watch_errors(matching: &str, continues: &str, initial_events: Option<bool>) -> Vec<Error> {
    let path = Path::new("resourceVersionMatch");
    let mut errors = Vec::new();
    if initial_events.is_some() && matching != "NotOlderThan" {
        errors.push(Error::forbidden(
            &path,
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if !matching.is_empty() {
        if initial_events.is_none() {
            errors.push(Error::forbidden(
                &path,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        if matching != "NotOlderThan" {
            errors.push(not_supported(
                "resourceVersionMatch",
                matching.into(),
                r#""NotOlderThan""#,
            ));
        }
        if !continues.is_empty() {
            errors.push(Error::forbidden(
                &path,
                "resourceVersionMatch is forbidden when continue is provided",
            ));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text))
    }

    #[test]
    fn write_options_are_refused_in_upstreams_words() {
        let check = |kind, text: &str, expect: &str| {
            let status = WriteOptions::read(kind, &query(text), None).unwrap_err();
            assert_eq!((status.code(), status.message()), (422, expect));
        };
        check(
            WriteKind::Create,
            "dryRun=Some",
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"",
        );
        check(
            WriteKind::Apply,
            "",
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        );
        check(
            WriteKind::Patch,
            "force=true",
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        );
        check(
            WriteKind::Update,
            "fieldManager=a%01",
            "UpdateOptions.meta.k8s.io \"\" is invalid: fieldManager: Invalid value: \"a\\x01\": should only contain printable characters",
        );
    }

    #[test]
    fn the_field_manager_falls_back_to_the_user_agent() {
        let check = |text: &str, agent: Option<&str>, expect: &str| {
            let options = WriteOptions::read(WriteKind::Create, &query(text), agent).unwrap();
            assert_eq!(options.field_manager, expect);
        };
        check("fieldManager=me", Some("kubectl/v1"), "me");
        check("", Some("kubectl/v1.32.0 (linux/amd64)"), "kubectl");
        check("", None, "unknown");
    }

    #[test]
    fn delete_options_come_from_the_body_or_the_query() {
        let (options, dry) = delete(None, &query("dryRun=All&gracePeriodSeconds=3")).unwrap();
        assert!(dry);
        assert_eq!(options.grace_period_seconds, Some(3));
        let body = json!({"kind": "DeleteOptions", "propagationPolicy": "Foreground", "preconditions": {"uid": "x"}});
        let (options, dry) = delete(Some(&body), &query("dryRun=All")).unwrap();
        assert!(!dry);
        assert_eq!(
            (options.propagation, options.uid.as_deref()),
            (Some(Propagation::Foreground), Some("x"))
        );
        let refused = delete(Some(&json!({"propagationPolicy": "Nope"})), &Query::default()).unwrap_err();
        assert_eq!(
            refused.message(),
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Nope\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
        );
    }

    #[test]
    fn list_options_are_refused_in_upstreams_words() {
        let check = |text: &str, watch, code: u16, expect: &str| {
            let status = ListOptions::read(&query(text), watch).unwrap_err();
            assert_eq!((status.code(), status.message()), (code, expect), "{text}");
        };
        check(
            "resourceVersionMatch=Exact",
            false,
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        );
        check(
            "resourceVersion=abc",
            false,
            400,
            "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
        );
        check(
            "sendInitialEvents=true",
            true,
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        );
        check(
            "limit=x",
            false,
            400,
            "strconv.ParseInt: parsing \"x\": invalid syntax",
        );
    }
}

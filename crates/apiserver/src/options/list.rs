//! The options of lists and watches, selectors apart.

use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::{Revision, Status};

use super::{not_supported, number, parse_revision, refuse};
use crate::query::Query;

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
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(Some(text))
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

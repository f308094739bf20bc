//! The options of lists and watches, selectors apart.

use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::{Revision, Status};

use super::{not_supported, number, parse_revision, refuse};
use crate::pages::Continue;
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

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    List,
    Watch,
}

impl ListOptions {
    /// Reads and validates them.
    ///
    /// # Errors
    /// 400, 422 or 500 in upstream's words.
    pub(crate) fn read(query: &Query, of: Of) -> Result<Self, Status> {
        let revision = query.text("resourceVersion");
        let mut matching = query.text("resourceVersionMatch");
        let continues = query.text("continue");
        let mut initial_events = query
            .value("sendInitialEvents")
            .map(|_| query.flag("sendInitialEvents"));
        let limit = number(query, "limit")?.unwrap_or(0);
        let timeout_seconds = number(query, "timeoutSeconds")?;
        let says_nothing = initial_events.is_none() && matching.is_empty();
        if of == Of::Watch && says_nothing && matches!(revision, "" | "0") {
            // The old way to ask for everything that is there.
            initial_events = Some(true);
            matching = "NotOlderThan";
        }
        let errors = match of {
            Of::Watch => watch_errors(matching, continues, initial_events),
            Of::List => list_errors(revision, matching, continues, initial_events),
        };
        refuse("ListOptions", &errors)?;
        let options = Self {
            limit: usize::try_from(limit).unwrap_or(0),
            continues: continues.to_owned(),
            revision: None,
            matching: match matching {
                "Exact" => Match::Exact,
                "NotOlderThan" => Match::NotOlderThan,
                _ => Match::Unset,
            },
            bookmarks: query.flag("allowWatchBookmarks"),
            initial_events,
            timeout_seconds: timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        };
        let revision = match of {
            // Looked at behind the token.
            Of::List if !continues.is_empty() && matches!(revision, "" | "0") => None,
            Of::List if !continues.is_empty() => {
                Continue::decode(continues)?;
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            Of::List => parse_revision(revision)
                .map_err(|why| Status::bad_request(format!("invalid resource version: {why}")))?,
            Of::Watch => parse_revision(revision).map_err(Status::unclassified)?,
        };
        Ok(options.at(revision))
    }

    /// Whoever takes any state is served the newest one whole, whatever the limit, as upstream's cache does.
    fn at(mut self, revision: Option<Revision>) -> Self {
        self.revision = revision;
        if revision == Some(Revision::ZERO) {
            self.limit = 0;
        }
        self
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
        let check = |text: &str, of, code: u16, expect: &str| {
            let status = ListOptions::read(&query(text), of).unwrap_err();
            assert_eq!((status.code(), status.message()), (code, expect), "{text}");
        };
        check(
            "resourceVersionMatch=Exact",
            Of::List,
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        );
        check(
            "resourceVersion=abc",
            Of::List,
            400,
            "invalid resource version: resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
        );
        check(
            "sendInitialEvents=true",
            Of::Watch,
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        );
        check(
            "resourceVersion=abc",
            Of::Watch,
            500,
            "resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax",
        );
        check(
            "continue=abc",
            Of::Watch,
            422,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        );
        check(
            "limit=x",
            Of::List,
            400,
            "strconv.ParseInt: parsing \"x\": invalid syntax",
        );
    }
}

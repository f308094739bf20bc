//! The headers of every answer: its audit id, warnings, and where fairness put the request.

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use warren_registry::Warnings;

use crate::body::Body;
use crate::fairness::Classified;

const FLOW_SCHEMA: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const PRIORITY_LEVEL: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
/// The longest audit id that a client may give.
const LONGEST_ID: usize = 64;

/// The request's own `Audit-ID`, else a new one.
pub(crate) fn audit_id(request: &HeaderMap) -> HeaderValue {
    let given = request
        .get(&AUDIT_ID)
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_ID);
    given.cloned().unwrap_or_else(new_audit_id)
}

fn new_audit_id() -> HeaderValue {
    let id = uuid::Uuid::new_v4().hyphenated().to_string();
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Adds what every answer has.
pub(crate) fn finish(response: &mut Response<Body>, warnings: &Warnings, audit_id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(AUDIT_ID, audit_id);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    for warning in bounded(&warnings.take()) {
        if let Ok(value) = HeaderValue::try_from(warning_header(&warning)) {
            headers.append(header::WARNING, value);
        }
    }
}

/// What a request gets that no cluster is found for.
pub(crate) fn finish_unrouted(response: &mut Response<Body>) {
    finish(response, &Warnings::default(), new_audit_id());
}

/// Where fairness put the request; objects that are only stood in for have no uid.
pub(crate) fn classified(response: &mut Response<Body>, classified: &Classified) {
    for (name, uid) in [
        (FLOW_SCHEMA, &classified.schema_uid),
        (PRIORITY_LEVEL, &classified.level_uid),
    ] {
        if let Ok(value) = HeaderValue::try_from(uid.as_str()) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// So many characters of warnings go out as they are; beyond it each is cut.
const LONGEST_WARNINGS: usize = 4 * 1024;
/// The longest of many warnings.
const LONGEST_WARNING: usize = 256;

/// As upstream: what would not fit is cut, then left out; so is what no header may hold.
fn bounded(warnings: &[String]) -> Vec<String> {
    let good = |text: &&String| !text.is_empty() && !text.contains(char::is_control);
    let length = |text: &String| text.chars().count();
    let mut written = 0;
    // The warnings before the one with which it is too much are cut with it; those after it come while there is room.
    let too_much = warnings.iter().filter(good).position(|text| {
        written += length(text);
        written > LONGEST_WARNINGS
    });
    let Some(too_much) = too_much else {
        return warnings.iter().filter(good).cloned().collect();
    };
    written = 0;
    let mut kept = Vec::new();
    for (at, text) in warnings.iter().filter(good).enumerate() {
        if at > too_much && written >= LONGEST_WARNINGS {
            break;
        }
        let cut: String = text.chars().take(LONGEST_WARNING).collect();
        written += length(&cut);
        kept.push(cut);
    }
    kept
}

/// `299 - "text"`, with quotes and backslashes escaped.
fn warning_header(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 10);
    out.push_str("299 - \"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_quoted_for_the_header() {
        assert_eq!(
            warning_header("unknown field \"spec.x\""),
            r#"299 - "unknown field \"spec.x\"""#
        );
    }

    #[test]
    fn many_warnings_are_cut_and_those_that_no_header_holds_are_left_out() {
        let few = [
            "short".to_owned(),
            "x".repeat(400),
            "a\nb".to_owned(),
            String::new(),
        ];
        let lengths = |texts: &[String]| -> Vec<usize> { bounded(texts).iter().map(String::len).collect() };
        assert_eq!(lengths(&few), [5, 400]);
        let many: Vec<String> = few.into_iter().chain((0..30).map(|_| "y".repeat(203))).collect();
        let expected: Vec<usize> = [5, 256].into_iter().chain([203; 19]).collect();
        assert_eq!(lengths(&many), expected);
    }

    #[test]
    fn a_client_may_name_its_request() {
        let mut headers = HeaderMap::new();
        assert_eq!(audit_id(&headers).len(), 36);
        headers.insert(AUDIT_ID, HeaderValue::from_static("mine"));
        assert_eq!(audit_id(&headers), "mine");
    }
}

//! What a client reads when a webhook refuses, or cannot be asked: upstream's words.

use serde_json::Value;
use warren_apimachinery::status::Details;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};

use crate::outbound::Reply;

/// The most of a body that a message holds.
const LONGEST_TEXT: usize = 2048;
/// What counts as the code of a call that got no answer, or one that makes no sense.
const UNAVAILABLE: u16 = 503;

/// Why a webhook did not allow a write.
#[derive(Debug)]
pub(super) enum Failure {
    /// It said no.
    Denied(Status),
    /// What it changed cannot be.
    Unfit(Status),
    /// It could not be asked, or made no sense. `code` counts, nobody reads it.
    Call { why: String, code: u16 },
    /// It has side effects, and nothing shall be kept.
    DryRun,
}

impl Failure {
    pub(super) fn call(why: impl Into<String>) -> Self {
        Self::Call {
            why: why.into(),
            code: UNAVAILABLE,
        }
    }

    pub(super) fn into_status(self, webhook: &str) -> Status {
        match self {
            Self::Denied(status) | Self::Unfit(status) => status,
            Self::Call { why, .. } => Status::internal(format!("failed calling webhook {webhook:?}: {why}")),
            Self::DryRun => {
                Status::bad_request(format!("admission webhook {webhook:?} does not support dry run"))
            }
        }
    }
}

/// What a client reads whose write took too long.
pub(super) fn too_late() -> Status {
    let why = "Timeout: request did not complete within requested timeout - context deadline exceeded";
    Status::new(StatusReason::Timeout, why).with_details(Details::default())
}

/// The refusal that a webhook's `status` asks for: never less than 400, never a success.
pub(super) fn denied(webhook: &str, result: &Value) -> Status {
    let by = format!("admission webhook {webhook:?} denied the request");
    let (message, reason) = (result.text("/message"), result.text("/reason"));
    let message = match (message, reason) {
        ("", "") => format!("{by} without explanation"),
        ("", reason) => format!("{by}: {reason}"),
        (message, _) => format!("{by}: {message}"),
    };
    let code = result
        .int("/code")
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..=999).contains(code))
        .unwrap_or(400);
    let status = match StatusReason::parse(reason) {
        Some(reason) => Status::new(reason, message),
        None => Status::unclassified(message).with_foreign_reason(reason),
    };
    let status = status.with_code(code);
    let details = result.at("/details");
    if !details.is_object() {
        return status;
    }
    match serde_json::from_value::<Details>(details.clone()) {
        Ok(details) => status.with_details(details),
        Err(_) => status,
    }
}

/// What upstream's client makes of an answer that is no success; `None` for a success.
pub(crate) fn of_code(reply: &Reply) -> Option<String> {
    if (200..=206).contains(&reply.code) {
        return None;
    }
    Some(said_by_status(reply).unwrap_or_else(|| of_plain_code(reply)))
}

/// The message of a `Status`, where the answer is one and says more than its code.
fn said_by_status(reply: &Reply) -> Option<String> {
    let status: Value = serde_json::from_slice(&reply.body).ok()?;
    let is_failure = status.text("/kind") == "Status"
        && status.text("/apiVersion") == "v1"
        && status.text("/status") != "Success";
    is_failure.then(|| status.text("/message").to_owned())
}

fn of_plain_code(reply: &Reply) -> String {
    let said = match reply.code {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        403 | 415 => return text(reply),
        406 => match text(reply).as_str() {
            "" | "unknown" => "the server was unable to respond with a content type that the client supports",
            said => return said.to_owned(),
        },
        500.. => {
            return format!(
                "an error on the server ({:?}) has prevented the request from succeeding",
                text(reply)
            );
        }
        code => {
            return format!(
                "the server responded with the status code {code} but did not return more information"
            );
        }
    };
    said.to_owned()
}

/// As much of a text as a message may hold. Whatever is no text is not shown; without a type it is taken for one.
fn text(reply: &Reply) -> String {
    if !reply.media.is_empty() && !reply.media.starts_with("text/") {
        return "unknown".to_owned();
    }
    let body = reply.body.get(..LONGEST_TEXT).unwrap_or(&reply.body);
    String::from_utf8_lossy(body).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_success_is_told_as_upstreams_client_tells_it() {
        let reply = |code, media: &str, body: &str| Reply {
            code,
            media: media.to_owned(),
            body: body.as_bytes().to_vec(),
        };
        let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"said","code":500}"#;
        let table = [
            (reply(200, "", ""), None),
            (
                reply(300, "text/plain", "x"),
                Some("the server responded with the status code 300 but did not return more information"),
            ),
            (reply(403, "text/plain", " some text\n"), Some("some text")),
            (reply(403, "application/json", "{}"), Some("unknown")),
            (
                reply(406, "application/json", "{}"),
                Some("the server was unable to respond with a content type that the client supports"),
            ),
            (
                reply(422, "text/plain", "x"),
                Some("the server rejected our request due to an error in our request"),
            ),
            (
                reply(500, "text/plain", "some text"),
                Some("an error on the server (\"some text\") has prevented the request from succeeding"),
            ),
            (
                reply(502, "application/json", "{}"),
                Some("an error on the server (\"unknown\") has prevented the request from succeeding"),
            ),
            (
                reply(500, "", ""),
                Some("an error on the server (\"\") has prevented the request from succeeding"),
            ),
            (reply(500, "application/json", status), Some("said")),
        ];
        for (reply, expected) in table {
            assert_eq!(of_code(&reply).as_deref(), expected, "{reply:?}");
        }
    }
}

//! What a client reads when a webhook refuses, or cannot be asked: upstream's words.

use serde_json::Value;
use warren_apimachinery::status::Details;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};

use crate::outbound::Reply;

/// Why a webhook did not allow a write.
pub(super) enum Failure {
    /// It said no, or what it changed cannot be.
    Answer(Status),
    /// It could not be asked, or made no sense.
    Call(String),
    /// It has side effects, and nothing shall be kept.
    DryRun,
}

impl Failure {
    pub(super) fn into_status(self, webhook: &str) -> Status {
        match self {
            Self::Answer(status) => status,
            Self::Call(why) => Status::internal(format!("failed calling webhook {webhook:?}: {why}")),
            Self::DryRun => {
                Status::bad_request(format!("admission webhook {webhook:?} does not support dry run"))
            }
        }
    }
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
        .filter(|code| *code >= 400)
        .unwrap_or(400);
    let status = match StatusReason::parse(reason) {
        Some(reason) => Status::new(reason, message),
        None => Status::unclassified(message),
    };
    let status = status.with_code(code);
    match serde_json::from_value::<Details>(result.at("/details").clone()) {
        Ok(details) => status.with_details(details),
        Err(_) => status,
    }
}

/// What upstream's client makes of an answer that is no success.
pub(super) fn of_code(reply: &Reply) -> Option<String> {
    let said = |text: &str| Some(text.to_owned());
    match reply.code {
        200..=206 => None,
        401 => said("the server has asked for the client to provide credentials"),
        404 => said("the server could not find the requested resource"),
        405 => said("the server does not allow this method on the requested resource"),
        409 => said("the server reported a conflict"),
        410 => said("the resource instance is no longer available"),
        413 => said("Request entity too large"),
        415 => said("the body of the request was in an unknown format"),
        429 => said("the server has received too many requests and has asked us to try again later"),
        403 => Some(format!("forbidden: {}", text(reply))),
        400 => said("the server rejected our request for an unknown reason"),
        503 => said("the server is currently unable to handle the request"),
        504 => said(
            "the server was unable to return a response in the time allotted, but may still be processing the request",
        ),
        500.. => Some(format!(
            "an error on the server ({:?}) has prevented the request from succeeding",
            match text(reply).as_str() {
                "" => "unknown",
                text => text,
            }
        )),
        _ => said("the server responded with the status code of an answer that is none"),
    }
}

/// As much of the body as a message may hold.
fn text(reply: &Reply) -> String {
    const MOST: usize = 2048;
    let text = String::from_utf8_lossy(&reply.body);
    text.trim().chars().take(MOST).collect()
}

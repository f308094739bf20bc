//! What a host answers to a request that failed: its `Status`, or none at all.

use std::fmt;

use serde::Deserialize;
use warren_apimachinery::status::Details;
use warren_apimachinery::{Status, StatusReason};

/// Why a request has no good answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The host said no.
    Answered(Status),
    /// The host did not answer in time, or not in its language. Whether it did what was asked is not known.
    Silent(String),
}

impl Failure {
    /// Whether the host says that a list or watch must begin anew.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Answered(status) if status.code() == 410)
    }

    /// Whether the host refuses for good: it does not serve this, or not to us.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Answered(status) if matches!(status.code(), 401 | 403 | 404 | 405))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(status) => write!(f, "{}: {status}", status.code()),
            Self::Silent(why) => f.write_str(why),
        }
    }
}

/// A tenant may read it: it says nothing of where the host is, or why it is silent.
impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answered(status) => status,
            Failure::Silent(_) => Self::new(
                StatusReason::ServiceUnavailable,
                "the host cluster does not answer now",
            ),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    reason: String,
    message: String,
    details: Option<Details>,
    code: u16,
}

/// The `Status` of an answer. A proxy between us and the host may answer text: that becomes the message.
pub(super) fn status(code: u16, retry_after: Option<u32>, body: &[u8]) -> Status {
    let sent: Sent = serde_json::from_slice(body).unwrap_or_else(|_| Sent {
        message: String::from_utf8_lossy(body).trim().to_owned(),
        ..Sent::default()
    });
    let code = if sent.code >= 400 { sent.code } else { code };
    let mut details = sent.details.unwrap_or_default();
    if details.retry_after_seconds == 0 {
        details.retry_after_seconds = retry_after.unwrap_or_default();
    }
    let status = match StatusReason::parse(&sent.reason).or_else(|| reason_of(code)) {
        Some(reason) => Status::new(reason, sent.message),
        None => Status::unclassified(sent.message),
    };
    status.with_code(code).with_details(details)
}

fn reason_of(code: u16) -> Option<StatusReason> {
    Some(match code {
        401 => StatusReason::Unauthorized,
        403 => StatusReason::Forbidden,
        404 => StatusReason::NotFound,
        409 => StatusReason::Conflict,
        410 => StatusReason::Expired,
        429 => StatusReason::TooManyRequests,
        503 => StatusReason::ServiceUnavailable,
        504 => StatusReason::Timeout,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_the_host_is_taken_as_it_is() {
        let body = br#"{"kind":"Status","status":"Failure","message":"pods \"a\" already exists","reason":"AlreadyExists",
            "details":{"name":"a","kind":"pods"},"code":409}"#;
        let status = status(409, None, body);
        assert!(status.is(StatusReason::AlreadyExists));
        assert_eq!(status.message(), "pods \"a\" already exists");
        assert_eq!(status.details().unwrap().name, "a");
    }

    #[test]
    fn text_of_a_proxy_becomes_the_message_and_the_code_gives_the_reason() {
        let status = status(429, Some(7), b"slow down\n");
        assert!(status.is(StatusReason::TooManyRequests));
        assert_eq!((status.message(), status.code()), ("slow down", 429));
        assert_eq!(status.details().unwrap().retry_after_seconds, 7);
    }

    #[test]
    fn what_a_tenant_reads_of_a_silent_host_says_nothing_of_it() {
        let status = Status::from(Failure::Silent("tcp connect error: 10.0.0.1:6443".to_owned()));
        assert_eq!(
            (status.code(), status.message()),
            (503, "the host cluster does not answer now")
        );
    }
}

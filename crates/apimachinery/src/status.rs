//! `Status`: the one error a client of the API reads, with upstream's reasons, codes and wording.

mod reason;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use reason::StatusReason;

use crate::field::{self, go_quote};
use crate::resource::GroupResource;

/// One entry of `details.causes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Machine-readable, such as `FieldValueRequired`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The field path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// `details` of a `Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The API group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind, or where upstream does so, the plural resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The uid of a deleted object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// What is wrong, field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// After how long to come back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A failure as a client reads it. Never contains internal text or another tenant's names.
///
/// Boxed inside, so that `Result<T, Status>` stays small.
#[derive(Clone, PartialEq, Eq)]
pub struct Status(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: u16,
    reason: Option<StatusReason>,
    /// A reason that is none of upstream's: a tenant's own word.
    foreign_reason: Option<String>,
    message: String,
    details: Option<Details>,
}

impl Status {
    /// A failure with the reason's own code.
    pub fn new(reason: StatusReason, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code: reason.code(),
            reason: Some(reason),
            foreign_reason: None,
            message: message.into(),
            details: None,
        }))
    }

    /// Adds `details`.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Says a reason that is none of upstream's, such as a webhook may give. Nothing where it is empty.
    #[must_use]
    pub fn with_foreign_reason(mut self, reason: &str) -> Self {
        self.0.foreign_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        self
    }

    /// Uses another HTTP code than the reason's own, where upstream does.
    #[must_use]
    pub fn with_code(mut self, code: u16) -> Self {
        self.0.code = code;
        self
    }

    /// Adds causes to the details.
    #[must_use]
    pub fn with_causes(mut self, causes: Vec<Cause>) -> Self {
        self.0.details.get_or_insert_default().causes = causes;
        self
    }

    /// The HTTP code.
    pub fn code(&self) -> u16 {
        self.0.code
    }

    /// The reason; `None` where upstream leaves it empty.
    pub fn reason(&self) -> Option<StatusReason> {
        self.0.reason
    }

    /// For people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The details, if there are any.
    pub fn details(&self) -> Option<&Details> {
        self.0.details.as_ref()
    }

    /// Whether the reason is `reason`.
    pub fn is(&self, reason: StatusReason) -> bool {
        self.0.reason == Some(reason)
    }

    /// `pods "x" not found`
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(
            StatusReason::NotFound,
            format!("{resource} {} not found", quoted(name)),
        )
        .with_details(of(resource, name))
    }

    /// `pods "x" already exists`
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(
            StatusReason::AlreadyExists,
            format!("{resource} {} already exists", quoted(name)),
        )
        .with_details(of(resource, name))
    }

    /// `Operation cannot be fulfilled on pods "x": why`
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        Self::new(
            StatusReason::Conflict,
            format!(
                "Operation cannot be fulfilled on {resource} {}: {why}",
                quoted(name)
            ),
        )
        .with_details(of(resource, name))
    }

    /// The conflict of an update whose `resourceVersion` is no longer current.
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// `pods "x" is forbidden: why`; without a name, `pods is forbidden: why`.
    pub fn forbidden(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = match (resource.resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (_, true) => format!("{resource} is forbidden: {why}"),
            _ => format!("{resource} {} is forbidden: {why}", quoted(name)),
        };
        Self::new(StatusReason::Forbidden, message).with_details(of(resource, name))
    }

    /// `Deployment.apps "x" is invalid: …` with a cause per field error.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[field::Error]) -> Self {
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        let mut messages: Vec<String> = Vec::new();
        for error in errors {
            let text = error.to_string();
            if !messages.contains(&text) {
                messages.push(text);
            }
        }
        let list = match messages.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes = errors
            .iter()
            .map(|error| Cause {
                reason: error.kind.reason().to_owned(),
                message: error.body(),
                field: error.path.to_string(),
            })
            .collect();
        Self::new(
            StatusReason::Invalid,
            format!("{qualified} {} is invalid: {list}", quoted(name)),
        )
        .with_details(Details {
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
            causes,
            ..Details::default()
        })
    }

    /// 400 with a free message.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusReason::BadRequest, message)
    }

    /// `Unauthorized`
    pub fn unauthorized() -> Self {
        Self::new(StatusReason::Unauthorized, "Unauthorized")
    }

    /// `Internal error occurred: why`
    pub fn internal(why: impl fmt::Display) -> Self {
        Self::new(
            StatusReason::InternalError,
            format!("Internal error occurred: {why}"),
        )
        .with_causes(vec![Cause {
            message: why.to_string(),
            ..Cause::default()
        }])
    }

    /// 500 with a free message and no reason: what upstream answers for errors that it does not classify.
    pub fn unclassified(message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code: 500,
            reason: None,
            foreign_reason: None,
            message: message.into(),
            details: None,
        }))
    }

    /// `the server could not find the requested resource`: a path that is not served.
    pub fn path_not_found() -> Self {
        Self::new(
            StatusReason::NotFound,
            "the server could not find the requested resource",
        )
        .with_details(Details::default())
    }

    /// `the server does not allow this method on the requested resource`
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusReason::MethodNotAllowed,
            "the server does not allow this method on the requested resource",
        )
        .with_details(Details::default())
    }

    /// 410 with the text that clients take as the order to list again.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusReason::Expired, message)
    }

    /// 429
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(StatusReason::TooManyRequests, message).with_details(Details {
            retry_after_seconds,
            ..Details::default()
        })
    }
}

/// `group` and `kind` (the plural resource, as upstream fills it) and the name.
fn of(resource: &GroupResource, name: &str) -> Details {
    Details {
        name: name.into(),
        group: resource.group.to_string(),
        kind: resource.resource.to_string(),
        ..Details::default()
    }
}

fn quoted(name: &str) -> String {
    go_quote(name)
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Status({} {:?}: {})",
            self.0.code, self.0.reason, self.0.message
        )
    }
}

impl std::error::Error for Status {}

/// As the API sends it: `kind: Status`, `apiVersion: v1`, `metadata: {}`, `status: Failure`.
impl Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", "Status")?;
        map.serialize_entry("apiVersion", "v1")?;
        map.serialize_entry("metadata", &serde_json::Map::new())?;
        map.serialize_entry("status", "Failure")?;
        map.serialize_entry("message", &self.0.message)?;
        if let Some(reason) = self.0.reason {
            map.serialize_entry("reason", reason.as_str())?;
        } else if let Some(reason) = &self.0.foreign_reason {
            map.serialize_entry("reason", reason)?;
        }
        if let Some(details) = &self.0.details {
            map.serialize_entry("details", details)?;
        }
        map.serialize_entry("code", &self.0.code)?;
        map.end()
    }
}

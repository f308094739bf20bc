//! What comes with a write, and what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::status::Details;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Status, UserInfo};
use warren_reconciler::{DeleteOptions, Propagation};

use crate::Warnings;

/// Who writes, and how. Borrowed from the edge for the time of one request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub user: &'a UserInfo,
    /// The field manager: `fieldManager`, or the first word of the user agent.
    pub field_manager: &'a str,
    /// Everything but the commit.
    pub dry_run: bool,
    /// The served version that the client speaks.
    pub version: &'a str,
    /// What to do about unknown and duplicate fields.
    pub field_validation: FieldValidation,
    /// What is wrong with fields that stood twice in the body (`duplicate field "spec.replicas"`); parsing loses
    /// them, so the edge finds them.
    pub duplicate_fields: &'a [String],
    /// The body where it is JSON, for the order of what is wrong with its fields; else empty.
    pub json: &'a [u8],
    /// Where warnings go.
    pub warnings: &'a Warnings,
    /// `CreateOptions`, `UpdateOptions` or `DeleteOptions` as the client gave them; null for a write of our own.
    pub options: &'a Value,
    /// When the client stops waiting: nobody else is asked about the write after it.
    pub deadline: Instant,
    /// What becomes of the version that an object is kept in.
    pub keeps: Keeps,
}

/// In which version a write keeps an object of a custom resource with several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// In the storage version, as upstream.
    #[default]
    StorageVersion,
    /// In the version of the request, which is the one that it is kept in: our own controllers take a finalizer away
    /// without asking a tenant's webhook, which may be gone.
    Version,
}

/// No options.
static NONE: Value = Value::Null;

/// Upstream's longest write.
pub const LONGEST_WRITE: Duration = Duration::from_secs(34);

impl<'a> Request<'a> {
    /// A request of one of our own: not a dry run, unknown fields are dropped silently.
    pub fn new(user: &'a UserInfo, field_manager: &'a str, version: &'a str, warnings: &'a Warnings) -> Self {
        Self {
            user,
            field_manager,
            dry_run: false,
            version,
            field_validation: FieldValidation::Ignore,
            duplicate_fields: &[],
            json: &[],
            warnings,
            options: &NONE,
            deadline: Instant::now() + LONGEST_WRITE,
            keeps: Keeps::StorageVersion,
        }
    }
}

/// `fieldValidation`: what to do about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them and warn: upstream's default.
    #[default]
    Warn,
    /// Refuse.
    Strict,
}

/// What a PUT or PATCH answers.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as it now is, in the storage version (`Registry::answer` converts).
    pub object: Arc<Object>,
    /// Whether it was made by this write (201 rather than 200).
    pub created: bool,
}

/// What a DELETE answers.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// It is gone: `Status` `Success` with these details.
    Gone(Details),
    /// It is gone, and upstream answers with the object as it last was (pods, and others that say so).
    Last(Arc<Object>),
    /// It is marked and goes later: the object is the answer.
    Marked(Arc<Object>),
}

/// A patch, decoded.
#[derive(Clone, Debug)]
pub enum Patch {
    /// `application/json-patch+json`
    Json(Value),
    /// `application/merge-patch+json`
    Merge(Value),
    /// `application/strategic-merge-patch+json`
    Strategic(Value),
    /// `application/apply-patch+yaml`
    Apply {
        /// What the applier wants to own.
        configuration: Value,
        /// Takes over fields of others.
        force: bool,
    },
}

/// Reads a `DeleteOptions` object; `null` has no options.
///
/// # Errors
/// 422 for a propagation policy that there is not.
pub fn delete_options(options: &Value) -> Result<DeleteOptions, Status> {
    let text = |pointer: &str| options.at(pointer).as_str().map(str::to_owned);
    let propagation = match options.at("/propagationPolicy").as_str() {
        Some("Orphan") => Some(Propagation::Orphan),
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some(other) => {
            let path = Path::new("propagationPolicy");
            let mut error = Error::not_supported(&path, other, &[]);
            error.detail = "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"".to_owned();
            return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &[error]));
        }
        None => options.at("/orphanDependents").as_bool().map(|orphan| {
            if orphan {
                Propagation::Orphan
            } else {
                Propagation::Background
            }
        }),
    };
    Ok(DeleteOptions {
        grace_period_seconds: options.int("/gracePeriodSeconds"),
        propagation,
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
    })
}

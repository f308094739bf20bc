//! The last step of a write: what the store's refusals mean to a client.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Draft, Object, ObjectKey, Status, StatusReason};
use warren_storage::{CommitError, JournalError, Write, WriteKind};

use crate::Registry;
use crate::definition::Definition;

/// Why a commit did not happen.
pub(crate) enum Refusal {
    /// Someone else was quicker; the write may be tried again on the latest object.
    Outrun,
    /// As the client reads it.
    Status(Status),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl Refusal {
    /// For writes that are tried again: `None` when others were quicker.
    pub(crate) fn unless_outrun<T>(result: Result<T, Self>) -> Result<Option<T>, Status> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(Self::Outrun) => Ok(None),
            Err(Self::Status(status)) => Err(status),
        }
    }

    /// For writes that are not tried again.
    pub(crate) fn into_status(self, definition: &Definition, name: &str) -> Status {
        match self {
            Self::Outrun => Status::modified(&definition.group_resource(), name),
            Self::Status(status) => status,
        }
    }
}

/// The draft of an object as it is kept, with the kind's selectable fields.
pub(crate) fn draft(definition: &Definition, object: Value) -> Draft {
    let is_own = || object.text("/apiVersion") == definition.api_version(&definition.storage_version.version);
    let keeper = match &definition.conversion {
        Some(conversion) if !is_own() => &conversion.keeper,
        _ => &definition.strategy,
    };
    let fields = keeper.fields(&object);
    Draft::new(object, fields)
}

impl Registry {
    /// Makes `object` durable at `key`.
    pub(crate) async fn commit(
        &self,
        definition: &Definition,
        key: &ObjectKey,
        change: WriteKind,
    ) -> Result<Arc<Object>, Refusal> {
        let write = Write {
            resource: definition.storage.clone(),
            key: key.clone(),
            change,
        };
        self.store
            .commit(write)
            .await
            .map_err(|error| refusal(error, definition, &key.name))
    }
}

fn refusal(error: CommitError, definition: &Definition, name: &str) -> Refusal {
    let resource = definition.group_resource();
    Refusal::Status(match error {
        CommitError::Changed(_) => return Refusal::Outrun,
        CommitError::Exists(_) => Status::already_exists(&resource, name),
        CommitError::Missing => Status::not_found(&resource, name),
        CommitError::TooLarge { limit, .. } => Status::new(
            StatusReason::RequestEntityTooLarge,
            format!("Request entity too large: limit is {limit}"),
        ),
        CommitError::Full { limit } => Status::new(
            StatusReason::StorageReadFailure,
            format!("the cluster's store is at its limit of {limit} bytes; delete objects to make room"),
        ),
        CommitError::Busy => {
            Status::too_many_requests("too many writes are waiting, please try again later", 1)
        }
        CommitError::Closed => Status::new(
            StatusReason::ServiceUnavailable,
            "the cluster is going away or to sleep, please try again",
        ),
        CommitError::Misplaced => Status::internal("the object is not the one that its key names"),
        CommitError::Journal(error) => {
            tracing::error!(%error, "a write could not be made durable");
            Status::internal(match error {
                JournalError::Full => "no space is left for the cluster's data: nothing was written",
                _ => "the write could not be made durable",
            })
        }
    })
}

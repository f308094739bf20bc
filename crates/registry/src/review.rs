//! The `Reviews` port: kinds that are asked and answered, never kept (access reviews, token reviews).

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::{GroupResource, Status};

use crate::Registry;
use crate::definition::Definition;
use crate::request::Request;

/// Answers reviews; `access` implements it.
#[async_trait]
pub trait Reviews: Send + Sync + 'static {
    /// Called for a create of a kind whose only verb is `create`, after decoding, defaulting and validation.
    /// Returns `object` with its `status`; `namespace` is empty for cluster-scoped kinds.
    ///
    /// # Errors
    /// What the client reads.
    async fn review(
        &self,
        registry: &Registry,
        cx: &Request<'_>,
        definition: &Definition,
        namespace: &str,
        object: Value,
    ) -> Result<Value, Status>;
}

/// Refuses every review: for tests and bootstrap.
pub struct NoReviews;

#[async_trait]
impl Reviews for NoReviews {
    async fn review(
        &self,
        _: &Registry,
        _: &Request<'_>,
        definition: &Definition,
        _: &str,
        _: Value,
    ) -> Result<Value, Status> {
        Err(not_served(&definition.group_resource()))
    }
}

fn not_served(resource: &GroupResource) -> Status {
    Status::new(
        warren_apimachinery::status::StatusReason::ServiceUnavailable,
        format!("{resource} are not answered here"),
    )
}

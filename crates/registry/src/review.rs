//! The `Reviews` port: kinds that are asked and answered, never kept (access reviews, token reviews).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::{GroupResource, Object, Status};

use crate::definition::Definition;
use crate::operation::Operation;
use crate::request::Request;
use crate::{Registry, admission};

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

impl Operation<'_> {
    /// The way of a decoded review to its answer.
    pub(crate) async fn review(&self, mut object: Value) -> Result<Arc<Object>, Status> {
        let strategy = &self.definition.strategy;
        self.own(&mut object, None).await;
        self.mutate(admission::Operation::Create, &mut object, None)
            .await?;
        strategy.prepare_for_create(&mut object);
        self.refuse(&object, &strategy.validate(&object))?;
        self.warn(&object, None);
        self.admit(admission::Operation::Create, Some(&object), None)
            .await?;
        let registry = self.registry;
        let answered = registry
            .reviews
            .review(registry, self.cx, self.definition, &self.key.namespace, object)
            .await?;
        Ok(Arc::new(Object::from_value(&answered)))
    }
}

//! POST: a new object.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::{Object, Status};

use crate::definition::Definition;
use crate::{Registry, Request};

impl Registry {
    /// Creates an object in `namespace` (empty for cluster-scoped kinds), or answers a review.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn create(
        &self,
        _cx: &Request<'_>,
        _definition: &Definition,
        _namespace: &str,
        _object: Value,
    ) -> Result<Arc<Object>, Status> {
        Err(Status::internal("not yet"))
    }
}

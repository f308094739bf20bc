//! PUT: the object as it shall be.

use serde_json::Value;
use warren_apimachinery::{ObjectKey, Status};
use warren_reconciler::Part;

use crate::definition::Definition;
use crate::{Registry, Request, Written};

impl Registry {
    /// Replaces an object or a part of it. `Part::Sub("scale")` takes and answers a `Scale`; so do the others
    /// that have a kind of their own.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn update(
        &self,
        _cx: &Request<'_>,
        _definition: &Definition,
        _part: Part,
        _key: &ObjectKey,
        _object: Value,
    ) -> Result<Written, Status> {
        Err(Status::internal("not yet"))
    }
}

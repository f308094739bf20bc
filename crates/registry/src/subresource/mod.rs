//! Parts of objects with paths of their own: one file each.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::{Object, ObjectKey, Status};
use warren_reconciler::Part;

use crate::definition::Definition;
use crate::{Registry, Request};

impl Registry {
    /// GET of a part: the object itself, or its `Scale`.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub fn get_part(
        &self,
        definition: &Definition,
        _part: Part,
        key: &ObjectKey,
    ) -> Result<Arc<Object>, Status> {
        self.get(definition, key)
    }

    /// POST to a subresource: `binding`, `eviction`, `token` (and the legacy `bindings` resource, with
    /// `binding` on pods). Answers what upstream answers.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn post(
        &self,
        _cx: &Request<'_>,
        _definition: &Definition,
        _key: &ObjectKey,
        _subresource: &str,
        _body: Value,
    ) -> Result<Value, Status> {
        Err(Status::internal("not yet"))
    }
}

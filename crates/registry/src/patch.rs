//! PATCH: what shall be different.

use warren_apimachinery::{ObjectKey, Status};
use warren_reconciler::Part;

use crate::definition::Definition;
use crate::request::Patch;
use crate::{Registry, Request, Written};

impl Registry {
    /// Patches an object or a part of it; an apply may create it.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn patch(
        &self,
        _cx: &Request<'_>,
        _definition: &Definition,
        _part: Part,
        _key: &ObjectKey,
        _patch: Patch,
    ) -> Result<Written, Status> {
        Err(Status::internal("not yet"))
    }
}

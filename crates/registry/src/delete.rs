//! DELETE: an object goes, or is marked to go.

use std::sync::Arc;

use warren_apimachinery::{Object, ObjectKey, Status};
use warren_reconciler::DeleteOptions;

use crate::definition::Definition;
use crate::{Deleted, Registry, Request, Selection};

impl Registry {
    /// Deletes an object, at once or by marking it.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn delete(
        &self,
        _cx: &Request<'_>,
        _definition: &Definition,
        _key: &ObjectKey,
        _options: DeleteOptions,
    ) -> Result<Deleted, Status> {
        Err(Status::internal("not yet"))
    }

    /// Deletes what the selection means, in `namespace` or everywhere (empty). Answers the objects as they
    /// were.
    ///
    /// # Errors
    /// The first failure; objects that are gone meanwhile are none.
    pub async fn delete_collection(
        &self,
        _cx: &Request<'_>,
        _definition: &Definition,
        _namespace: &str,
        _filter: &Selection,
        _options: DeleteOptions,
    ) -> Result<Vec<Arc<Object>>, Status> {
        Err(Status::internal("not yet"))
    }
}

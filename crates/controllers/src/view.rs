//! Typed views of objects. For reading only: a view drops the fields that it does not know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use warren_apimachinery::Object;
use warren_reconciler::ReconcileError;

/// An object as its parts: metadata, spec and status, the latter empty while there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "Spec: DeserializeOwned, Status: DeserializeOwned + Default")]
pub(crate) struct Parts<Spec, Status> {
    /// The metadata.
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    /// What is desired.
    pub(crate) spec: Spec,
    /// What was observed.
    #[serde(default)]
    pub(crate) status: Status,
}

/// Reads `object` as `T`. What cannot be read is not worth a retry until it changes.
pub(crate) fn view<T: DeserializeOwned>(object: &Object) -> Result<T, ReconcileError> {
    object
        .view()
        .map_err(|error| ReconcileError::Never(format!("{} cannot be read: {error}", object.key())))
}

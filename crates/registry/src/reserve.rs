//! The `Reserve` port: what a write needs that lies outside its own object, such as a Service's addresses.

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::Status;

use crate::Registry;
use crate::definition::Definition;

/// Reserves and releases what objects need beyond themselves. A cluster of its own allocates from its ranges;
/// a virtual cluster lets the host decide. Dry runs never get here with effect: `dry_run` must touch nothing.
#[async_trait]
pub trait Reserve: Send + Sync + 'static {
    /// Runs after validation and validating admission, before the commit of a create or update (`old` is
    /// `None` on create). May fill in fields of `object` (`spec.clusterIP`, `spec.ports[].nodePort`, …).
    ///
    /// # Errors
    /// The refusal, as the client reads it.
    async fn reserve(
        &self,
        registry: &Registry,
        definition: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status>;

    /// Runs when the commit that a reservation was made for failed.
    async fn undo(&self, registry: &Registry, definition: &Definition, object: &Value, old: Option<&Value>);

    /// Runs after an object was deleted.
    async fn release(&self, registry: &Registry, definition: &Definition, object: &Value);
}

/// Reserves nothing: the host decides, or there are no services.
pub struct NoReserve;

#[async_trait]
impl Reserve for NoReserve {
    async fn reserve(
        &self,
        _: &Registry,
        _: &Definition,
        _: &mut Value,
        _: Option<&Value>,
        _: bool,
    ) -> Result<(), Status> {
        Ok(())
    }

    async fn undo(&self, _: &Registry, _: &Definition, _: &Value, _: Option<&Value>) {}

    async fn release(&self, _: &Registry, _: &Definition, _: &Value) {}
}

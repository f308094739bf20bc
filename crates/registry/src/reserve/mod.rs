//! The `Reserve` port: what a write needs that lies outside its own object, such as a Service's addresses.

mod addresses;
mod pool;
pub mod service;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::Status;

use crate::Registry;
use crate::definition::Definition;

pub use addresses::{Cidr, LocalAddresses};

/// Reserves and releases what objects need beyond themselves. A cluster of its own allocates from its ranges;
/// a virtual cluster lets the host decide.
#[async_trait]
pub trait Reserve: Send + Sync + 'static {
    /// Whether objects of this kind need anything: for the others nothing below is called.
    fn concerns(&self, definition: &Definition) -> bool;

    /// Runs after validation and validating admission, before the commit of a create or update (`old` is
    /// `None` on create). May fill in fields of `object` (`spec.clusterIP`, `spec.ports[].nodePort`, …). Keeps
    /// nothing on a dry run.
    ///
    /// # Errors
    /// The refusal, as the client reads it; nothing is reserved then.
    async fn reserve(
        &self,
        registry: &Registry,
        definition: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status>;

    /// Runs when the commit that a reservation was made for failed: frees what `object` has and `old` had not.
    async fn undo(&self, registry: &Registry, definition: &Definition, object: &Value, old: Option<&Value>);

    /// Runs after a commit: frees what `old` had and `new` has not. `new` is `None` when the object is gone.
    async fn release(&self, registry: &Registry, definition: &Definition, old: &Value, new: Option<&Value>);
}

/// Reserves nothing: for clusters without services, and for tests.
pub struct NoReserve;

#[async_trait]
impl Reserve for NoReserve {
    fn concerns(&self, _: &Definition) -> bool {
        false
    }

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

    async fn release(&self, _: &Registry, _: &Definition, _: &Value, _: Option<&Value>) {}
}

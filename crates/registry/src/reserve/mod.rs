//! The `Reserve` port: what a write needs that lies outside its own object, such as a Service's addresses.

mod addresses;
mod cluster_ips;
mod families;
mod node_ports;
mod pool;
mod range;
pub mod service;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::{Status, field};

use crate::Registry;
use crate::definition::Definition;

pub use addresses::{LocalAddresses, foresee};
pub use range::{Cidr, Family};

/// Reserves and releases what objects need beyond themselves. A cluster of its own allocates from its ranges;
/// a virtual cluster lets the host decide.
#[async_trait]
pub trait Reserve: Send + Sync + 'static {
    /// Whether objects of this kind need anything: for the others nothing below is called.
    fn concerns(&self, definition: &Definition) -> bool;

    /// Runs after mutating admission and before validation of a create or update (`old` is `None` on create), as
    /// upstream allocates: what is filled in here is validated. Where allocating is dear, or seen by others, it is
    /// left to `reserve`, and this only brings linked fields into step. Keeps nothing on a dry run.
    ///
    /// # Errors
    /// The refusal, as the client reads it; nothing is reserved then.
    async fn begin(
        &self,
        _registry: &Registry,
        _definition: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        _dry_run: bool,
    ) -> Result<(), Status> {
        service::normalize(object, old);
        service::default_families(object, old);
        Ok(())
    }

    /// Runs after validation and validating admission, before the commit. May fill in fields of `object`
    /// (`spec.clusterIP`, `spec.ports[].nodePort`, …). Keeps nothing on a dry run.
    ///
    /// # Errors
    /// The refusal, as the client reads it; nothing is reserved then.
    async fn reserve(
        &self,
        _registry: &Registry,
        _definition: &Definition,
        _object: &mut Value,
        _old: Option<&Value>,
        _dry_run: bool,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// Runs when a write is refused after `begin` and before `reserve`, or by it, except on a dry run: frees what
    /// `begin` took for `object`.
    async fn abandon(
        &self,
        _registry: &Registry,
        _definition: &Definition,
        _object: &Value,
        _old: Option<&Value>,
    ) {
    }

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

    async fn undo(&self, _: &Registry, _: &Definition, _: &Value, _: Option<&Value>) {}

    async fn release(&self, _: &Registry, _: &Definition, _: &Value, _: Option<&Value>) {}
}

/// A Service that is refused.
fn refusal(name: &str, errors: &[field::Error]) -> Status {
    Status::invalid("", "Service", name, errors)
}

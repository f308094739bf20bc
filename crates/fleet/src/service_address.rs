//! A virtual cluster's Services get their addresses from the host.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason, resource};
use warren_reconciler::{Cluster, Clusters};
use warren_registry::Registry;
use warren_registry::definition::Definition;
use warren_registry::reserve::Reserve;
use warren_syncer::{Binding, Bindings, service};

use crate::bindings::BindingTable;
use crate::fleet::Fleet;

/// See the module.
pub(crate) struct HostAddresses {
    pub(crate) fleet: Weak<Fleet>,
    pub(crate) bindings: Arc<BindingTable>,
}

impl HostAddresses {
    fn host(&self, registry: &Registry) -> Option<(Arc<dyn Cluster>, Arc<Binding>)> {
        let binding = self.bindings.of_virtual(registry.store().cluster())?;
        let host = self
            .fleet
            .upgrade()?
            .cluster(&binding.host_cluster, "warren-syncer")?;
        Some((host, binding))
    }
}

#[async_trait]
impl Reserve for HostAddresses {
    fn concerns(&self, definition: &Definition) -> bool {
        resource::SERVICES.is(&definition.storage)
    }

    async fn reserve(
        &self,
        registry: &Registry,
        _: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status> {
        let Some((host, binding)) = self.host(registry) else {
            let name = object.text("/metadata/name");
            let why = format!("service {name:?} cannot be changed now: the host cluster is not known");
            return Err(Status::new(StatusReason::ServiceUnavailable, why));
        };
        if !binding.spec.sync.to_host.services.enabled {
            return Ok(());
        }
        service::reserve(host.as_ref(), &binding, object, old, dry_run).await
    }

    async fn undo(&self, registry: &Registry, _: &Definition, object: &Value, old: Option<&Value>) {
        if let Some((host, binding)) = self.host(registry) {
            service::undo(host.as_ref(), &binding, object, old).await;
        }
    }

    /// The rule of services removes the host Service.
    async fn release(&self, _: &Registry, _: &Definition, _: &Value, _: Option<&Value>) {}
}

//! A virtual cluster's Services get their addresses from the host.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, StatusReason, resource};
use warren_reconciler::{Cluster, Clusters};
use warren_registry::Registry;
use warren_registry::definition::Definition;
use warren_registry::reserve::{Cidr, Reserve, foresee, service as rules};
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

    /// The ranges that the host's addresses come from; none where it does not say.
    fn ranges(&self, registry: &Registry) -> Vec<Cidr> {
        let Some((host, binding)) = self.host(registry) else {
            return Vec::new();
        };
        if !binding.spec.sync.to_host.services.enabled {
            return Vec::new();
        }
        let said = host.get(&resource::SERVICE_CIDRS, &ObjectKey::cluster("kubernetes"));
        let said = said.map(|object| object.to_value()).unwrap_or_default();
        let ranges = said.items("/spec/cidrs").iter().filter_map(Value::as_str);
        ranges.filter_map(Cidr::parse).collect()
    }
}

#[async_trait]
impl Reserve for HostAddresses {
    fn concerns(&self, definition: &Definition) -> bool {
        resource::SERVICES.is(&definition.storage)
    }

    /// What the host would refuse is refused here, where it can be known, in the words of one cluster.
    async fn begin(
        &self,
        registry: &Registry,
        _: &Definition,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<(), Status> {
        let ranges = self.ranges(registry);
        if !ranges.is_empty() {
            return foresee(&ranges, object, old, dry_run);
        }
        rules::normalize(object, old);
        rules::default_families(object, old);
        Ok(())
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

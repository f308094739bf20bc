//! The life of a virtual cluster, driven by its `VirtualCluster` object on the host.
//!
//! Level-triggered: a pass brings the fleet and the host to what the object says, whatever happened before.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Object, ObjectKey, Resource, StatusReason, resource};
use warren_config::{Phase, VirtualCluster};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, Next, Part, ReconcileError, Reconciler, Triggers};
use warren_syncer::{Binding, Bindings};
use warren_translate::Tenant as Names;

use crate::bindings::BindingTable;
use crate::error::FleetError;
use crate::fleet::{Fleet, Nature, Port};
use crate::host::HOST;
use crate::tenant::Tenant;

mod host_objects;
mod start;
mod status;

pub(crate) use start::{ApiAddress, correct, first_objects, restore};

const EVENTS: Recorder = Recorder { component: "warren" };
/// Keeps the object until the fleet has let go of the cluster.
const FINALIZER: &str = "warren.dev/virtual-cluster";

/// The name in the fleet of the virtual cluster that an object asks for.
pub fn cluster_id(key: &ObjectKey) -> ClusterId {
    ClusterId::new(key.to_string())
}

/// The reconciler of `VirtualCluster` objects. Runs on host clusters only.
pub(crate) struct VirtualClusters {
    pub(crate) fleet: Weak<Fleet>,
    pub(crate) bindings: Arc<BindingTable>,
}

#[async_trait]
impl Reconciler for VirtualClusters {
    fn name(&self) -> &'static str {
        "virtual-cluster"
    }

    fn actor(&self) -> &'static str {
        "warren"
    }

    fn watches(&self) -> &'static [Resource] {
        const WATCHES: &[Resource] = &[resource::VIRTUAL_CLUSTERS, resource::SECRETS, resource::SERVICES];
        WATCHES
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        if resource::VIRTUAL_CLUSTERS.is(&change.resource) {
            return out.add(change.object.key());
        }
        let owner = change
            .object
            .meta()
            .owners
            .iter()
            .find(|owner| owner.kind == warren_config::KIND);
        if let Some(owner) = owner.filter(|_| change.deleted || change.previous.is_some()) {
            out.add(ObjectKey::namespaced(
                change.object.meta().namespace.clone(),
                owner.name.clone(),
            ));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&resource::VIRTUAL_CLUSTERS, key) else {
            return Ok(Next::Wait);
        };
        if object.meta().deleting {
            return self.end(cx, key, &object).await;
        }
        if !object
            .meta()
            .finalizers
            .iter()
            .any(|finalizer| finalizer == FINALIZER)
        {
            let mut finalizers: Vec<&str> = object.meta().finalizers.iter().map(|f| f.as_str()).collect();
            finalizers.push(FINALIZER);
            let patch = json!({"metadata": {"finalizers": finalizers,
                "resourceVersion": object.meta().revision.to_string()}});
            cx.cluster
                .merge_patch(&resource::VIRTUAL_CLUSTERS, key, Part::Main, patch)
                .await?;
        }
        let value = object.to_value();
        match VirtualCluster::read(&value) {
            Err(error) => {
                status::report(
                    cx,
                    &value,
                    Phase::Failed,
                    &[status::config_invalid(&error.to_string())],
                )
                .await?;
                Ok(Next::Wait)
            }
            Ok(wanted) => self.live(cx, &object, &value, wanted).await,
        }
    }
}

impl VirtualClusters {
    async fn live(
        &self,
        cx: &Context,
        object: &Object,
        value: &Value,
        wanted: VirtualCluster,
    ) -> Result<Next, ReconcileError> {
        let id = cluster_id(&wanted.key);
        let service_ip = host_objects::service(cx, &wanted).await?;
        let names = Names::new(wanted.key.name.clone(), wanted.key.namespace.clone());
        let mut binding = Binding {
            virtual_cluster: id.clone(),
            host_cluster: cx.cluster.id().clone(),
            tenant: names,
            spec: Arc::new(wanted.spec.clone()),
            owner: Some(host_objects::owner(&wanted)),
            api: service_ip.clone().map(|ip| (ip, 443)),
        };
        // The binding comes first: the cluster's own first writes need it.
        self.bindings.put(binding.clone());
        let started = self.start(&wanted, &id, service_ip.as_deref()).await;
        let tenant = match started {
            Ok(tenant) => tenant,
            Err(error) => return self.failed(cx, object, value, &error).await,
        };
        let Some(listener) = tenant.listener() else {
            return Ok(Next::Wait);
        };
        if binding.api.is_none() {
            binding.api = Some((listener.address().ip().to_string(), listener.address().port()));
            self.bindings.put(binding);
        }
        let server = wanted
            .spec
            .export_kube_config
            .server
            .clone()
            .unwrap_or_else(|| format!("https://{}", listener.address()));
        host_objects::kubeconfig_secret(cx, &wanted, &tenant, &server).await?;
        status::report(cx, value, Phase::Ready, &status::ready(&server, &wanted.key.name)).await?;
        Ok(Next::Wait)
    }

    async fn start(
        &self,
        wanted: &VirtualCluster,
        id: &ClusterId,
        service_ip: Option<&str>,
    ) -> Result<Arc<Tenant>, FleetError> {
        let nature = Nature {
            reserve: Arc::new(crate::service_address::HostAddresses {
                fleet: Weak::clone(&self.fleet),
                bindings: Arc::clone(&self.bindings),
            }),
            tunnel: Arc::new(crate::tunnel::ToHost {
                fleet: Weak::clone(&self.fleet),
                bindings: Arc::clone(&self.bindings),
            }),
            is_host: false,
        };
        let fleet = self
            .fleet
            .upgrade()
            .ok_or_else(|| FleetError::NoCluster(id.clone()))?;
        let (tenant, _) = fleet.load_or_make(id, nature).await?;
        let address = service_ip.and_then(|ip| ip.parse().ok());
        first_objects(&tenant, ApiAddress::OfHost(address)).await?;
        let port = match (wanted.spec.control_plane.proxy.port, last_port(wanted)) {
            (Some(port), _) if port != 0 => Port::Exactly(port),
            (_, Some(port)) => Port::Rather(port),
            _ => Port::Any,
        };
        let mut names = wanted.spec.control_plane.proxy.extra_sans.clone();
        names.extend(service_ip.map(str::to_owned));
        names.push(wanted.key.name.to_string());
        names.push(format!("{}.{}", wanted.key.name, wanted.key.namespace));
        names.push(format!("{}.{}.svc", wanted.key.name, wanted.key.namespace));
        let is_new = tenant.listener().is_none();
        fleet.listen(&tenant, port, &names).await?;
        if is_new {
            fleet.woke(id);
        }
        Ok(tenant)
    }

    async fn failed(
        &self,
        cx: &Context,
        object: &Object,
        value: &Value,
        error: &FleetError,
    ) -> Result<Next, ReconcileError> {
        let message = chain(error);
        status::report(
            cx,
            value,
            Phase::Failed,
            &[status::not_ready("StartFailed", &message)],
        )
        .await?;
        EVENTS
            .about(cx, &resource::VIRTUAL_CLUSTERS, object)
            .warning("StartFailed", message.clone())
            .await;
        Err(ReconcileError::Retry(message))
    }

    /// The cluster goes first, then the finalizer; the host's garbage collector takes what the object owned.
    async fn end(&self, cx: &Context, key: &ObjectKey, object: &Object) -> Result<Next, ReconcileError> {
        if !object
            .meta()
            .finalizers
            .iter()
            .any(|finalizer| finalizer == FINALIZER)
        {
            return Ok(Next::Wait);
        }
        let value = object.to_value();
        status::report(
            cx,
            &value,
            Phase::Terminating,
            &[status::not_ready("Deleting", "the cluster is being removed")],
        )
        .await?;
        let id = cluster_id(key);
        let Some(fleet) = self.fleet.upgrade() else {
            return Ok(Next::Wait);
        };
        fleet.forget(&id);
        fleet
            .remove(&id)
            .await
            .map_err(|error| ReconcileError::Retry(chain(&error)))?;
        // Only now: while the cluster was there, the syncer would have made them anew.
        if let Some(binding) = self.bindings.of_virtual(&id) {
            warren_syncer::remove_storage_classes(cx.cluster.as_ref(), &binding).await?;
        }
        self.bindings.remove(&id);
        let left: Vec<&str> = object
            .meta()
            .finalizers
            .iter()
            .map(|f| f.as_str())
            .filter(|f| *f != FINALIZER)
            .collect();
        let patch = json!({"metadata": {"finalizers": left}});
        match cx
            .cluster
            .merge_patch(&resource::VIRTUAL_CLUSTERS, key, Part::Main, patch)
            .await
        {
            Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
            _ => Ok(Next::Wait),
        }
    }
}

/// The port of the last time, so that kubeconfigs that were handed out stay good.
fn last_port(wanted: &VirtualCluster) -> Option<u16> {
    wanted.status.endpoint.rsplit(':').next()?.parse().ok()
}

/// An error with its causes, for a condition: ours, without anybody's secrets.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Whether a cluster of the fleet is a host.
pub(crate) fn is_host(id: &ClusterId) -> bool {
    id.as_str() == HOST
}

/// The time, as objects carry it.
fn text(now: Timestamp) -> String {
    warren_apimachinery::time::format(now)
}

/// Whether a patch would change anything of `value`.
fn changes(value: &Value, patch: &Value) -> bool {
    match (value, patch) {
        (Value::Object(_), Value::Object(patch)) => patch
            .iter()
            .any(|(key, wanted)| changes(value.field(key), wanted)),
        (value, patch) => value != patch,
    }
}

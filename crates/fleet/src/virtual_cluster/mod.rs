//! The life of a virtual cluster, driven by its `VirtualCluster` object on the host.
//!
//! Level-triggered: a pass brings the fleet and the host to what the object says, whatever happened before.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::{ClusterId, Object, ObjectKey, Resource, resource};
use warren_config::{Phase, Proxy, VirtualCluster};
use warren_reconciler::event::Recorder;
use warren_reconciler::{
    Change, Cluster, Clusters, Context, Next, Part, ReconcileError, Reconciler, Triggers,
};
use warren_syncer::{Binding, Bindings};
use warren_translate::MANAGED_BY;

use crate::bindings::BindingTable;
use crate::error::FleetError;
use crate::fleet::{Fleet, Nature, Port};
use crate::host::HOST;
use crate::names;
use crate::tenant::Tenant;

use host_objects::{Place, Served, Whereabouts};
use rest::Rest;

mod address;
mod admission;
mod claim;
mod early;
mod end;
mod fixed;
pub(crate) mod host_objects;
mod kube_dns;
mod owner;
mod rest;
mod standard;
mod start;
mod status;

pub(crate) use owner::Owner;
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
    /// What owns the host objects of each virtual cluster.
    pub(crate) owner: Owner,
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
        const WATCHES: &[Resource] = &[
            resource::VIRTUAL_CLUSTERS,
            resource::SECRETS,
            resource::SERVICES,
            resource::ENDPOINT_SLICES,
            resource::SERVICE_ACCOUNTS,
            resource::RESOURCE_QUOTAS,
            resource::LIMIT_RANGES,
            resource::NETWORK_POLICIES,
            resource::INGRESSES,
        ];
        WATCHES
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let meta = change.object.meta();
        if resource::VIRTUAL_CLUSTERS.is(&change.resource) {
            return out.add(change.object.key());
        }
        // The syncer's objects have the same owner: theirs carry an identity, ours the name alone.
        let changed = change.deleted || change.previous.is_some();
        let Some(name) = meta
            .label(MANAGED_BY)
            .filter(|_| changed && !has_identity(&change.object))
        else {
            return;
        };
        let namespace = meta.label(host_objects::FROM).unwrap_or(&meta.namespace);
        out.add(ObjectKey::namespaced(namespace, name));
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(object) = cx.cluster.get(&resource::VIRTUAL_CLUSTERS, key) else {
            self.forsaken(key).await;
            return Ok(Next::Wait);
        };
        let Some(fleet) = self.fleet.upgrade() else {
            return Ok(Next::Wait);
        };
        let deleting = object.meta().deleting;
        // What is known from the last time says nothing of whose the object is now.
        if !deleting && let Some(next) = self.early(&object).await? {
            return Ok(next);
        }
        if !self.is_ours(cx, &fleet, &object).await? {
            return Ok(Next::Wait);
        }
        if deleting {
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
        let fleet = self.fleet.upgrade().ok_or_else(|| gone(&id))?;
        let before = self.bindings.of_virtual(&id);
        let changed = before.and_then(|before| fixed::changed(&before.spec, &wanted.spec));
        let nonsense = admission::settings(&wanted.spec).err();
        let changed = changed.or(nonsense.as_deref());
        let confined = fleet.remote_host().and_then(|host| host.namespace());
        if let Some(why) = changed.or_else(|| fixed::beyond(confined, &wanted.spec)) {
            // It goes on as it was.
            let phase = wanted.status.phase.unwrap_or(Phase::Failed);
            status::report(cx, value, phase, &[status::config_invalid(why)]).await?;
            return Ok(Next::Wait);
        }
        let owner = self.owner.reference(cx.cluster.as_ref(), &wanted).await?;
        let place = Place {
            host: cx.cluster.as_ref(),
            wanted: &wanted,
            owner: &owner,
        };
        let (service_ip, dns_ip) =
            tokio::try_join!(host_objects::service(&place), host_objects::dns_service(&place))?;
        host_objects::account(&place).await?;
        let rest = self.rest(cx, value, &wanted, &id);
        let mut spec = wanted.spec.clone();
        spec.paused = rest.holds_pods();
        let mut binding = Binding {
            virtual_cluster: id.clone(),
            host_cluster: cx.cluster.id().clone(),
            tenant: warren_syncer::names(&wanted.key.name, &wanted.key.namespace, &wanted.spec),
            spec: Arc::new(spec),
            owner: Some(owner.clone()),
            api: service_ip.clone().map(|ip| (ip, 443)),
            dns: dns_ip.map(SmolStr::from),
        };
        // Also the first one: the cluster may have been served before its host was there.
        let is_other = self.bindings.of_virtual(&id).is_none_or(|old| {
            old.spec != binding.spec || old.owner != binding.owner || old.dns != binding.dns
        });
        // The binding comes first: the cluster's own first writes need it.
        self.bindings.put(binding.clone());
        let started = self.start(&fleet, &wanted, &binding).await;
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
        if is_other {
            // Everything in it is looked at by the new configuration.
            fleet.woke(&id);
        }
        let served = Serving {
            fleet: &fleet,
            tenant: &tenant,
            listener: listener.address(),
        };
        let server = surround(cx, &place, object, &served).await?;
        let mut facts = status::ready(&server, listener.address().port(), &wanted.key.name);
        facts.push(status::config_valid(&wanted.ignored));
        facts.push(rest.fact());
        facts.push(status::dns(tenant.dns()));
        status::report(cx, value, rest.phase(), &facts).await?;
        self.remember(object).await?;
        Ok(rest.look_again().map_or(Next::Wait, Next::After))
    }

    /// Where the virtual cluster is between working and resting. One that was never paused costs no look at its pods.
    fn rest(&self, cx: &Context, value: &Value, wanted: &VirtualCluster, id: &ClusterId) -> Rest {
        let was = rest::is_told(value);
        if !wanted.spec.paused && !was {
            return Rest::Working;
        }
        let pods = rest::host_pods(cx.cluster.as_ref(), self.bindings.as_ref(), id);
        Rest::of(wanted.spec.paused, was, pods)
    }

    async fn start(
        &self,
        fleet: &Arc<Fleet>,
        wanted: &VirtualCluster,
        binding: &Binding,
    ) -> Result<Arc<Tenant>, FleetError> {
        let id = &binding.virtual_cluster;
        // An address of the host's network, or none as yet.
        let service_ip = binding.api.as_ref().map(|(ip, _)| ip.as_str());
        let nature = Nature::of_virtual(fleet, &self.bindings);
        let (tenant, _) = fleet.load_or_make(id, nature).await?;
        standard::enforce(&tenant, &wanted.spec);
        admission::apply(fleet, &tenant, &wanted.spec);
        let ip = service_ip.and_then(|ip| ip.parse().ok());
        first_objects(&tenant, ApiAddress::OfHost(ip)).await?;
        self.names(fleet, &tenant, wanted, binding).await?;
        let names = address::names(fleet.options(), wanted, service_ip);
        let is_new = tenant.listener().is_none();
        fleet.listen(&tenant, port(wanted), &names).await?;
        if is_new {
            fleet.woke(id);
        }
        Ok(tenant)
    }

    /// The cluster's name server, and the Service that shows it.
    async fn names(
        &self,
        fleet: &Arc<Fleet>,
        tenant: &Arc<Tenant>,
        wanted: &VirtualCluster,
        binding: &Binding,
    ) -> Result<(), FleetError> {
        names::serve(fleet, tenant, wanted).await?;
        let Some(cluster) = fleet.cluster(tenant.id(), "warren") else {
            return Err(FleetError::NoCluster(tenant.id().clone()));
        };
        let address = binding.dns.as_ref().and_then(|ip| ip.parse().ok());
        let asked = &wanted.spec.control_plane.coredns.service;
        kube_dns::keep(cluster.as_ref(), address, asked)
            .await
            .map_err(|source| FleetError::Bootstrap {
                cluster: tenant.id().clone(),
                source,
            })
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
}

fn port(wanted: &VirtualCluster) -> Port {
    match (wanted.spec.control_plane.proxy.port, last_port(wanted)) {
        (Some(Proxy::DEFAULT_PORT), last) => Port::Rather(last.unwrap_or(Proxy::DEFAULT_PORT)),
        (Some(port), _) if port != 0 => Port::Exactly(port),
        (_, Some(port)) => Port::Rather(port),
        _ => Port::Any,
    }
}

/// The port of the last time, so that kubeconfigs that were handed out stay good.
fn last_port(wanted: &VirtualCluster) -> Option<u16> {
    let of_old = || wanted.status.endpoint.rsplit(':').next()?.parse().ok();
    wanted.status.port.or_else(of_old)
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

/// A cluster that is served.
struct Serving<'a> {
    fleet: &'a Arc<Fleet>,
    tenant: &'a Tenant,
    listener: SocketAddr,
}

/// Keeps what stands beside a cluster that is served. Answers where clients reach it.
async fn surround(
    cx: &Context,
    place: &Place<'_>,
    object: &Object,
    serving: &Serving<'_>,
) -> Result<String, ReconcileError> {
    let (options, port) = (serving.fleet.options(), serving.listener.port());
    let dns = serving.tenant.dns().map(|address| address.port());
    host_objects::dns_endpoints(place, options.advertise, dns).await?;
    let api = host_objects::Port {
        name: "https",
        protocol: "TCP",
        target: port,
    };
    if place.wanted.spec.control_plane.service.enabled {
        host_objects::endpoints(place, &place.wanted.key.name, options.advertise, &[api]).await?;
    }
    host_objects::ingress(place).await?;
    let warren = Whereabouts {
        home: options.home.clone(),
        address: options.advertise.filter(|address| !address.is_loopback()),
        ports: own_ports(port, dns),
    };
    let mut taken: Vec<String> = host_objects::quota(place).await?;
    taken.extend(host_objects::network_policies(place, &warren).await?);
    if !taken.is_empty() {
        let why = format!(
            "these are there already and not of this virtual cluster: {}",
            taken.join(", ")
        );
        EVENTS
            .about(cx, &resource::VIRTUAL_CLUSTERS, object)
            .warning("NameTaken", why)
            .await;
    }
    let front_door = serving.fleet.front_door();
    let server = address::server(options, front_door, place.wanted, serving.listener);
    let id = serving.tenant.id();
    let served = Served {
        tenant: serving.tenant,
        cluster: serving.fleet.cluster(id, "warren").ok_or_else(|| gone(id))?,
        server: &server,
        now: cx.now,
    };
    host_objects::secrets(place, &served).await?;
    let said = place.wanted.spec.export_kube_config.server.clone();
    Ok(said.filter(|server| !server.is_empty()).unwrap_or(server))
}

/// The ports of a virtual cluster that its pods may always reach.
fn own_ports(api: u16, dns: Option<u16>) -> Vec<(u16, &'static str)> {
    let dns = dns.into_iter().flat_map(|port| [(port, "UDP"), (port, "TCP")]);
    std::iter::once((api, "TCP")).chain(dns).collect()
}

fn gone(id: &ClusterId) -> ReconcileError {
    ReconcileError::Retry(FleetError::NoCluster(id.clone()).to_string())
}

/// Whether a host object stands for one of a virtual cluster's.
fn has_identity(object: &Object) -> bool {
    object.meta().label(warren_translate::NAMESPACE).is_some()
}

//! Where exec, logs, port-forwards and proxied requests go: from a virtual cluster to the host object that stands for the
//! tenant's, on a real host through its API, on the embedded one to the simulated node.
//!
//! The tenant's rights and admission were checked in the virtual cluster. Names are translated here; the bytes of a
//! stream are not understood.

mod answer;
mod kubelet;
mod pass;
mod proxied;
mod request;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use http::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, Status, StatusReason, resource};
use warren_apiserver::{Body, Connect, Tunnel};
use warren_reconciler::{Cluster, Clusters};
use warren_remote::RemoteCluster;
use warren_syncer::{Binding, Bindings, Counterpart};

use crate::bindings::BindingTable;
use crate::fleet::Fleet;
use pass::{Call, Kind};

/// Streams and proxied requests of one virtual cluster at once. Each holds two connections and their buffers.
const STREAMS: usize = 512;

/// Hands what a tenant asks of a pod, a service or a node to the host. One per virtual cluster.
pub(crate) struct ToHost {
    fleet: Weak<Fleet>,
    bindings: Arc<BindingTable>,
    streams: Arc<Semaphore>,
}

/// Both sides of one request, and its place among the tenant's streams.
struct Way {
    fleet: Arc<Fleet>,
    binding: Arc<Binding>,
    host: Arc<dyn Cluster>,
    place: OwnedSemaphorePermit,
}

impl ToHost {
    pub(crate) fn new(fleet: Weak<Fleet>, bindings: Arc<BindingTable>) -> Self {
        Self {
            fleet,
            bindings,
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    fn way(&self, connect: &Connect) -> Result<Way, Status> {
        let gone = || unavailable("the host cluster is not known now");
        let binding = self.bindings.of_virtual(&connect.cluster).ok_or_else(gone)?;
        let fleet = self.fleet.upgrade().ok_or_else(gone)?;
        let host = fleet
            .cluster(&binding.host_cluster, "warren-streams")
            .ok_or_else(gone)?;
        let place = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let why =
                format!("{STREAMS} streams of this virtual cluster are open, which is the most there may be");
            Status::too_many_requests(why, 1)
        })?;
        Ok(Way {
            fleet,
            binding,
            host,
            place,
        })
    }
}

#[async_trait]
impl Tunnel for ToHost {
    async fn connect(&self, connect: Connect) -> Result<Response<Body>, Status> {
        let way = self.way(&connect)?;
        if resource::NODES.is(&connect.resource) {
            return kubelet::answer(way, connect).await;
        }
        let resource = [resource::PODS, resource::SERVICES]
            .into_iter()
            .find(|resource| resource.is(&connect.resource))
            .ok_or_else(|| {
                let Connect {
                    resource,
                    subresource,
                    ..
                } = &connect;
                Status::bad_request(format!(
                    "{subresource} of {resource} is not supported in a virtual cluster"
                ))
            })?;
        way.object(&resource, connect).await
    }
}

impl Way {
    /// To the host object that stands for the tenant's.
    async fn object(self, resource: &Resource, mut connect: Connect) -> Result<Response<Body>, Status> {
        let Connect { key, object, .. } = &connect;
        let counterpart = Counterpart::find(&self.binding, self.host.as_ref(), resource, object);
        let counterpart = counterpart.ok_or_else(|| {
            let kind = resource.kind.to_lowercase();
            unavailable(format!("{kind} {} is not on the host cluster yet", key.name))
        })?;
        if resource::PODS.is(&connect.resource) {
            assigned(&connect, &counterpart)?;
        } else if object.to_value().at("/spec/selector").is_null() {
            // Its endpoints are whatever addresses the tenant wrote, seen from where the host's API is.
            return Err(Status::forbidden(
                &connect.resource,
                &key.name,
                "a service without a selector cannot be reached through the host's API server",
            ));
        }
        let Some(remote) = self.fleet.remote_host().cloned() else {
            return self.embedded(connect, &counterpart).await;
        };
        let call = Call::of(resource, &connect, &counterpart)?;
        if call.kind == Kind::Stream && !connect.wants_upgrade() {
            return Err(Status::bad_request("Upgrade request required"));
        }
        connect.object = Arc::clone(&counterpart.object);
        pass::on(&remote, connect, call, self.place).await
    }

    /// To the tunnel of the host's own API, in this process.
    async fn embedded(
        self,
        mut connect: Connect,
        counterpart: &Counterpart,
    ) -> Result<Response<Body>, Status> {
        let host = self.fleet.tenant(&self.binding.host_cluster);
        let host = host.ok_or_else(|| unavailable("the host cluster is not known now"))?;
        connect.cluster = self.binding.host_cluster.clone();
        connect.key = counterpart.host_key();
        connect.object = Arc::clone(&counterpart.object);
        host.api().tunnel().connect(connect).await
    }

    fn remote(&self) -> Option<RemoteCluster> {
        self.fleet.remote_host().cloned()
    }
}

/// The host would say it of the host pod.
fn assigned(connect: &Connect, counterpart: &Counterpart) -> Result<(), Status> {
    if counterpart.object.to_value().text("/spec/nodeName").is_empty() {
        let why = format!("pod {} does not have a host assigned", connect.key.name);
        return Err(Status::bad_request(why));
    }
    Ok(())
}

fn unavailable(why: impl Into<String>) -> Status {
    Status::new(StatusReason::ServiceUnavailable, why)
}

/// Answers for the simulated node that a pod of the embedded host is on.
pub(crate) struct ToNode;

#[async_trait]
impl Tunnel for ToNode {
    async fn connect(&self, connect: Connect) -> Result<Response<Body>, Status> {
        let Connect {
            key: ObjectKey { name, .. },
            resource,
            subresource,
            ..
        } = &connect;
        if !resource::PODS.is(resource) {
            // Without the name, which is the host's where a tenant asked.
            let why =
                format!("warren: the nodes are simulated: nothing answers to {subresource} of {resource}");
            return Err(unavailable(why));
        }
        if connect.object.to_value().text("/spec/nodeName").is_empty() {
            return Err(Status::bad_request(format!(
                "pod {name} does not have a host assigned"
            )));
        }
        crate::simulated::answer(connect)
    }
}

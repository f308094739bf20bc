//! Where exec, logs and port-forwards go: from a virtual cluster to its host pod, on the embedded host to the
//! simulated node.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use http::Response;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, resource};
use warren_apiserver::{Body, Connect, Tunnel};
use warren_syncer::Bindings;
use warren_translate::Virtual;

use crate::bindings::BindingTable;
use crate::fleet::Fleet;

/// Hands a virtual pod's stream to its host pod. The caller's rights were checked in the virtual cluster.
pub(crate) struct ToHost {
    pub(crate) fleet: Weak<Fleet>,
    pub(crate) bindings: Arc<BindingTable>,
}

#[async_trait]
impl Tunnel for ToHost {
    async fn connect(&self, mut connect: Connect) -> Result<Response<Body>, Status> {
        let not_there = || {
            let why = format!("pod {} has no host pod", connect.key.name);
            Status::new(warren_apimachinery::StatusReason::ServiceUnavailable, why)
        };
        if !resource::PODS.is(&connect.resource) {
            let what = &connect.resource;
            return Err(Status::bad_request(format!(
                "{} of {what} is not supported in a virtual cluster",
                connect.subresource
            )));
        }
        let binding = self.bindings.of_virtual(&connect.cluster).ok_or_else(not_there)?;
        let fleet = self.fleet.upgrade().ok_or_else(not_there)?;
        let host = fleet.tenant(&binding.host_cluster).ok_or_else(not_there)?;
        let key = binding
            .tenant
            .host_key(&resource::PODS, &Virtual(connect.key.clone()))
            .0;
        let pods = resource::PODS.group_resource();
        let object = host
            .store()
            .snapshot()
            .get(&pods, &key)
            .cloned()
            .ok_or_else(not_there)?;
        if object.to_value().text("/spec/nodeName").is_empty() {
            // The host would say it of the host pod.
            let why = format!("pod {} does not have a host assigned", connect.key.name);
            return Err(Status::bad_request(why));
        }
        connect.cluster = binding.host_cluster.clone();
        connect.key = key;
        connect.object = object;
        host.api().tunnel().connect(connect).await
    }
}

/// Answers for the simulated node that a pod of the embedded host is on.
pub(crate) struct ToNode;

#[async_trait]
impl Tunnel for ToNode {
    async fn connect(&self, connect: Connect) -> Result<Response<Body>, Status> {
        let pod = connect.object.to_value();
        let node = pod.text("/spec/nodeName");
        if node.is_empty() {
            let ObjectKey { name, .. } = &connect.key;
            return Err(Status::bad_request(format!(
                "pod {name} does not have a host assigned"
            )));
        }
        crate::simulated::answer(connect).await
    }
}

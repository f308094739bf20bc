//! The host Service that leads to a virtual cluster's API: port 443 under the cluster's name.
//!
//! Warren's pod is in another namespace, so the Service selects nothing: its EndpointSlice is written here.

use std::net::IpAddr;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason, resource};
use warren_config::VirtualCluster;

use super::{Kept, Place};

/// A port of a Service of ours, and where it leads.
pub(crate) struct Port {
    /// Its name in the Service.
    pub(crate) name: &'static str,
    /// `TCP` or `UDP`.
    pub(crate) protocol: &'static str,
    /// The port that Warren listens on.
    pub(crate) target: u16,
}

/// Keeps the Service, and answers its cluster IP. `None` where it is not wanted, has no address, or its name is taken:
/// the virtual cluster then has no address on the host's network.
pub(crate) async fn service(place: &Place<'_>) -> Result<Option<String>, Status> {
    let wanted = place.wanted;
    if !wanted.spec.control_plane.service.enabled {
        place.drop(&resource::SERVICES, &wanted.key.name).await?;
        return Ok(None);
    }
    let kept = place
        .keep(&resource::SERVICES, object(place), &["/spec/selector"])
        .await;
    let service = match kept {
        Ok(Kept::Ours(service)) => service,
        Ok(Kept::Foreign) => return Ok(None),
        Err(status) if status.is(StatusReason::Invalid) => {
            tracing::warn!(cluster = %wanted.key, %status, "the host refused the service of the API");
            return Ok(None);
        }
        Err(status) => return Err(status),
    };
    let ip = service.to_value().text("/spec/clusterIP").to_owned();
    Ok((!ip.is_empty() && ip != "None").then_some(ip))
}

fn object(place: &Place<'_>) -> Value {
    let asked = &place.wanted.spec.control_plane.service;
    let mut spec = json!({"type": "ClusterIP"});
    if let (Some(spec), Some(said)) = (spec.as_object_mut(), asked.spec.as_object()) {
        spec.extend(said.clone());
        // It would lead elsewhere than to Warren.
        spec.remove("selector");
    }
    if spec.at("/ports").is_null() {
        let mut port = json!({"name": "https", "port": 443, "protocol": "TCP"});
        if asked.https_node_port != 0 && spec.text("/type") != "ClusterIP" {
            port.set("/nodePort", asked.https_node_port);
        }
        spec.set("/ports", json!([port]));
    }
    json!({"apiVersion": "v1", "kind": "Service", "spec": spec,
        "metadata": place.metadata(&place.wanted.key.name, &asked.labels, &asked.annotations)})
}

/// Keeps the EndpointSlice of a Service of ours: Warren at `address`. None is written where there is no address that
/// the host's pods can reach; the API refuses loopback ones.
pub(crate) async fn endpoints(
    place: &Place<'_>,
    service: &str,
    address: Option<IpAddr>,
    ports: &[Port],
) -> Result<(), Status> {
    let name = slice_name(service);
    let Some(address) = address.filter(|address| !address.is_loopback() && !address.is_unspecified()) else {
        return place.drop(&resource::ENDPOINT_SLICES, &name).await;
    };
    let labels = [
        ("kubernetes.io/service-name", service),
        ("endpointslice.kubernetes.io/managed-by", "warren.dev"),
    ];
    let labels = labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let ports: Vec<Value> = ports
        .iter()
        .map(|port| json!({"name": port.name, "protocol": port.protocol, "port": port.target}))
        .collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": place.metadata(&name, &labels, &Default::default()),
        "addressType": if address.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{"addresses": [address.to_string()], "conditions": {"ready": true}}],
        "ports": ports});
    if let Some(there) = place.host.get(
        &resource::ENDPOINT_SLICES,
        &warren_apimachinery::ObjectKey::namespaced(place.wanted.key.namespace.clone(), name.as_str()),
    ) && there.to_value().text("/addressType") != slice.text("/addressType")
    {
        // The family of a slice cannot change.
        place.drop(&resource::ENDPOINT_SLICES, &name).await?;
    }
    place.keep(&resource::ENDPOINT_SLICES, slice, &[]).await?;
    Ok(())
}

/// The names that lead to the Service inside the host cluster.
pub(crate) fn names(wanted: &VirtualCluster) -> [String; 4] {
    let (name, namespace) = (&wanted.key.name, &wanted.key.namespace);
    [
        name.to_string(),
        format!("{name}.{namespace}"),
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.cluster.local"),
    ]
}

fn slice_name(service: &str) -> String {
    format!("{service}-warren")
}

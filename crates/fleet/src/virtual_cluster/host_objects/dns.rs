//! The host Service that leads to a virtual cluster's name server: port 53 under the cluster's name and `-dns`.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason, resource};

use super::service::{Port, endpoints};
use super::{Kept, Place};

/// Keeps the Service, and answers its cluster IP. `None` where it is not wanted, has no address, or its name is taken:
/// the virtual cluster's pods then resolve names as the host's nodes do.
pub(crate) async fn dns_service(place: &Place<'_>) -> Result<Option<String>, Status> {
    let name = name(place);
    if !place.wanted.spec.control_plane.coredns.enabled {
        place.drop(&resource::SERVICES, &name).await?;
        return Ok(None);
    }
    let service = match place
        .keep(&resource::SERVICES, object(place, &name), &["/spec/selector"])
        .await
    {
        Ok(Kept::Ours(service)) => service,
        Ok(Kept::Foreign) => {
            tracing::warn!(cluster = %place.wanted.key, "the name of the service for DNS is taken");
            return Ok(None);
        }
        Err(status) if status.is(StatusReason::Invalid) || status.is(StatusReason::Forbidden) => {
            tracing::warn!(cluster = %place.wanted.key, %status, "the host refused the service for DNS");
            return Ok(None);
        }
        Err(status) => return Err(status),
    };
    let ip = service.to_value().text("/spec/clusterIP").to_owned();
    Ok((!ip.is_empty() && ip != "None").then_some(ip))
}

/// Keeps its EndpointSlice: the name server at `port`, or none where there is none.
pub(crate) async fn dns_endpoints(
    place: &Place<'_>,
    address: Option<std::net::IpAddr>,
    port: Option<u16>,
) -> Result<(), Status> {
    let target = port.unwrap_or_default();
    let ports = [("dns", "UDP"), ("dns-tcp", "TCP")].map(|(name, protocol)| Port {
        name,
        protocol,
        target,
    });
    endpoints(place, &name(place), address.filter(|_| port.is_some()), &ports).await
}

/// Beside the Service of the API, which has the cluster's name alone.
fn name(place: &Place<'_>) -> String {
    format!("{}-dns", place.wanted.key.name)
}

fn object(place: &Place<'_>, name: &str) -> Value {
    let asked = &place.wanted.spec.control_plane.coredns.service;
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": place.metadata(name, &asked.labels, &asked.annotations),
        "spec": {"type": "ClusterIP", "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}})
}

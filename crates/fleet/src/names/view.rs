//! A cluster's store as its name server sees it: the root that is visible at the moment of the query.
//!
//! There is no index by address: such queries are rare, and a look at the bytes of all Services finds the one that is
//! meant faster than an index could be kept.

use std::net::IpAddr;
use std::sync::Arc;

use memchr::memmem;
use serde::Deserialize;
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_dns::{Endpoint, Port, Reach, Service, ServiceName, Slice, View};
use warren_storage::Snapshot;

use crate::tenant::Tenant;

/// The label of a slice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// See the module.
pub(super) struct StoreView(Snapshot);

impl StoreView {
    /// The cluster now.
    pub(super) fn of(tenant: &Tenant) -> Box<dyn View> {
        Box::new(Self(tenant.store().snapshot()))
    }

    /// The objects whose bytes hold an address.
    fn holding(&self, resource: &Resource, address: IpAddr) -> Vec<Arc<Object>> {
        let text = format!("\"{address}\"");
        let finder = memmem::Finder::new(text.as_bytes());
        let all = self.0.list(&resource.group_resource(), None);
        all.filter(|object| finder.find(&object.bytes()).is_some())
            .cloned()
            .collect()
    }
}

impl View for StoreView {
    fn namespace(&self, name: &str) -> bool {
        let key = ObjectKey::cluster(name);
        self.0.get(&resource::NAMESPACES.group_resource(), &key).is_some()
    }

    fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        let key = ObjectKey::namespaced(namespace, name);
        let object = self.0.get(&resource::SERVICES.group_resource(), &key)?;
        Some(service(object.view().ok()?))
    }

    fn endpoints(&self, namespace: &str, service: &str) -> Vec<Slice> {
        let all = self
            .0
            .list(&resource::ENDPOINT_SLICES.group_resource(), Some(namespace));
        all.filter(|object| object.meta().label(SERVICE_NAME) == Some(service))
            .filter_map(|object| object.view().ok().map(slice))
            .collect()
    }

    fn service_at(&self, address: IpAddr) -> Option<ServiceName> {
        let found = self.holding(&resource::SERVICES, address);
        let has = |object: &&Arc<Object>| {
            let read = object.view().ok().map(service);
            read.is_some_and(
                |service| matches!(service.reach, Reach::Addresses(all) if all.contains(&address)),
            )
        };
        let found = found.iter().find(has)?;
        Some(named(found, &found.meta().name))
    }

    fn endpoints_at(&self, address: IpAddr) -> Vec<(ServiceName, Slice)> {
        let found = self.holding(&resource::ENDPOINT_SLICES, address);
        let read = |object: &Arc<Object>| {
            let service = object.meta().label(SERVICE_NAME)?;
            Some((named(object, service), slice(object.view().ok()?)))
        };
        found.iter().filter_map(read).collect()
    }
}

fn named(object: &Object, name: &str) -> ServiceName {
    ServiceName {
        namespace: object.meta().namespace.to_string(),
        name: name.to_owned(),
    }
}

/// As much of a Service as is read.
#[derive(Deserialize)]
struct ServiceObject {
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpec {
    r#type: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<String>,
    external_name: String,
    ports: Vec<PortObject>,
}

/// A port of either kind.
#[derive(Deserialize)]
struct PortObject {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u16>,
}

fn service(object: ServiceObject) -> Service {
    let spec = object.spec;
    let reach = if spec.r#type == "ExternalName" {
        Reach::External(spec.external_name)
    } else if spec.cluster_ip == "None" {
        Reach::Headless
    } else {
        let mut texts = spec.cluster_ips;
        if texts.is_empty() {
            texts.push(spec.cluster_ip);
        }
        Reach::Addresses(texts.iter().filter_map(|text| text.parse().ok()).collect())
    };
    Service {
        reach,
        ports: spec.ports.into_iter().map(port).collect(),
    }
}

fn port(port: PortObject) -> Port {
    Port {
        name: port.name.unwrap_or_default(),
        protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()),
        number: port.port,
    }
}

/// As much of an EndpointSlice as is read.
#[derive(Deserialize)]
struct SliceObject {
    #[serde(default)]
    ports: Option<Vec<PortObject>>,
    #[serde(default)]
    endpoints: Option<Vec<EndpointObject>>,
}

#[derive(Deserialize)]
struct EndpointObject {
    #[serde(default)]
    addresses: Vec<String>,
    hostname: Option<String>,
    #[serde(default)]
    conditions: Conditions,
}

#[derive(Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
}

fn slice(object: SliceObject) -> Slice {
    let ready = object.endpoints.into_iter().flatten();
    // What is not known to be unready counts as ready; a Service that publishes all has all of them ready.
    let ready = ready.filter(|endpoint| endpoint.conditions.ready.unwrap_or(true));
    Slice {
        ports: object.ports.into_iter().flatten().map(port).collect(),
        endpoints: ready
            .map(|endpoint| Endpoint {
                addresses: endpoint
                    .addresses
                    .iter()
                    .filter_map(|text| text.parse().ok())
                    .collect(),
                hostname: endpoint.hostname.filter(|hostname| !hostname.is_empty()),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_service(spec: Value) -> Service {
        service(serde_json::from_value(json!({"spec": spec})).unwrap())
    }

    #[test]
    fn a_service_is_read_in_all_its_forms() {
        let two = read_service(
            json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}]}),
        );
        let addresses = ["10.0.0.1", "fd00::1"].map(|text| text.parse().unwrap());
        assert_eq!(two.reach, Reach::Addresses(addresses.to_vec()));
        assert_eq!(two.ports.len(), 1);
        assert_eq!(read_service(json!({"clusterIP": "None"})).reach, Reach::Headless);
        assert_eq!(read_service(json!({})).reach, Reach::Addresses(Vec::new()));
        let outside = read_service(json!({"type": "ExternalName", "externalName": "a.example"}));
        assert_eq!(outside.reach, Reach::External("a.example".to_owned()));
    }

    #[test]
    fn endpoints_that_are_not_ready_are_left_out() {
        let read = slice(
            serde_json::from_value(json!({"addressType": "IPv4", "ports": null, "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "hostname": "db-0"},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                {"addresses": ["10.0.0.3"], "conditions": {}}, {"addresses": ["10.0.0.4"]}]}))
            .unwrap(),
        );
        let addresses: Vec<String> = read
            .endpoints
            .iter()
            .map(|e| e.addresses[0].to_string())
            .collect();
        assert_eq!(addresses, ["10.0.0.1", "10.0.0.3", "10.0.0.4"]);
        assert_eq!(read.endpoints[0].hostname.as_deref(), Some("db-0"));
    }
}

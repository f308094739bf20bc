//! What has to be known of a cluster to answer for its names. Whoever runs the server implements it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::settings::Settings;

/// A cluster at one moment: all answers of one view agree with each other. Names come in lower case.
pub trait View {
    /// Whether the namespace is there.
    fn namespace(&self, name: &str) -> bool;

    /// A Service.
    fn service(&self, namespace: &str, name: &str) -> Option<Service>;

    /// What stands behind a Service.
    fn endpoints(&self, namespace: &str, service: &str) -> Vec<Slice>;

    /// The Service that has this cluster IP.
    fn service_at(&self, address: IpAddr) -> Option<ServiceName>;

    /// The slices that hold this address, with the Services that they are of.
    fn endpoints_at(&self, address: IpAddr) -> Vec<(ServiceName, Slice)>;
}

/// Gives views. Asked anew for every query, so: quick.
pub trait Source: Send + Sync + 'static {
    /// How the cluster's names are answered now.
    fn settings(&self) -> Arc<Settings>;

    /// The cluster now; `None` when it is gone.
    fn view(&self) -> Option<Box<dyn View>>;

    /// The host now, where this process knows all of its services; elsewhere its own resolver is asked.
    fn host(&self) -> Option<Box<dyn View>>;

    /// Another virtual cluster of this process, by its host namespace and name.
    fn neighbour(&self, host_namespace: &str, name: &str) -> Option<Box<dyn View>>;
}

/// Which Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// As much of a Service as its records need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// How it is reached.
    pub reach: Reach,
    /// Its ports, in its order.
    pub ports: Vec<Port>,
}

/// How a Service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By cluster IPs; none while it waits for them.
    Addresses(Vec<IpAddr>),
    /// By those of its endpoints.
    Headless,
    /// It is another name for something outside.
    External(String),
}

/// A port of a Service or of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Its name, or nothing.
    pub name: String,
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The number; `None` in a slice that is of all ports.
    pub number: Option<u16>,
}

/// As much of an EndpointSlice as its records need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Its ports.
    pub ports: Vec<Port>,
    /// Its endpoints, those alone that are ready (or of which that is not known).
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is.
    pub addresses: Vec<IpAddr>,
    /// What it is called: the pod's hostname where its subdomain is the Service.
    pub hostname: Option<String>,
}

impl Endpoint {
    /// The label that an address of the endpoint has below its Service.
    pub(crate) fn label(&self, address: IpAddr) -> String {
        match &self.hostname {
            Some(hostname) => hostname.clone(),
            None => dashed(address),
        }
    }
}

/// An address as a label: `10-0-0-1`, `fd00--1`.
fn dashed(address: IpAddr) -> String {
    let text = address.to_string().replace(['.', ':'], "-");
    if text.ends_with('-') {
        return format!("{text}0");
    }
    text
}

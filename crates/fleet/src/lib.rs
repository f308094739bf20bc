//! The life of virtual clusters: create, load, serve, delete, route; the only crate that knows which
//! implementations run.

mod api_options;
mod api_services;
mod authority;
mod bindings;
mod certificate;
mod custom_resource_names;
mod custom_resources;
mod definition;
mod error;
mod feed;
mod fleet;
mod flow_control;
mod front_door;
mod health;
mod host;
mod installation;
mod kept;
mod keys;
mod listener;
mod mend;
mod metrics;
mod names;
mod one_cluster;
mod options;
mod policy_types;
mod real_host;
mod reconcilers;
mod rights;
mod serve;
mod served_definitions;
mod service_address;
mod simulated;
mod sweep;
mod template;
mod tenant;
mod tunnel;
mod up;
mod virtual_cluster;
mod webhook_services;

pub use api_options::{ApiOptions, AuditOptions};
pub use error::FleetError;
pub use fleet::Fleet;
pub use front_door::FrontDoor;
pub use host::{HOST, host_id};
pub use listener::Listener;
pub use one_cluster::OneCluster;
pub use options::Options;
pub use rights::{Asked, Place, Right, crossing_kinds, rights};
pub use serve::{HostOptions, OnHost, ServeError};
pub use tenant::Tenant;
pub use up::{Embedded, namespace_of, virtual_cluster_id};
pub use virtual_cluster::cluster_id;
pub use warren_access::{
    AdmissionConfiguration, AdmissionSettings, Anonymous, AuthenticationConfiguration, IssuerConfiguration,
    Mapping, Plugins, RequiredClaim, Username,
};
pub use warren_apiserver::{AuditPolicy, KUBERNETES_VERSION, Rotation};

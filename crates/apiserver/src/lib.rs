//! The HTTP edge of a cluster: routes, negotiation, watch streams, discovery, tunnels.
//!
//! Owns what is said in HTTP; the meaning of a write is the registry's, who may do it is access's. Holds no task and
//! no memory for a cluster that nobody talks to.
//!
//! Entry points: [`serve`] with a [`Route`], or [`ApiServer::handle`] for requests that come another way.

mod accept;
mod aggregation;
mod answer;
mod asked;
mod audit;
pub mod body;
mod cluster;
mod connect;
mod content;
mod create;
mod cx;
pub mod decoders;
mod delete;
mod discovery;
mod duration;
mod exposition;
mod fairness;
mod get;
mod gzip;
mod headers;
mod health;
mod list;
mod listener;
mod nonresource;
mod openapi;
mod options;
mod page;
mod pages;
mod patch;
mod path;
mod protobuf;
pub mod query;
mod resource;
pub mod route;
mod selection;
mod server;
mod table;
pub mod tunnel;
mod unfold;
mod unwind;
mod update;
mod watch;
mod webhook_metrics;
mod who;
mod write;
mod zpages;

pub use aggregation::{
    Aggregation, Backends, Forwarded, Published, RemoteVersion, resources as aggregated_resources,
};
pub use audit::{AuditLog, Auditor, Policy as AuditPolicy, Rotation};
pub use body::Body;
pub use cluster::{ClusterApi, ClusterParts};
pub use listener::{Limits, serve};
pub use nonresource::KUBERNETES_VERSION;
pub use query::Query;
pub use route::{Hello, Peer, Route, Routed};
pub use server::ApiServer;
pub use tunnel::{Connect, NoTunnel, ProxyTarget, RawStream, Tunnel, relay};

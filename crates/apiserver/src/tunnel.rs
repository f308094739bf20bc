//! The `Tunnel` port: where `exec`, `attach`, `portforward`, `log` and `proxy` go once the caller may do it.
//!
//! This crate finds the object, authorises and validates; the tunnel answers. Upgrades are not understood here: the
//! tunnel takes the raw stream.

mod relay;
mod switch;
mod until;

use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Status, UserInfo};

use crate::body::Body;
use crate::query::Query;

pub use relay::relay;
pub use switch::RawStream;
pub(crate) use switch::switch;
pub(crate) use until::until;

/// A connect request that passed authorisation, existence and validation.
pub struct Connect {
    /// In which cluster.
    pub cluster: ClusterId,
    /// `pods`, `services` or `nodes`.
    pub resource: GroupResource,
    /// The object's key. For services and nodes the name is the object's, without scheme and port.
    pub key: ObjectKey,
    /// The object as it is now.
    pub object: Arc<Object>,
    /// `log`, `exec`, `attach`, `portforward` or `proxy`.
    pub subresource: &'static str,
    /// The container that is meant: the one asked for or the default one. Empty for `portforward` and `proxy`.
    pub container: String,
    /// For `proxy`: scheme and port as asked for in the name (`https:name:port`); empty when not said.
    pub target: ProxyTarget,
    /// The decoded query.
    pub query: Query,
    /// Who asks.
    pub user: UserInfo,
    /// The request as it came, but that its body may have been read by the audit. `Connect::switch` gives the raw stream
    /// of an upgrade.
    pub request: Request<Body>,
}

/// What a `proxy` request addresses beyond the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyTarget {
    /// `http`, `https` or empty.
    pub scheme: String,
    /// A number or a port's name; empty for the default.
    pub port: String,
    /// The path behind `proxy` as it came, still escaped, with its leading slash; empty when there is none.
    pub path: String,
}

/// Carries connect requests to where the pod runs. The fleet implements it: to the simulated node, or to the host.
#[async_trait]
pub trait Tunnel: Send + Sync + 'static {
    /// Answers a connect request. May stream for as long as the client stays.
    ///
    /// # Errors
    /// The refusal, as the client reads it.
    async fn connect(&self, connect: Connect) -> Result<Response<Body>, Status>;
}

/// A tunnel to nowhere: for clusters without nodes, and tests.
pub struct NoTunnel;

#[async_trait]
impl Tunnel for NoTunnel {
    async fn connect(&self, connect: Connect) -> Result<Response<Body>, Status> {
        Err(Status::new(
            warren_apimachinery::StatusReason::ServiceUnavailable,
            format!("this cluster has no nodes to answer {}", connect.subresource),
        ))
    }
}

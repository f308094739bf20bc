//! The `Services` port: what the fleet knows of the servers behind Services. The fleet implements it.

use async_trait::async_trait;
use warren_apimachinery::{ClusterId, ObjectKey};
use warren_pki::Issued;

use crate::stream::Stream;

/// Where a Service's port is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address to dial.
    pub host: String,
    /// The port to dial.
    pub port: u16,
    /// The cluster's pod that has the address; `None` where it is nobody's, or of a pod that does not run on a host.
    pub pod: Option<ObjectKey>,
}

impl Endpoint {
    /// An address that is no pod's.
    pub fn address(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            pod: None,
        }
    }
}

/// See the module.
#[async_trait]
pub trait Services: Send + Sync + 'static {
    /// Where a Service's port is reached.
    ///
    /// # Errors
    /// In upstream's words: `service "x" not found`, `no endpoints available for service "x"`.
    fn resolve(
        &self,
        cluster: &ClusterId,
        namespace: &str,
        name: &str,
        port: u16,
    ) -> Result<Endpoint, String>;

    /// What a cluster's API server shows to the servers of aggregated APIs: a client certificate of its front proxy.
    fn front_proxy(&self, cluster: &ClusterId) -> Option<Issued>;

    /// A raw stream to a port of a pod, through the host's API: for where pod addresses are not reached.
    ///
    /// # Errors
    /// Why there is none. Names nothing of the host.
    async fn through_host(
        &self,
        cluster: &ClusterId,
        pod: &ObjectKey,
        port: u16,
    ) -> Result<Box<dyn Stream>, String>;
}

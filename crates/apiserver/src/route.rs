//! The `Route` port: which cluster a connection and a request are for.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use smol_str::SmolStr;
use tokio::sync::watch;
use warren_access::Certificate;
use warren_apimachinery::{ClusterId, Status};

use crate::cluster::ClusterApi;

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The name in the TLS hello (SNI), if there was one.
    pub server_name: Option<SmolStr>,
    /// Our address and port.
    pub local: SocketAddr,
    /// The client's address.
    pub remote: SocketAddr,
}

/// Who is at the other end, as far as the connection tells. One per connection, shared by its requests.
#[derive(Debug)]
pub struct Peer {
    /// The names and addresses of the connection.
    pub hello: Hello,
    /// The client's certificate and its chain, unverified but with proof that the client holds the key. Empty when
    /// the client sent none.
    pub certificates: Box<[CertificateDer<'static>]>,
    /// What they are worth to the cluster that was asked first: so that they are judged once per connection.
    pub(crate) certificate: OnceLock<(ClusterId, Arc<Certificate>)>,
}

impl Peer {
    /// A client that presented `certificates`, its own first.
    pub fn new(hello: Hello, certificates: Vec<CertificateDer<'static>>) -> Self {
        Self {
            hello,
            certificates: certificates.into(),
            certificate: OnceLock::new(),
        }
    }
}

/// A request's cluster.
pub struct Routed {
    /// The cluster that answers.
    pub cluster: Arc<ClusterApi>,
    /// How many bytes of the path are the cluster's prefix, such as `/clusters/demo`; 0 when it was found otherwise.
    pub prefix: usize,
}

/// Finds clusters by server name, port or path; the fleet implements it.
#[async_trait]
pub trait Route: Send + Sync + 'static {
    /// Runs once per connection: the certificate and key to answer with. `None` closes the connection.
    ///
    /// Build it with `warren_pki::server_config`, so that client certificates are asked for and HTTP/2 is offered.
    fn tls(&self, hello: &Hello) -> Option<Arc<ServerConfig>>;

    /// Runs once per request, so: quick when the cluster is resident. May wake a cluster that sleeps.
    ///
    /// # Errors
    /// What the client reads when there is no such cluster or it cannot be woken.
    async fn route(&self, hello: &Hello, path: &str) -> Result<Routed, Status>;
}

/// What a connection does once HTTP is over on it, because a request switched to another protocol: put into a request's
/// extensions by the listener, which owns the work and awaits it.
#[derive(Clone, Default)]
pub(crate) struct After(Arc<Mutex<Option<Work>>>);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl After {
    /// Leaves work to be done; one request of a connection can switch, the last one.
    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(work));
    }

    /// The work that was left.
    pub(crate) fn take(&self) -> Option<Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Tells what goes on for long that its listener stops: put into a request's extensions by the listener, so that
/// watches end rather than hold up the shutdown.
#[derive(Clone, Debug)]
pub(crate) struct Stop(pub(crate) watch::Receiver<bool>);

impl Stop {
    /// Waits for the stop, which includes that the sender is gone.
    pub(crate) async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

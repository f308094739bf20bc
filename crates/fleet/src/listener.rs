//! Open ports: one of its own for each cluster, and the front door.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use warren_apimachinery::Status;
use warren_apiserver::{ApiServer, ClusterApi, Hello, Limits, Route, Routed, serve};

use crate::certificate::ServingCertificate;

/// An open port and the task that serves it. Ends with `close`; whoever opened it closes it.
pub struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    /// Serves on `socket` whatever cluster `route` finds.
    pub(crate) fn open(
        socket: TcpListener,
        address: SocketAddr,
        server: &Arc<ApiServer>,
        route: Arc<dyn Route>,
    ) -> Arc<Self> {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(
            socket,
            Arc::clone(server),
            route,
            Limits::default(),
            stopped,
        ));
        Arc::new(Self {
            address,
            stop,
            task: Mutex::new(Some(task)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in flight finish, and waits for that.
    pub(crate) async fn close(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!(address = %self.address, "a listener panicked");
        }
    }
}

/// Whoever comes to this port means this cluster.
pub(crate) struct Alone {
    pub(crate) cluster: Arc<ClusterApi>,
    pub(crate) certificate: Arc<ServingCertificate>,
}

#[async_trait]
impl Route for Alone {
    fn tls(&self, _: &Hello) -> Option<Arc<ServerConfig>> {
        self.certificate.tls()
    }

    async fn route(&self, _: &Hello, _: &str) -> Result<Routed, Status> {
        Ok(Routed {
            cluster: Arc::clone(&self.cluster),
            prefix: 0,
        })
    }
}

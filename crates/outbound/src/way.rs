//! How pods are reached: at their addresses where Warren stands in the host's pod network, else through the host's API.
//!
//! Which of the two it is is found out by the first calls of pods and remembered for as long as the process runs: TLS
//! goes from end to end either way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use warren_apimachinery::ClusterId;

use crate::services::{Endpoint, Services};
use crate::stream::{Opened, Proof, tcp};

/// How long a call waits for an address to answer before it asks the host, while nobody knows.
const FIRST_LOOK: Duration = Duration::from_millis(500);

const UNKNOWN: u8 = 0;
const DIRECT: u8 = 1;
const THROUGH_HOST: u8 = 2;

/// See the module.
#[derive(Debug)]
pub(crate) struct Way(Arc<AtomicU8>);

impl Default for Way {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(UNKNOWN)))
    }
}

impl Way {
    /// Opens a stream to an endpoint.
    ///
    /// # Errors
    /// In the words of Go.
    pub(crate) async fn open(
        &self,
        services: &dyn Services,
        cluster: &ClusterId,
        endpoint: &Endpoint,
    ) -> Result<Opened, String> {
        let (host, port) = (endpoint.host.as_str(), endpoint.port);
        let known = self.0.load(Ordering::Relaxed);
        let Some(pod) = endpoint.pod.as_ref().filter(|_| known != DIRECT) else {
            return tcp(host, port).await;
        };
        let through_host = || async {
            let stream = services.through_host(cluster, pod, port).await?;
            Ok(Opened {
                stream,
                ends: String::new(),
                proves: None,
            })
        };
        if known == THROUGH_HOST {
            return through_host().await;
        }
        let why = match tokio::time::timeout(FIRST_LOOK, tcp(host, port)).await {
            Ok(Ok(opened)) => {
                self.0.store(DIRECT, Ordering::Relaxed);
                return Ok(opened);
            }
            Ok(Err(why)) => why,
            Err(_) => format!("dial tcp {host}:{port}: i/o timeout"),
        };
        let mut opened = through_host().await.map_err(|unreached: String| {
            tracing::debug!(
                unreached,
                "a pod is reached neither at its address nor through the host"
            );
            why.clone()
        })?;
        // The host opens a stream also where nobody listens: only a server that speaks shows that this is the way.
        opened.proves = Some(Proof {
            learnt: self.through_host_from_now_on(&why),
            otherwise: why,
        });
        Ok(opened)
    }

    fn through_host_from_now_on(&self, why: &str) -> Arc<dyn Fn() + Send + Sync> {
        let (known, why) = (Arc::clone(&self.0), why.to_owned());
        Arc::new(move || {
            let found = known.compare_exchange(UNKNOWN, THROUGH_HOST, Ordering::Relaxed, Ordering::Relaxed);
            if found.is_ok() {
                tracing::info!(why, "pods are reached through the host's API from now on");
            }
        })
    }
}

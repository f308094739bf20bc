//! The certificate that a cluster is served with, alike by its own listener and by the front door.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;

/// After this time it is made anew, long before it ends.
const RENEW_AFTER: SignedDuration = SignedDuration::from_hours(24 * 90);

/// See the module. Replaced as a whole; connections that are open keep the one they began with.
#[derive(Default)]
pub(crate) struct ServingCertificate(RwLock<Option<Current>>);

struct Current {
    names: Vec<String>,
    since: Timestamp,
    tls: Arc<ServerConfig>,
}

impl ServingCertificate {
    /// What to answer a handshake with; `None` before there is one.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|current| Arc::clone(&current.tls))
    }

    /// Whether it is for these names, and young enough.
    pub(crate) fn is_for(&self, names: &[String], now: Timestamp) -> bool {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .is_some_and(|current| current.names == names && now.duration_since(current.since) < RENEW_AFTER)
    }

    /// From now on this one is used.
    pub(crate) fn replace(&self, names: &[String], tls: ServerConfig, now: Timestamp) {
        let new = Current {
            names: names.to_vec(),
            since: now,
            tls: Arc::new(tls),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
    }
}

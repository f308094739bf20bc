//! Connections that wait for the next request to the same server.
//!
//! A connection belongs to one cluster and to one way of trusting the server: nothing of it is shared by tenants. Nobody
//! drives an idle one; whether it still lives is looked at when it is taken.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use warren_apimachinery::ClusterId;

/// As Go: how long a connection waits for the next request.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often those are closed that waited too long.
const SWEEP: Duration = Duration::from_secs(15);
/// The most that wait for one server. As upstream's client.
const PER_SERVER: usize = 25;
/// The most that wait for the servers of one cluster.
const PER_CLUSTER: usize = 64;
/// The most that wait in the process.
const ALL: usize = 1024;

/// Why a body broke off.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;
/// What is sent.
pub(crate) type Payload = UnsyncBoxBody<Bytes, Broken>;
/// What drives a connection, and ends when that does.
pub(crate) type Driving = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A server as one cluster speaks to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) cluster: ClusterId,
    /// Where it is dialled.
    pub(crate) place: (String, u16),
    /// As whom it proved itself.
    pub(crate) name: String,
    /// Which configuration it proved itself to; the connection keeps that alive.
    tls: usize,
}

impl Key {
    pub(crate) fn of(cluster: &ClusterId, place: (&str, u16), name: &str, tls: &Arc<ClientConfig>) -> Self {
        Self {
            cluster: cluster.clone(),
            place: (place.0.to_owned(), place.1),
            name: name.to_owned(),
            tls: Arc::as_ptr(tls) as usize,
        }
    }
}

/// A connection, and how requests are put to it.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Payload>,
    pub(crate) driving: Driving,
    /// Kept for as long as the key names it.
    pub(crate) _tls: Arc<ClientConfig>,
}

impl Connection {
    /// Whether it could take a request now.
    fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        self.driving.as_mut().poll(cx).is_pending()
            && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// See the module. Bounded by `PER_SERVER`, `PER_CLUSTER` and `ALL`.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<Key, Vec<Idle>>>,
    /// Runs while connections wait; ends with the last of them.
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

impl Pool {
    /// The connection to a server that waits for the shortest time, if one still lives.
    pub(crate) fn take(&self, key: &Key) -> Option<Connection> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let mut idle = self.idle().get_mut(key)?.pop()?;
            if idle.since.elapsed() < PATIENCE && idle.connection.is_free(&mut cx) {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection for the next request, if it may take one and there is room.
    pub(crate) fn keep(self: &Arc<Self>, key: &Key, mut connection: Connection, cx: &mut Context<'_>) {
        if !connection.is_free(cx) {
            return;
        }
        let mut idle = self.idle();
        let all: usize = idle.values().map(Vec::len).sum();
        let of_cluster = idle.iter().filter(|(known, _)| known.cluster == key.cluster);
        let of_cluster: usize = of_cluster.map(|(_, waiting)| waiting.len()).sum();
        let waiting = idle.entry(key.clone()).or_default();
        if all < ALL && of_cluster < PER_CLUSTER && waiting.len() < PER_SERVER {
            waiting.push(Idle {
                connection,
                since: Instant::now(),
            });
            drop(idle);
            self.sweep_later();
        }
    }

    /// Closes what waited too long. Answers whether anything still waits.
    fn sweep(&self) -> bool {
        let mut idle = self.idle();
        idle.retain(|_, waiting| {
            waiting.retain(|idle| idle.since.elapsed() < PATIENCE);
            !waiting.is_empty()
        });
        !idle.is_empty()
    }

    fn sweep_later(self: &Arc<Self>) {
        let mut sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner);
        if sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            *sweeper = Some(tokio::spawn(sweep(Arc::downgrade(self))));
        }
    }

    /// Closes all that wait, and ends the task.
    pub(crate) async fn close(&self) {
        self.idle().clear();
        let sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sweeper) = sweeper {
            sweeper.abort();
            // It was told to end: that it did is all there is to know.
            let _ = sweeper.await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<Key, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep() {
            return;
        }
    }
}

//! The host's metrics API: asked seldom, however often it is asked for here.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use serde_json::Value;
use tokio::sync::Mutex;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};

use super::BASE;
use crate::fleet::Fleet;

/// How long an answer is good: metrics are taken every 15 s or so.
const FRESH: Duration = Duration::from_secs(5);
/// How long the host may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read: some 50,000 pods.
const ANSWER: usize = 64 * 1024 * 1024;
/// Paths whose answers are kept: one per host namespace, and a few.
const KEPT: usize = 1024;

/// Objects by name.
pub(super) type ByName = Arc<HashMap<String, Value>>;

/// One path's answer; who holds the lock asks the host, all others wait for it.
type Slot = Arc<Mutex<Option<(Instant, Result<Arc<Value>, Status>)>>>;

/// See the module. Bound: `KEPT` answers.
#[derive(Default)]
pub(super) struct HostApi {
    slots: std::sync::Mutex<HashMap<String, Slot>>,
}

impl HostApi {
    /// The items of a list, by name.
    pub(super) async fn list(&self, fleet: &Weak<Fleet>, path: &str) -> Result<ByName, Status> {
        let list = self.read(fleet, path).await?;
        let items = list.items("/items").iter();
        let by_name = items.map(|item| (item.text("/metadata/name").to_owned(), item.clone()));
        Ok(Arc::new(by_name.collect()))
    }

    /// What the host says it serves of the group; `None` where it serves nothing.
    pub(super) async fn resources(&self, fleet: &Weak<Fleet>) -> Option<Arc<Value>> {
        self.read(fleet, BASE).await.ok()
    }

    pub(super) async fn is_served(&self, fleet: &Weak<Fleet>) -> bool {
        self.resources(fleet).await.is_some()
    }

    /// Any page of the group.
    async fn read(&self, fleet: &Weak<Fleet>, path: &str) -> Result<Arc<Value>, Status> {
        let slot = self.slot(path);
        let mut slot = slot.lock().await;
        if let Some((_, answer)) = slot.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return answer.clone();
        }
        let answer = ask(fleet, path).await.map(Arc::new);
        *slot = Some((Instant::now(), answer.clone()));
        answer
    }

    fn slot(&self, path: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT && !slots.contains_key(path) {
            // Whoever waits holds its slot; all others ask again.
            slots.clear();
        }
        Arc::clone(slots.entry(path.to_owned()).or_default())
    }
}

async fn ask(fleet: &Weak<Fleet>, path: &str) -> Result<Value, Status> {
    let silent = || {
        Status::new(
            StatusReason::ServiceUnavailable,
            "the host's metrics API does not answer",
        )
    };
    let remote = fleet
        .upgrade()
        .and_then(|fleet| fleet.remote_host().cloned())
        .ok_or_else(silent)?;
    let asking = async {
        let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *request.uri_mut() = path.parse().map_err(|_| silent())?;
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(http::header::ACCEPT, json);
        let answer = remote.raw(request).await?;
        if !answer.status().is_success() {
            let status = warren_remote::refusal(answer).await;
            tracing::debug!(%status, path, "the host's metrics API refuses");
            return Err(silent());
        }
        let body = Limited::new(answer.into_body(), ANSWER).collect().await;
        let bytes = body.map_err(|_| silent())?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|_| silent())
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .map_err(|_| silent())?
}

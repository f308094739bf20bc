//! When pods were seen in a watch.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::connection::Target;

/// A watch of pods, which notes when each was first seen, and when last. Ends when it is dropped.
pub(super) struct Sightings {
    seen: Rc<RefCell<HashMap<String, Seen>>>,
    news: Rc<Notify>,
    watching: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: Instant,
    /// The last time, and what the pod's status said then.
    last: Instant,
    message: u64,
}

impl Sightings {
    /// Watches a collection from now on; `selector` is a query of a watch, such as a label selector.
    pub(super) async fn of(target: &Target, collection: &str, selector: &str) -> anyhow::Result<Self> {
        let mut connection = target.connect().await?;
        let list = connection
            .call(
                Method::GET,
                &format!("{collection}?limit=1&{selector}"),
                Bytes::new(),
            )
            .await?;
        let list: Value = serde_json::from_slice(&list)?;
        let revision = list.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        let revision = revision.context("a list has no revision")?;
        let path = format!("{collection}?watch=1&resourceVersion={revision}&{selector}");
        let body = connection.stream(&path).await?;
        let (seen, news) = (Rc::default(), Rc::new(Notify::new()));
        let noting = note(body, Rc::clone(&seen), Rc::clone(&news));
        let watching = tokio::task::spawn_local(async move {
            noting.await;
            // The connection lives as long as its watch.
            drop(connection);
        });
        Ok(Self { seen, news, watching })
    }

    /// Waits until a pod was seen, and answers when.
    pub(super) async fn first(&self, name: &str) -> anyhow::Result<Instant> {
        let found = || self.seen.borrow().get(name).map(|seen| seen.first);
        self.until(found)
            .await
            .with_context(|| format!("pod {name} did not come"))
    }

    /// Waits until a pod's status says a message, and answers when it was seen.
    pub(super) async fn said(&self, name: &str, message: u64) -> anyhow::Result<Instant> {
        let said = || {
            let seen = self.seen.borrow();
            seen.get(name)
                .filter(|seen| seen.message == message)
                .map(|seen| seen.last)
        };
        self.until(said)
            .await
            .with_context(|| format!("the status of pod {name} did not come"))
    }

    /// Waits until so many pods were seen whose names begin with `prefix`.
    pub(super) async fn count(&self, prefix: &str, count: usize) -> anyhow::Result<()> {
        let enough = || {
            let seen = self.seen.borrow();
            let found = seen.keys().filter(|name| name.starts_with(prefix)).count();
            (found >= count).then_some(())
        };
        self.until(enough)
            .await
            .with_context(|| format!("not all of {count} pods came"))
    }

    async fn until<T>(&self, look: impl Fn() -> Option<T>) -> anyhow::Result<T> {
        loop {
            let news = self.news.notified();
            if let Some(found) = look() {
                return Ok(found);
            }
            if tokio::time::timeout(QUIET, news).await.is_err() {
                bail!("nothing was seen for {} s", QUIET.as_secs());
            }
        }
    }
}

/// A watch that tells nothing for so long has nothing more to tell.
const QUIET: Duration = Duration::from_secs(60);

impl Drop for Sightings {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn note(mut body: Incoming, seen: Rc<RefCell<HashMap<String, Seen>>>, news: Rc<Notify>) {
    let mut buffer = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let now = Instant::now();
        buffer.extend_from_slice(&data);
        while let Some(at) = buffer.iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(at + 1);
            let Ok(event) = serde_json::from_slice::<Value>(&line) else {
                continue;
            };
            let name = event.pointer("/object/metadata/name").and_then(Value::as_str);
            // A host pod's name begins with the virtual one's.
            let name = name.unwrap_or_default().split("-x-").next().unwrap_or_default();
            let message = event.pointer("/object/status/message").and_then(Value::as_str);
            let message = message.and_then(|text| text.parse().ok()).unwrap_or_default();
            let mut seen = seen.borrow_mut();
            let entry = seen.entry(name.to_owned()).or_insert(Seen {
                first: now,
                last: now,
                message,
            });
            if entry.message != message {
                (entry.last, entry.message) = (now, message);
            }
        }
        news.notify_waiters();
    }
}

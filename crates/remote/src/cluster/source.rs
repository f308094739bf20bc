//! One list and watch, for as long as it is wanted: list in pages, watch from there, resume by revision, list anew when
//! the host has forgotten that revision.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use smol_str::SmolStr;
use tokio::sync::watch as state;
use tokio::time::Instant;
use warren_apimachinery::{Object, Revision, Status};
use warren_reconciler::{Want, Which};

use super::answer::Failure;
use super::cache::{Delta, Domain, Listing};
use super::envelope::{self, Page};
use super::watch::{Event, Lines, event, resource_version};
use super::wire::Call;
use super::{Inner, Kind, paths};

/// How many objects a page of a list has: upstream's clients ask for as many.
const PAGE: &str = "500";
const LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a watch is asked for, at least; the host ends it, so that many do not end at once.
const WATCH_SECONDS: u64 = 290;
/// A watch that outlives its time by this hangs.
const WATCH_GRACE: Duration = Duration::from_secs(30);
/// A watch that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after a failure that may pass, and after a refusal, which somebody has to change.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const REFUSED_PAUSE: Duration = Duration::from_secs(3);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How far a source is.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Not listed yet.
    Waiting,
    /// Listed once; the cache follows, or is as it was when the host went away.
    Listed,
    /// The host refuses: it does not serve the kind, or not to us.
    Refused(Status),
}

/// See the module. One task, which the port owns and ends.
pub(super) struct Source {
    pub(super) cluster: Arc<Inner>,
    pub(super) kind: Arc<Kind>,
    pub(super) want: Want,
    pub(super) stage: state::Sender<Stage>,
}

/// How a watch ended.
enum End {
    /// The host closed it, as it does.
    Closed,
    /// Its revision is too old.
    Gone,
    Failed(Failure),
}

impl Source {
    /// Never ends by itself.
    pub(super) async fn run(mut self) {
        let mut failures = Failures::default();
        loop {
            match self.begin().await {
                Ok(revision) => {
                    failures.clear();
                    self.listed();
                    self.follow(revision, &mut failures).await;
                }
                Err(failure) => {
                    self.failed(&failure);
                    failures.pause(&failure).await;
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<SmolStr, Failure> {
        self.want.resource = self.cluster.complete(&self.want.resource).await?;
        self.list().await
    }

    fn domain(&self) -> Domain {
        domain(&self.want.which, self.cluster.ours)
    }

    fn listed(&self) {
        if let Stage::Refused(_) = &*self.stage.borrow() {
            tracing::info!(resource = %self.kind.name, "the host lets us list it now");
        }
        self.stage.send_replace(Stage::Listed);
        self.cluster.news.send_modify(|count| *count += 1);
    }

    fn failed(&self, failure: &Failure) {
        let Failure::Answered(status) = failure else {
            return;
        };
        if !failure.is_refusal() || matches!(*self.stage.borrow(), Stage::Refused(_)) {
            return;
        }
        // What was listed before stays as it was: nobody said that it is gone.
        if matches!(*self.stage.borrow(), Stage::Waiting) {
            tracing::warn!(resource = %self.kind.name, why = %status, "the host does not let us list this resource");
            self.stage.send_replace(Stage::Refused(status.clone()));
            self.cluster.news.send_modify(|count| *count += 1);
        }
    }

    fn collection(&self) -> String {
        let namespace = match &self.want.which {
            Which::In(namespace) => Some(namespace.as_str()),
            _ => self.cluster.namespace.as_deref(),
        };
        paths::collection(&self.want.resource, namespace)
    }

    fn selector(&self) -> Option<(&'static str, &'static str)> {
        matches!(self.want.which, Which::Ours).then_some(("labelSelector", self.cluster.ours))
    }

    /// Reads all pages into the cache; answers the revision to watch from.
    async fn list(&self) -> Result<SmolStr, Failure> {
        let listing = self.kind.write().begin();
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(self.selector());
            if let Some(token) = &next {
                query.push(("continue", token));
            }
            let path = format!("{}{}", self.collection(), paths::query(&query));
            let page = {
                // Few at a time: a host that comes back is not to be met by all lists at once.
                let _turn = self.cluster.lists.acquire().await;
                self.cluster.wire.call(Call::get(&path, LIST_TIMEOUT)).await?
            };
            let (revision, token) = self.take_page(&page, listing)?;
            match token {
                Some(token) => next = Some(token),
                None => {
                    self.end_list(listing, &revision);
                    return Ok(revision);
                }
            }
        }
    }

    fn take_page(&self, json: &Bytes, listing: Listing) -> Result<(SmolStr, Option<String>), Failure> {
        let unreadable =
            |why: &dyn std::fmt::Display| Failure::Silent(format!("a list cannot be read: {why}"));
        let text = std::str::from_utf8(json).map_err(|error| unreadable(&error))?;
        let page = Page::read(text).map_err(|error| unreadable(&error))?;
        let mut deltas = Vec::new();
        for item in page.items.iter().flatten() {
            let object =
                envelope::read(&self.want.resource, item.get()).map_err(|error| unreadable(&error))?;
            let Some(object) = object.filter(|object| self.wants(object)) else {
                continue;
            };
            deltas.extend(self.kind.write().listed(listing, object));
        }
        self.tell(deltas);
        Ok((page.resource_version(), page.next().map(str::to_owned)))
    }

    fn end_list(&self, listing: Listing, revision: &str) {
        let revision = Revision::parse(revision).unwrap_or_default();
        let gone = self.kind.write().end(listing, &self.domain(), revision);
        self.tell(gone);
    }

    /// Watches, again and again, until a new list is needed.
    async fn follow(&self, mut revision: SmolStr, failures: &mut Failures) {
        loop {
            let since = Instant::now();
            let before = revision.clone();
            let end = self.watch(&mut revision).await;
            if since.elapsed() > GOOD || before != revision {
                failures.clear();
            }
            match end {
                End::Gone => return,
                End::Closed if since.elapsed() > GOOD => {}
                End::Closed => {
                    failures
                        .pause(&Failure::Silent("the watch ended at once".to_owned()))
                        .await
                }
                End::Failed(failure) => {
                    tracing::debug!(resource = %self.kind.name, why = %failure, "a watch failed");
                    failures.pause(&failure).await;
                }
            }
        }
    }

    async fn watch(&self, revision: &mut SmolStr) -> End {
        let seconds = WATCH_SECONDS + rand::random_range(0..WATCH_SECONDS);
        let timeout = seconds.to_string();
        let mut query = vec![
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", revision.as_str()),
            ("timeoutSeconds", timeout.as_str()),
        ];
        query.extend(self.selector());
        let path = format!("{}{}", self.collection(), paths::query(&query));
        let body = match self.cluster.wire.open(&Call::get(&path, LIST_TIMEOUT)).await {
            Ok(response) => response.into_body(),
            Err(failure) if failure.is_gone() => return End::Gone,
            Err(failure) => return End::Failed(failure),
        };
        let reading = self.read(body, revision);
        match tokio::time::timeout(Duration::from_secs(seconds) + WATCH_GRACE, reading).await {
            Ok(end) => end,
            Err(_) => End::Closed,
        }
    }

    async fn read(&self, mut body: Incoming, revision: &mut SmolStr) -> End {
        let mut lines = Lines::default();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                // Cut, as by a restart of the host: resumed where it was.
                return End::Closed;
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if !lines.feed(&data) {
                return End::Failed(Failure::Silent("a line of a watch is too long".to_owned()));
            }
            let mut deltas = Vec::new();
            let mut end = None;
            while let Some(line) = lines.next() {
                if let Some(over) = self.take(&line, revision, &mut deltas) {
                    end = Some(over);
                    break;
                }
            }
            self.tell(deltas);
            if let Some(end) = end {
                return end;
            }
        }
        End::Closed
    }

    /// One line of the watch; `Some` when it is the last.
    fn take(&self, line: &[u8], revision: &mut SmolStr, deltas: &mut Vec<Delta>) -> Option<End> {
        match event(&self.want.resource, line) {
            Event::Seen(object) => {
                *revision = resource_version(&object);
                if self.wants(&object) {
                    deltas.extend(self.kind.write().seen(Arc::new(object)));
                }
            }
            Event::Left(object) => {
                *revision = resource_version(&object);
                deltas.extend(self.kind.write().left(&self.domain(), &object));
            }
            Event::Bookmark(at) => *revision = at,
            Event::Failed(failure) if failure.is_gone() => return Some(End::Gone),
            Event::Failed(failure) => return Some(End::Failed(failure)),
            Event::Unknown => {}
        }
        None
    }

    /// Whether an object that arrived is kept: of events only those about what is cached.
    fn wants(&self, object: &Object) -> bool {
        self.want.which != Which::About || self.cluster.knows_subject(object)
    }

    fn tell(&self, deltas: Vec<Delta>) {
        if self.want.which == Which::About && !deltas.is_empty() {
            self.kind.write().keep_newest(super::EVENTS_MAX);
        }
        self.cluster.tell(&self.kind, deltas);
    }
}

/// What a want speaks of.
pub(super) fn domain(which: &Which, ours: &'static str) -> Domain {
    match which {
        Which::Ours => Domain::Labelled(ours),
        Which::All | Which::About => Domain::All,
        Which::In(namespace) => Domain::Namespace(namespace.clone()),
    }
}

/// Pauses that grow while failures repeat, with jitter, so that many sources do not come back together.
#[derive(Default)]
struct Failures {
    count: u32,
}

impl Failures {
    fn clear(&mut self) {
        self.count = 0;
    }

    async fn pause(&mut self, failure: &Failure) {
        tokio::time::sleep(self.next(failure)).await;
    }

    fn next(&mut self, failure: &Failure) -> Duration {
        let (start, most) = match failure.is_refusal() {
            true => (REFUSED_PAUSE, REFUSED_PAUSE_MAX),
            false => (PAUSE, PAUSE_MAX),
        };
        let pause = start.saturating_mul(1 << self.count.min(10)).min(most);
        self.count += 1;
        let asked = match failure {
            Failure::Answered(status) => status.details().map_or(0, |details| details.retry_after_seconds),
            Failure::Silent(_) => 0,
        };
        let pause = pause.max(Duration::from_secs(asked.into()).min(REFUSED_PAUSE_MAX));
        pause.mul_f64(rand::random_range(0.5..1.5))
    }
}

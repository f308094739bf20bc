//! WATCH: what was there, then what changes, as a body that does not end or over a WebSocket.
//!
//! A watch is a future that its connection polls: no task, no timer beyond its own deadline and bookmarks.

mod frames;
mod shared;
mod socket;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Extensions, Response, StatusCode};
use tokio::time::Instant;
use warren_apimachinery::{Object, Revision, Status};
use warren_storage::{Event, Watch, WatchEnd};
use warren_telemetry::metrics::Running;

use self::frames::{Bookmark, Frames};
use self::shared::Form;
pub(crate) use self::shared::SharedFrames;
use crate::accept::{self, Accepted, Encoding, Shape};
use crate::answer;
use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::get::too_large;
use crate::options::{ListOptions, Of};
use crate::page::initializing;
use crate::route::Stop;
use crate::selection::Selectors;
use crate::table::Printer;
use crate::unfold;

/// How often a quiet watch hears how far it is.
const BOOKMARK: Duration = Duration::from_secs(60);
/// The last bookmark comes this long before the end.
const BEFORE_END: Duration = Duration::from_secs(2);
/// Upstream's `--min-request-timeout`: watches last between this and twice as long.
const MIN_LIFE: Duration = Duration::from_secs(1800);
/// From so many watchers of a resource on, deliveries are spaced.
const CROWD: usize = 64;
/// How long a watch rests for each watcher of its resource.
const REST_PER_WATCHER: Duration = Duration::from_micros(20);
/// The longest rest: what a change may wait to be told.
const MAX_REST: Duration = Duration::from_millis(20);
/// How many bytes of events are put into one piece.
const PIECE: usize = 256 * 1024;

/// # Errors
/// What the client reads when the watch cannot start. What fails later is an `ERROR` event.
pub(crate) async fn objects(
    cx: &Cx<'_>,
    served: &Served<'_>,
    extensions: &mut Extensions,
) -> Result<Response<Body>, Status> {
    let accepted = accept::stream(cx.accept(), cx.offer())?;
    let options = ListOptions::read(cx.query, Of::Watch)?;
    let selectors = Selectors::read(cx.query, served.definition, &served.path.name)?;
    let printer = match accepted.shape {
        Shape::Table(version) => Some(Printer::new(cx, version)?),
        Shape::Whole | Shape::Metadata(_) => None,
    };
    let life = options
        .timeout_seconds
        .filter(|seconds| *seconds > 0)
        .map_or_else(
            || MIN_LIFE + Duration::from_millis(cx.server.jitter(MIN_LIFE)),
            Duration::from_secs,
        );
    let ends = Instant::now() + life;
    let form = form(served, &accepted);
    let mut stream = Stream {
        frames: Frames {
            registry: Arc::clone(&cx.cluster.registry),
            definition: Arc::clone(served.definition),
            custom: served.custom,
            version: served.path.version.to_string(),
            shape: accepted.shape,
            encoding: accepted.encoding,
            printer,
            headers_sent: false,
            selectors,
            shared: Arc::clone(&cx.server.frames),
            form,
            sent: cx.cluster.metrics.watch_events(&[
                served.definition.group.clone(),
                served.path.version.as_str().into(),
                served.definition.plural.clone(),
            ]),
        },
        watch: None,
        initial: VecDeque::new(),
        then: None,
        bookmarks: options.bookmarks,
        next_bookmark: next_bookmark(ends),
        ends,
        rests_until: Instant::now(),
        stop: cx.stop.clone(),
        _running: cx.cluster.metrics.longrunning(cx.labels),
    };
    stream.start(&options, served);
    stream
        .convert_first()
        .await
        .map_err(|why| initializing(served, &why))?;
    if socket::is_wanted(cx.headers) {
        return Ok(socket::answer(cx.headers, extensions, stream, accepted.encoding));
    }
    Ok(answer::with(
        StatusCode::OK,
        accepted.encoding.stream_type(),
        Body::stream(unfold::body(stream, step)),
    ))
}

/// What follows the objects that were there at the start.
enum Then {
    /// The news that these were all, as of a revision.
    InitialEventsEnd(Revision),
    /// Why there is no more to come.
    Refusal(Status),
}

/// What the frames of a watch have in common with those of others, where that saves something.
fn form(served: &Served<'_>, accepted: &Accepted) -> Option<Form> {
    let is_cheap = accepted.encoding != Encoding::Protobuf
        && accepted.shape == Shape::Whole
        && served.definition.is_stored_as(served.version())
        && !served
            .definition
            .version(served.version())
            .is_some_and(|version| version.defaults_on_read);
    // A table has the ages of its rows in it, and its columns only once.
    let is_own = matches!(accepted.shape, Shape::Table(_));
    (!is_cheap && !is_own).then(|| Form {
        api_version: served.definition.api_version(served.version()).into(),
        shape: accepted.shape.clone(),
        encoding: accepted.encoding,
    })
}

/// A watch under way.
struct Stream {
    frames: Frames,
    /// `None` once it ended.
    watch: Option<Watch>,
    /// Objects that are still to be sent as if they were new.
    initial: VecDeque<Arc<Object>>,
    /// What is sent behind the initial objects.
    then: Option<Then>,
    bookmarks: bool,
    next_bookmark: Instant,
    ends: Instant,
    /// No events are taken before.
    rests_until: Instant,
    stop: Option<Stop>,
    _running: Running,
}

impl Stream {
    fn start(&mut self, options: &ListOptions, served: &Served<'_>) {
        let store = Arc::clone(self.frames.registry.store());
        let storage = &served.definition.storage;
        let namespace = Some(served.namespace()).filter(|namespace| !namespace.is_empty());
        let asked = options.revision.unwrap_or_default();
        let initial = options.initial_events.unwrap_or_default();
        let after = if initial || asked == Revision::ZERO {
            let snapshot = store.snapshot();
            if asked > snapshot.revision() {
                self.then = Some(Then::Refusal(too_large(asked, snapshot.revision())));
                return;
            }
            if initial {
                let frames = &self.frames;
                self.initial = snapshot
                    .list(storage, namespace)
                    .filter(|object| frames.converts() || frames.selectors.matches(object.meta()))
                    .map(Arc::clone)
                    .collect();
            }
            if initial && options.bookmarks {
                self.then = Some(Then::InitialEventsEnd(snapshot.revision()));
            }
            snapshot.revision()
        } else {
            asked
        };
        match store.watch(storage, namespace, after) {
            Ok(watch) => self.watch = Some(watch),
            Err(gone) => {
                self.initial.clear();
                self.then = Some(Then::Refusal(too_old(gone.asked, gone.through)));
            }
        }
    }

    /// Brings the objects that are there at the start to the version of the watch: what cannot be converted is no start.
    async fn convert_first(&mut self) -> Result<(), Status> {
        if !self.frames.converts() || self.initial.is_empty() {
            return Ok(());
        }
        let objects = std::mem::take(&mut self.initial).into();
        let frames = &self.frames;
        let converted = frames.registry.opened_each(&frames.definition, objects).await?;
        let meant = |object: &Arc<Object>| frames.selectors.matches(object.meta());
        self.initial = converted.into_iter().filter(meant).collect();
        Ok(())
    }

    /// The next piece of initial objects.
    fn initial(&mut self) -> Bytes {
        let mut piece = BytesMut::new();
        while piece.len() < PIECE {
            let Some(object) = self.initial.pop_front() else {
                break;
            };
            self.frames.write("ADDED", &object, &mut piece);
        }
        piece.freeze()
    }

    fn ended(&mut self, end: WatchEnd) -> Option<Bytes> {
        self.watch = None;
        match end {
            WatchEnd::Compacted(gone) => Some(self.frames.error(&too_old(gone.asked, gone.through))),
            WatchEnd::Closed => None,
        }
    }
}

/// One piece of the stream; `None` at its end.
async fn step(mut stream: Stream) -> (Stream, Option<Bytes>) {
    if !stream.initial.is_empty() {
        let piece = stream.initial();
        return (stream, Some(piece));
    }
    if let Some(then) = stream.then.take() {
        let frame = match then {
            Then::InitialEventsEnd(revision) => stream.frames.bookmark(revision, Bookmark::InitialEventsEnd),
            Then::Refusal(status) => stream.frames.error(&status),
        };
        return (stream, Some(frame));
    }
    loop {
        let wakes = if stream.bookmarks {
            stream.next_bookmark.min(stream.ends)
        } else {
            stream.ends
        };
        let Some(watch) = stream.watch.as_mut() else {
            return (stream, None);
        };
        let next = tokio::select! {
            biased;
            () = stopped(stream.stop.as_mut()) => {
                stream.watch = None;
                return (stream, None);
            }
            next = paced(watch, stream.rests_until) => Some(next),
            () = tokio::time::sleep_until(wakes) => None,
        };
        let piece = match next {
            Some(Ok(events)) => {
                stream.rests_until = Instant::now() + rest(watch.watchers());
                match stream.frames.converted(events).await {
                    Ok(Some(events)) => stream.frames.events(&events),
                    Ok(None) => {
                        stream.watch = None;
                        return (stream, None);
                    }
                    Err(why) => {
                        stream.watch = None;
                        let last = stream.frames.error(&why);
                        return (stream, Some(last));
                    }
                }
            }
            Some(Err(end)) => {
                let last = stream.ended(end);
                return (stream, last);
            }
            None if Instant::now() >= stream.ends => {
                stream.watch = None;
                return (stream, None);
            }
            None => {
                let revision = watch.revision();
                stream.next_bookmark = next_bookmark(stream.ends);
                stream.frames.bookmark(revision, Bookmark::Plain)
            }
        };
        // Events that the selectors leave out make no frame.
        if !piece.is_empty() {
            return (stream, Some(piece));
        }
    }
}

/// Waits for events, but not before `not_before`: what comes meanwhile is delivered together.
async fn paced(watch: &mut Watch, not_before: Instant) -> Result<Vec<Event>, WatchEnd> {
    if Instant::now() < not_before {
        tokio::time::sleep_until(not_before).await;
    }
    watch.next().await
}

/// How long a watch rests after a delivery. Where many watch the same, each delivery costs a wake, a record and a
/// packet per watcher, which a burst of changes multiplies; what comes in one rest is sent as one.
fn rest(watchers: usize) -> Duration {
    if watchers < CROWD {
        return Duration::ZERO;
    }
    (REST_PER_WATCHER * u32::try_from(watchers).unwrap_or(u32::MAX)).min(MAX_REST)
}

async fn stopped(stop: Option<&mut Stop>) {
    match stop {
        Some(stop) => stop.stopped().await,
        None => std::future::pending().await,
    }
}

/// About every minute, and once more shortly before the end.
fn next_bookmark(ends: Instant) -> Instant {
    let now = Instant::now();
    match ends.checked_sub(BEFORE_END) {
        Some(last) if now < last => (now + BOOKMARK).min(last),
        _ => ends,
    }
}

fn too_old(asked: Revision, oldest: Revision) -> Status {
    Status::expired(format!("too old resource version: {asked} ({oldest})"))
}

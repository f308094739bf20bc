//! WATCH: events as frames of JSON, assembled from the stored bytes, or of protobuf, transcoded from them.
//!
//! A watch is a future that its connection polls: no task, no timer beyond its own deadline and bookmarks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Revision, Status};
use warren_registry::Registry;
use warren_registry::definition::Definition;
use warren_storage::{Event, EventKind, Watch, WatchEnd};
use warren_telemetry::metrics::Running;

use crate::accept::{self, Encoding, Shape};
use crate::answer;
use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::options::{ListOptions, Of};
use crate::protobuf;
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
/// How many bytes of events are put into one piece.
const PIECE: usize = 256 * 1024;

/// # Errors
/// What the client reads when the watch cannot start. What fails later is an `ERROR` event.
pub(crate) fn objects(cx: &Cx<'_>, served: &Served<'_>) -> Result<Response<Body>, Status> {
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
    let mut stream = Stream {
        frames: Frames {
            registry: Arc::clone(&cx.cluster.registry),
            definition: Arc::clone(served.definition),
            version: served.path.version.to_string(),
            shape: accepted.shape,
            encoding: accepted.encoding,
            printer,
            headers_sent: false,
            selectors,
        },
        watch: None,
        initial: VecDeque::new(),
        then: None,
        bookmarks: options.bookmarks,
        next_bookmark: next_bookmark(ends),
        ends,
        stop: cx.stop.clone(),
        _running: cx.cluster.metrics.longrunning(cx.labels),
    };
    stream.start(&options, served);
    Ok(answer::with(
        StatusCode::OK,
        accepted.encoding.stream_type(),
        Body::stream(unfold::body(stream, step)),
    ))
}

/// A watch under way.
struct Stream {
    frames: Frames,
    /// `None` once it ended.
    watch: Option<Watch>,
    /// Objects that are still to be sent as if they were new.
    initial: VecDeque<Arc<Object>>,
    /// A frame to send behind the initial ones.
    then: Option<Bytes>,
    bookmarks: bool,
    next_bookmark: Instant,
    ends: Instant,
    stop: Option<Stop>,
    _running: Running,
}

impl Stream {
    fn start(&mut self, options: &ListOptions, served: &Served<'_>) {
        let store = Arc::clone(self.frames.registry.store());
        let storage = &served.definition.storage;
        let namespace = Some(served.namespace()).filter(|namespace| !namespace.is_empty());
        let asked = options.revision.unwrap_or_default();
        let initial = options.initial_events.unwrap_or(asked == Revision::ZERO);
        let after = if initial || asked == Revision::ZERO {
            let snapshot = store.snapshot();
            if initial {
                let selectors = &self.frames.selectors;
                self.initial = snapshot
                    .list(storage, namespace)
                    .filter(|object| selectors.matches(object.meta()))
                    .map(Arc::clone)
                    .collect();
            }
            if options.initial_events == Some(true) && options.bookmarks {
                self.then = Some(
                    self.frames
                        .bookmark(snapshot.revision(), Bookmark::InitialEventsEnd),
                );
            }
            snapshot.revision()
        } else {
            asked
        };
        match store.watch(storage, namespace, after) {
            Ok(watch) => self.watch = Some(watch),
            Err(gone) => {
                self.initial.clear();
                self.then = Some(self.frames.error(&too_old(gone.asked, gone.through)));
            }
        }
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
    if let Some(frame) = stream.then.take() {
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
            next = watch.next() => Some(next),
            () = tokio::time::sleep_until(wakes) => None,
        };
        let piece = match next {
            Some(Ok(events)) => stream.frames.events(&events),
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

fn json_frame(kind: &str, object: &[u8], out: &mut BytesMut) {
    out.reserve(object.len() + kind.len() + 24);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bookmark {
    Plain,
    /// Everything that was there at the start has been sent.
    InitialEventsEnd,
}

/// Turns events into frames, in the shape that was agreed on.
struct Frames {
    registry: Arc<Registry>,
    definition: Arc<Definition>,
    version: String,
    shape: Shape,
    encoding: Encoding,
    printer: Option<Printer>,
    headers_sent: bool,
    selectors: Selectors,
}

impl Frames {
    fn events(&mut self, events: &[Event]) -> Bytes {
        let mut piece = BytesMut::new();
        for event in events {
            match self.judge(event) {
                Seen::Nothing => {}
                Seen::As(kind) => self.write(kind, &event.object, &mut piece),
                Seen::Left(previous) => {
                    let last = at_revision(previous, event.revision);
                    self.write("DELETED", &last, &mut piece);
                }
            }
        }
        piece.freeze()
    }

    /// What an event is for those who only see what the selectors match.
    fn judge<'e>(&self, event: &'e Event) -> Seen<'e> {
        let matches = |object: &Object| self.selectors.matches(object.meta());
        let is = matches(&event.object);
        let was = event.previous.as_deref().is_some_and(matches);
        match (event.kind, was, is) {
            (EventKind::Deleted, true, _) | (EventKind::Deleted, _, true) => Seen::As("DELETED"),
            (EventKind::Added, _, true) | (EventKind::Modified, false, true) => Seen::As("ADDED"),
            (EventKind::Modified, true, true) => Seen::As("MODIFIED"),
            (EventKind::Modified, true, false) => event.previous.as_deref().map_or(Seen::Nothing, Seen::Left),
            (EventKind::Added | EventKind::Modified | EventKind::Deleted, _, false) => Seen::Nothing,
        }
    }

    fn write(&mut self, kind: &str, object: &Object, out: &mut BytesMut) {
        let bytes = self.registry.answer(&self.definition, &self.version, object);
        let revision = object.meta().revision;
        let shaped = self.shaped(&bytes, revision);
        self.frame(kind, shaped.as_ref().unwrap_or(&bytes), out);
    }

    /// Appends an event with this object, which is JSON.
    fn frame(&self, kind: &str, object: &[u8], out: &mut BytesMut) {
        if self.encoding != Encoding::Protobuf {
            return json_frame(kind, object, out);
        }
        // Only kinds that have a form in protobuf are watched in it.
        if let Some(object) = protobuf::object(object) {
            out.extend_from_slice(&protobuf::frame(kind, &object));
        }
    }

    fn error(&self, status: &Status) -> Bytes {
        let mut frame = BytesMut::new();
        self.frame("ERROR", &answer::json(status), &mut frame);
        frame.freeze()
    }

    /// The bytes in another shape; `None` when the object itself is wanted.
    fn shaped(&mut self, bytes: &Bytes, revision: Revision) -> Option<Bytes> {
        match (&self.shape, &self.printer) {
            (Shape::Metadata(version), _) => Some(answer::partial(bytes, version)),
            (Shape::Table(_), Some(printer)) => {
                let metadata = json!({"resourceVersion": revision.to_string()});
                let headers = !std::mem::replace(&mut self.headers_sent, true);
                let objects = std::iter::once(bytes);
                Some(printer.print(&self.definition, &metadata, objects, Timestamp::now(), headers))
            }
            _ => None,
        }
    }

    fn bookmark(&mut self, revision: Revision, which: Bookmark) -> Bytes {
        let mut object = json!({
            "kind": self.definition.kind,
            "apiVersion": self.definition.api_version(&self.version),
            "metadata": {"resourceVersion": revision.to_string()},
        });
        if which == Bookmark::InitialEventsEnd {
            object.set("/metadata/annotations/k8s.io~1initial-events-end", "true");
        }
        let bytes = answer::json(&object);
        let shaped = self.shaped(&bytes, revision);
        let mut frame = BytesMut::new();
        self.frame("BOOKMARK", shaped.as_ref().unwrap_or(&bytes), &mut frame);
        frame.freeze()
    }
}

/// What a watcher sees of an event.
enum Seen<'e> {
    Nothing,
    As(&'static str),
    /// It no longer matches: gone for this watcher, as it last matched.
    Left(&'e Object),
}

/// The object with another revision: how upstream reports what left a selection.
fn at_revision(object: &Object, revision: Revision) -> Object {
    let mut value: Value = object.to_value();
    value.set("/metadata/resourceVersion", revision.to_string());
    let mut meta = object.meta().clone();
    meta.revision = revision;
    Object::new(answer::json(&value), meta)
}

//! Frames of a watch: events as their watcher sees them, in the shape and encoding that was agreed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Revision, Status};
use warren_registry::Registry;
use warren_registry::definition::Definition;
use warren_storage::{Event, EventKind};

use super::shared::{Form, SharedFrames};
use crate::accept::{Encoding, Shape};
use crate::answer;
use crate::protobuf;
use crate::selection::Selectors;
use crate::table::Printer;

fn json_frame(kind: &str, object: &[u8], out: &mut BytesMut) {
    out.reserve(object.len() + kind.len() + 24);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
}

/// Which bookmark.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bookmark {
    Plain,
    /// Everything that was there at the start has been sent.
    InitialEventsEnd,
}

/// Turns events into frames, in the shape that was agreed on.
pub(super) struct Frames {
    pub(super) registry: Arc<Registry>,
    pub(super) definition: Arc<Definition>,
    /// Whether the definition is a tenant's, and may change.
    pub(super) custom: bool,
    pub(super) version: String,
    pub(super) shape: Shape,
    pub(super) encoding: Encoding,
    pub(super) printer: Option<Printer>,
    pub(super) headers_sent: bool,
    pub(super) selectors: Selectors,
    pub(super) shared: Arc<SharedFrames>,
    /// What others may share; `None` where a frame is cheap to make, or is this watcher's own.
    pub(super) form: Option<Form>,
    /// Counts what is sent.
    pub(super) sent: Arc<AtomicI64>,
}

impl Frames {
    /// Whether objects may be kept in another version than the watch's.
    pub(super) fn converts(&self) -> bool {
        self.definition.conversion.is_some()
    }

    /// Takes up what the definition of a custom resource says now. Whether it still serves the version of the watch.
    fn follow_definition(&mut self) -> bool {
        if !self.custom {
            return true;
        }
        let catalogue = self.registry.catalogue();
        let served = catalogue.served(&self.definition.group, &self.version, &self.definition.plural);
        if let Some((definition, _)) = served {
            self.definition = Arc::clone(definition);
        }
        served.is_some()
    }

    /// Events in the version of the watch; `None` when that is not served any more. What an object was before counts for
    /// selectors alone.
    pub(super) async fn converted(&mut self, mut events: Vec<Event>) -> Result<Option<Vec<Event>>, Status> {
        if !self.follow_definition() {
            return Ok(None);
        }
        if !self.converts() {
            return Ok(Some(events));
        }
        let narrows = !self.selectors.is_everything();
        let sides = |event: &Event| {
            let previous = event.previous.clone().filter(|_| narrows);
            std::iter::once(Arc::clone(&event.object)).chain(previous)
        };
        let objects = events.iter().flat_map(sides).collect();
        let opened = self.registry.opened_each(&self.definition, objects).await?;
        let mut opened = opened.into_iter();
        for event in &mut events {
            let previous = event.previous.as_mut().filter(|_| narrows);
            let sides = std::iter::once(&mut event.object).chain(previous);
            for (side, object) in sides.zip(opened.by_ref()) {
                *side = object;
            }
        }
        Ok(Some(events))
    }

    pub(super) fn events(&mut self, events: &[Event]) -> Bytes {
        let mut piece = BytesMut::new();
        for event in events {
            match self.judge(event) {
                Seen::Nothing => {}
                Seen::As(kind) => self.write(kind, &event.object, &mut piece),
                Seen::Left(previous) => {
                    let last = at_revision(previous, event.revision);
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    self.make("DELETED", &last, &mut piece);
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

    pub(super) fn write(&mut self, kind: &'static str, object: &Arc<Object>, out: &mut BytesMut) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let Some(form) = self.form.clone() else {
            return self.make(kind, object, out);
        };
        let shared = Arc::clone(&self.shared);
        let frame = shared.frame(object, kind, &form, || {
            let mut frame = BytesMut::new();
            self.make(kind, object, &mut frame);
            frame.freeze()
        });
        out.extend_from_slice(&frame);
    }

    fn make(&mut self, kind: &str, object: &Object, out: &mut BytesMut) {
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

    pub(super) fn error(&self, status: &Status) -> Bytes {
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

    pub(super) fn bookmark(&mut self, revision: Revision, which: Bookmark) -> Bytes {
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

//! Trouble within a watch: lines that come twice, that come after the next one, and an end in the middle.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};

use crate::proxy::{Answer, AnyError, OF_LINES, Trouble};

struct Watching {
    body: Incoming,
    trouble: Arc<Trouble>,
    buffer: BytesMut,
    /// What goes out next.
    ready: VecDeque<Bytes>,
    /// A line that comes after the next one.
    held: Option<Bytes>,
    is_over: bool,
}

/// The watch with its trouble.
pub(crate) fn watched(body: Incoming, trouble: Arc<Trouble>) -> Answer {
    let watching = Watching {
        body,
        trouble,
        buffer: BytesMut::new(),
        ready: VecDeque::new(),
        held: None,
        is_over: false,
    };
    StreamBody::new(stream::unfold(watching, next)).boxed_unsync()
}

async fn next(mut watching: Watching) -> Option<(Result<Frame<Bytes>, AnyError>, Watching)> {
    loop {
        if let Some(line) = watching.ready.pop_front() {
            return Some((Ok(Frame::data(line)), watching));
        }
        if watching.is_over {
            return None;
        }
        match watching.body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    watching.buffer.extend_from_slice(&data);
                    watching.take_lines();
                }
            }
            _ => watching.end(),
        }
    }
}

impl Watching {
    fn take_lines(&mut self) {
        while let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(at + 1).freeze();
            // A bookmark says that all before it came: nothing is held past it.
            let is_bookmark = line.starts_with(br#"{"type":"BOOKMARK""#);
            match self.trouble.of(OF_LINES) {
                Some("late") if !is_bookmark && self.held.is_none() => {
                    self.held = Some(line);
                    continue;
                }
                Some("twice") => self.ready.extend([line.clone(), line]),
                Some("cut watch") => {
                    // Not this line and none after it; the next watch begins before them.
                    return self.end();
                }
                _ if is_bookmark => {
                    self.ready.extend(self.held.take());
                    self.ready.push_back(line);
                }
                _ => self.ready.push_back(line),
            }
            self.ready.extend(self.held.take());
        }
    }

    /// What was held must go out first: the fleet may have seen what came after it.
    fn end(&mut self) {
        self.ready.extend(self.held.take());
        self.is_over = true;
    }
}

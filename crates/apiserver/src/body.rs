//! `Body`: what requests carry in and answers carry out, in one type, so that an in-process caller and a connection
//! look the same.
//!
//! Lists are sent from the stored bytes in chunks of bounded size; nothing here serialises.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

/// Why a body ended early. Only ever logged: the peer sees a reset stream.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// How many bytes of a list are put together at once.
const CHUNK: usize = 128 * 1024;

/// A request's or an answer's body.
pub struct Body(Inner);

enum Inner {
    Full(Option<Bytes>),
    List(ListBody),
    Incoming(Incoming),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>),
}

impl Body {
    /// Nothing.
    pub fn empty() -> Self {
        Self(Inner::Full(None))
    }

    /// All of it at hand.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Inner::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// What a connection delivers.
    pub fn incoming(body: Incoming) -> Self {
        Self(Inner::Incoming(body))
    }

    /// Any other body, such as a watch or a log.
    pub fn stream<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self(Inner::Stream(Box::pin(body)))
    }

    /// A list: `head`, the items' bytes with commas between, `tail`.
    pub(crate) fn list(head: Bytes, items: Vec<Bytes>, tail: Bytes) -> Self {
        Self(Inner::List(ListBody::new(head, items.into(), tail)))
    }

    /// How many bytes will come, where that is known.
    pub(crate) fn exact_len(&self) -> Option<u64> {
        HttpBody::size_hint(self).exact()
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Incoming> for Body {
    fn from(body: Incoming) -> Self {
        Self::incoming(body)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::List(list) => Poll::Ready(list.next().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Inner::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_none(),
            Inner::List(list) => list.left == 0,
            Inner::Incoming(body) => body.is_end_stream(),
            Inner::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Inner::List(list) => SizeHint::with_exact(list.left as u64),
            Inner::Incoming(body) => body.size_hint(),
            Inner::Stream(body) => body.size_hint(),
        }
    }
}

/// A list on its way out. Holds the items' shared bytes, not a copy of them; one chunk at a time is put together.
struct ListBody {
    head: Option<Bytes>,
    items: VecDeque<Bytes>,
    first: bool,
    tail: Option<Bytes>,
    left: usize,
}

impl ListBody {
    fn new(head: Bytes, items: VecDeque<Bytes>, tail: Bytes) -> Self {
        let commas = items.len().saturating_sub(1);
        let inner: usize = items.iter().map(Bytes::len).sum();
        Self {
            left: head.len() + inner + commas + tail.len(),
            head: Some(head),
            items,
            first: true,
            tail: Some(tail),
        }
    }
}

impl Iterator for ListBody {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let mut chunk = BytesMut::with_capacity(self.left.min(CHUNK));
        if let Some(head) = self.head.take() {
            chunk.extend_from_slice(&head);
        }
        while let Some(object) = self.items.front() {
            let needs = object.len() + 1;
            if !chunk.is_empty() && chunk.len() + needs > CHUNK {
                break;
            }
            if !std::mem::take(&mut self.first) {
                chunk.extend_from_slice(b",");
            }
            chunk.extend_from_slice(object);
            self.items.pop_front();
        }
        if self.items.is_empty()
            && let Some(tail) = self.tail.take()
        {
            chunk.extend_from_slice(&tail);
        }
        self.left = self.left.saturating_sub(chunk.len());
        Some(chunk.freeze())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(count: usize, size: usize) -> (usize, Vec<u8>) {
        let items = (0..count)
            .map(|at| Bytes::from(json!({"n": at, "pad": "x".repeat(size)}).to_string()))
            .collect();
        let list = ListBody::new(Bytes::from_static(b"["), items, Bytes::from_static(b"]"));
        let announced = list.left;
        let all: Vec<Bytes> = list.collect();
        assert!(all.iter().all(|chunk| chunk.len() <= CHUNK + size + 100));
        (announced, all.concat())
    }

    #[test]
    fn lists_are_sent_whole_with_the_length_they_announce() {
        for (count, size) in [(0, 0), (1, 10), (3, 5), (500, 1000), (3, 200_000)] {
            let (announced, bytes) = sent(count, size);
            assert_eq!(announced, bytes.len());
            let parsed: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(parsed.len(), count);
        }
    }
}

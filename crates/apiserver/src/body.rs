//! `Body`: what requests carry in and answers carry out, in one type, so that an in-process caller and a connection
//! look the same.
//!
//! Lists are sent from the stored bytes in chunks of bounded size; nothing here serialises.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

/// Why a body ended early. Only ever logged: the peer sees a reset stream.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// How many bytes of a list are put together at once.
const CHUNK: usize = 128 * 1024;

/// How much of a body that nobody wants is read before the answer is sent, as Go's server does.
const DRAINED: usize = 256 * 1024;
/// How long that may take.
const DRAINING: Duration = Duration::from_millis(500);

/// A request's or an answer's body.
pub struct Body(Inner);

/// A request's body beside the one who reads it. Over HTTP/2 a body that is dropped before its end resets the stream,
/// and some clients (curl) then report an error instead of the answer.
#[derive(Default)]
pub(crate) struct Hold(Option<Arc<Mutex<Incoming>>>);

impl Hold {
    /// Reads what nobody has read, up to a bound in bytes and time, so that the stream ends in order.
    pub(crate) async fn drain(&self) {
        let Some(body) = &self.0 else { return };
        let mut left = DRAINED;
        let rest = std::future::poll_fn(|cx| {
            loop {
                let frame = std::task::ready!(Pin::new(&mut *lock(body)).poll_frame(cx));
                let read = frame.and_then(|frame| Some(frame.ok()?.data_ref()?.len()));
                left = left.saturating_sub(read.unwrap_or(left));
                if left == 0 {
                    return Poll::Ready(());
                }
            }
        });
        // A peer that sends no more gets its answer all the same.
        let _ = tokio::time::timeout(DRAINING, rest).await;
    }
}

enum Inner {
    Full(Option<Bytes>),
    List(ListBody),
    Incoming(Incoming),
    Held(Arc<Mutex<Incoming>>),
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

    /// What a connection delivers, and a hold on it for what nobody reads.
    pub(crate) fn held(body: Incoming) -> (Self, Hold) {
        let body = Arc::new(Mutex::new(body));
        let hold = Hold(Some(Arc::clone(&body)));
        (Self(Inner::Held(body)), hold)
    }

    /// Any other body, such as a watch or a log.
    pub fn stream<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self(Inner::Stream(Box::pin(body)))
    }

    /// A list: `head`, the items' bytes with commas between, `tail`. An item may lack its opening brace: that is how one
    /// without its first fields shares the bytes of the whole.
    pub(crate) fn list(head: Bytes, items: Vec<Bytes>, tail: Bytes) -> Self {
        Self(Inner::List(ListBody::new(head, items.into(), tail)))
    }

    /// All of it, where it is at hand.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        match &self.0 {
            Inner::Full(bytes) => Some(bytes.clone().unwrap_or_default()),
            Inner::List(list) => Some(list.whole()),
            Inner::Incoming(_) | Inner::Held(_) | Inner::Stream(_) => None,
        }
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
            Inner::Held(body) => Pin::new(&mut *lock(body)).poll_frame(cx).map_err(Into::into),
            Inner::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_none(),
            Inner::List(list) => list.left == 0,
            Inner::Incoming(body) => body.is_end_stream(),
            Inner::Held(body) => lock(body).is_end_stream(),
            Inner::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Inner::List(list) => SizeHint::with_exact(list.left as u64),
            Inner::Incoming(body) => body.size_hint(),
            Inner::Held(body) => lock(body).size_hint(),
            Inner::Stream(body) => body.size_hint(),
        }
    }
}

fn lock(body: &Mutex<Incoming>) -> MutexGuard<'_, Incoming> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
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
        let inner: usize = items.iter().map(|item| item.len() + opening(item).len()).sum();
        Self {
            left: head.len() + inner + commas + tail.len(),
            head: Some(head),
            items,
            first: true,
            tail: Some(tail),
        }
    }
}

/// What an item of a list lacks at its beginning.
pub(crate) fn opening(item: &[u8]) -> &'static [u8] {
    if item.first() == Some(&b'{') { b"" } else { b"{" }
}

impl ListBody {
    /// What will be sent, put together.
    fn whole(&self) -> Bytes {
        let rest = Self {
            head: self.head.clone(),
            items: self.items.clone(),
            first: self.first,
            tail: self.tail.clone(),
            left: self.left,
        };
        rest.collect::<Vec<_>>().concat().into()
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
            let needs = object.len() + 2;
            if !chunk.is_empty() && chunk.len() + needs > CHUNK {
                break;
            }
            if !std::mem::take(&mut self.first) {
                chunk.extend_from_slice(b",");
            }
            chunk.extend_from_slice(opening(object));
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
    fn an_item_that_lost_its_first_fields_is_opened_again() {
        let items = [&br#""metadata":{}}"#[..], br#"{"kind":"A"}"#].map(Bytes::from_static);
        let list = ListBody::new(Bytes::from_static(b"["), items.into(), Bytes::from_static(b"]"));
        let announced = list.left;
        let sent = list.collect::<Vec<_>>().concat();
        assert_eq!(sent, br#"[{"metadata":{}},{"kind":"A"}]"#);
        assert_eq!(announced, sent.len());
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

//! A body that an async function produces piece by piece, without a task of its own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::body::BodyError;

/// Calls `step` for each piece until it returns `None`.
pub(crate) fn body<S, F, Fut>(state: S, step: F) -> Unfold<S, F, Fut>
where
    F: FnMut(S) -> Fut,
    Fut: Future<Output = (S, Option<Bytes>)>,
{
    Unfold {
        state: Some(state),
        step,
        running: None,
    }
}

/// See [`body`].
pub(crate) struct Unfold<S, F, Fut> {
    /// Between pieces; `None` while one is made, and after the end.
    state: Option<S>,
    step: F,
    running: Option<Pin<Box<Fut>>>,
}

impl<S, F, Fut> Body for Unfold<S, F, Fut>
where
    S: Unpin,
    F: FnMut(S) -> Fut + Unpin,
    Fut: Future<Output = (S, Option<Bytes>)>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut running = match (this.running.take(), this.state.take()) {
            (Some(running), _) => running,
            (None, Some(state)) => Box::pin((this.step)(state)),
            (None, None) => return Poll::Ready(None),
        };
        match running.as_mut().poll(cx) {
            Poll::Pending => {
                this.running = Some(running);
                Poll::Pending
            }
            Poll::Ready((state, Some(piece))) => {
                this.state = Some(state);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready((_, None)) => Poll::Ready(None),
        }
    }
}

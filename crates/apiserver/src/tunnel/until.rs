//! An answer that goes on for long, cut off when the listener stops: a client must not take that for its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BodyError};
use crate::route::Stop;

/// The body as it is where all of it is at hand, else one that breaks off at the stop.
pub(crate) fn until(body: Body, stop: Option<Stop>) -> Body {
    let Some(mut stop) = stop.filter(|_| body.whole().is_none()) else {
        return body;
    };
    Body::stream(Until {
        body,
        stopped: Some(Box::pin(async move { stop.stopped().await })),
    })
}

struct Until {
    body: Body,
    /// `None` once it was told.
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(stopped) = &mut self.stopped else {
            return Poll::Ready(None);
        };
        if stopped.as_mut().poll(cx).is_ready() {
            self.stopped = None;
            return Poll::Ready(Some(Err("the server stops".into())));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! The last net: what panics while answering a request ends that request with a 500, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use http::Response;
use warren_apimachinery::Status;

use crate::body::Body;

/// Answers, or 500 when answering panicked. What panicked is dropped and not used again.
pub(crate) async fn caught(
    answering: impl Future<Output = Result<Response<Body>, Status>>,
) -> Result<Response<Body>, Status> {
    let mut answering = pin!(answering);
    std::future::poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx))).unwrap_or_else(|_| {
            tracing::error!("a request panicked; it is answered with 500");
            Poll::Ready(Err(Status::internal("the request could not be answered")))
        })
    })
    .await
}

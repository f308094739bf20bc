//! What the host answers, made fit for a tenant.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use warren_apimachinery::status::{Cause, Details};
use warren_apimachinery::{Status, StatusReason};
use warren_apiserver::body::BodyError;
use warren_apiserver::{Body, Connect};

/// A refusal of the host in words of the virtual cluster. What the host says of our own rights there is not for a tenant.
pub(super) fn reworded(
    connect: &Connect,
    what: &str,
    status: &Status,
    words: impl Fn(&str) -> String,
) -> Status {
    if matches!(status.code(), 401 | 403) {
        tracing::warn!(%status, what, "the host does not let us");
        let why = format!("the host cluster does not permit {what}");
        return Status::forbidden(&connect.resource, &connect.key.name, &why);
    }
    let message = words(status.message());
    let said = match status.reason() {
        Some(reason) => Status::new(reason, message),
        None => Status::unclassified(message),
    };
    let said = said.with_code(status.code());
    let Some(details) = status.details() else {
        return said;
    };
    let causes = details.causes.iter().map(|cause| Cause {
        message: words(&cause.message),
        ..cause.clone()
    });
    said.with_details(Details {
        name: words(&details.name),
        uid: String::new(),
        causes: causes.collect(),
        ..details.clone()
    })
}

/// A host that is known not to serve something.
pub(super) fn unserved(what: &str) -> Status {
    Status::new(
        StatusReason::ServiceUnavailable,
        format!("the host cluster does not serve {what}"),
    )
}

/// A body that keeps its place among the tenant's streams until it has ended.
pub(super) fn held<B>(body: B, place: OwnedSemaphorePermit) -> Body
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    Body::stream(Held {
        body: body.map_err(Into::into),
        _place: place,
    })
}

struct Held<B> {
    body: B,
    _place: OwnedSemaphorePermit,
}

impl<B> HttpBody for Held<B>
where
    B: HttpBody<Data = Bytes, Error = BodyError> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

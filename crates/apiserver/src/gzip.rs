//! Compression of large answers, as upstream: gzip at level 1 above 128 KiB, never for watches.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame};

use crate::body::{Body, BodyError};

/// Answers above this are compressed.
const FROM: u64 = 128 * 1024;

/// Whether the client takes gzip.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| {
            // Upstream does not read weights: `gzip;q=1` is not `gzip` to it.
            text.split(',').any(|part| part.trim() == "gzip")
        })
}

/// Compresses an answer whose length is known and large enough.
pub(crate) fn apply(response: Response<Body>) -> Response<Body> {
    let is_large = response.body().exact_len().is_some_and(|len| len > FROM);
    if !is_large || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers
        .append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    let body = Body::stream(Compressed {
        body,
        encoder: Some(encoder),
    });
    Response::from_parts(head, body)
}

/// A body that is compressed as it goes, one piece at a time.
struct Compressed {
    body: Body,
    /// `None` once the end was written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            let Some(encoder) = this.encoder.as_mut() else {
                return Poll::Ready(None);
            };
            match std::task::ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if let Err(error) = encoder.write_all(&data) {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    let made = std::mem::take(encoder.get_mut());
                    if !made.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(made.into()))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let last = this.encoder.take().map(GzEncoder::finish);
                    return Poll::Ready(last.map(|last| match last {
                        Ok(bytes) => Ok(Frame::data(bytes.into())),
                        Err(error) => Err(error.into()),
                    }));
                }
            }
        }
    }
}

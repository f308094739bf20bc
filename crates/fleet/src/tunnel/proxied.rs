//! Answers of what is behind `pods/proxy` and `services/proxy`: links and redirections to itself lead through the virtual
//! API, as the host's API made them lead through its own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use http::{Response, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use warren_apimachinery::{ObjectKey, Resource, Status};
use warren_apiserver::body::BodyError;
use warren_apiserver::{Body, Connect};
use warren_syncer::Counterpart;

use super::answer::held;
use super::pass::{object_path, passed_back, target};
use super::request::headers_back;

/// Failures up to this size may be the host API's own, and are reworded.
const FAILURE: usize = 16 * 1024;

/// Where a proxied path begins on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    host: String,
    virtual_path: String,
}

impl Prefixes {
    /// # Errors
    /// When the client's path is none of a proxy, which cannot be.
    pub(super) fn of(resource: &Resource, connect: &Connect, key: &ObjectKey) -> Result<Self, Status> {
        let path = connect.request.uri().path();
        let virtual_path = path.strip_suffix(connect.target.path.as_str());
        let virtual_path =
            virtual_path.ok_or_else(|| Status::internal("a proxy's path is not understood"))?;
        let name = target(&key.name, &connect.target);
        Ok(Self {
            host: format!("{}/proxy", object_path(resource, key, &name)),
            virtual_path: virtual_path.to_owned(),
        })
    }

    /// A redirection, if it leads to what is proxied.
    fn location(&self, location: &HeaderValue) -> Option<HeaderValue> {
        let rest = location.to_str().ok()?.strip_prefix(&self.host)?;
        HeaderValue::try_from(format!("{}{rest}", self.virtual_path)).ok()
    }
}

/// The answer as the tenant gets it.
///
/// # Errors
/// What the host's API itself refuses, in words of the virtual cluster.
pub(super) async fn answer(
    answer: Response<Incoming>,
    prefixes: &Prefixes,
    counterpart: &Counterpart,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, Status> {
    if is_failure(&answer) {
        return failure(answer, counterpart).await;
    }
    let is_page = is_plain_html(answer.headers());
    let mut response = if is_page {
        let (head, body) = answer.into_parts();
        let rewritten = Rewritten::new(body, prefixes);
        let mut response = Response::new(held(rewritten, place));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers_back(&head.headers, false);
        response.headers_mut().remove(CONTENT_LENGTH);
        response
    } else {
        passed_back(answer, place)
    };
    let headers = response.headers_mut();
    if let Some(location) = headers
        .get(LOCATION)
        .and_then(|location| prefixes.location(location))
    {
        headers.insert(LOCATION, location);
    }
    Ok(response)
}

/// Whether the host's API itself may have said it.
fn is_failure(answer: &Response<Incoming>) -> bool {
    let is_json = starts(answer.headers(), CONTENT_TYPE, "application/json");
    let size = HttpBody::size_hint(answer.body()).upper();
    answer.status().as_u16() >= 400 && is_json && size.is_some_and(|size| size <= FAILURE as u64)
}

async fn failure(answer: Response<Incoming>, counterpart: &Counterpart) -> Result<Response<Body>, Status> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, FAILURE).collect().await;
    let bytes = body
        .map_err(|_| super::unavailable("the host cluster broke off"))?
        .to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    // Whoever said it: only names of the host are replaced.
    let text = counterpart.reworded(&text);
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = head.status;
    *response.headers_mut() = headers_back(&head.headers, false);
    response.headers_mut().remove(CONTENT_LENGTH);
    Ok(response)
}

fn is_plain_html(headers: &HeaderMap) -> bool {
    starts(headers, CONTENT_TYPE, "text/html") && !headers.contains_key(CONTENT_ENCODING)
}

fn starts(headers: &HeaderMap, name: HeaderName, with: &str) -> bool {
    let value = headers
        .get(name)
        .and_then(|value: &header::HeaderValue| value.to_str().ok());
    value.is_some_and(|value| value.starts_with(with))
}

/// A page in which one prefix is replaced by another as it passes.
struct Rewritten<B> {
    body: B,
    find: Box<[u8]>,
    put: Box<[u8]>,
    /// The end of what came, which may be the beginning of a prefix; shorter than `find`.
    kept: BytesMut,
    is_over: bool,
}

impl<B> Rewritten<B> {
    fn new(body: B, prefixes: &Prefixes) -> Self {
        Self {
            body,
            find: prefixes.host.as_bytes().into(),
            put: prefixes.virtual_path.as_bytes().into(),
            kept: BytesMut::new(),
            is_over: false,
        }
    }

    /// What can go on once `more` has come.
    fn take(&mut self, more: &[u8]) -> Bytes {
        self.kept.extend_from_slice(more);
        let came = std::mem::take(&mut self.kept);
        let mut out = BytesMut::with_capacity(came.len());
        let mut rest = &came[..];
        while let Some((before, behind)) = split(rest, &self.find) {
            out.extend_from_slice(before);
            out.extend_from_slice(&self.put);
            rest = behind;
        }
        let begun = (1..self.find.len().min(rest.len() + 1))
            .rev()
            .find(|length| {
                self.find
                    .get(..*length)
                    .is_some_and(|begin| rest.ends_with(begin))
            })
            .filter(|_| !self.is_over)
            .unwrap_or(0);
        let (sure, begun) = rest.split_at(rest.len() - begun);
        out.extend_from_slice(sure);
        self.kept.extend_from_slice(begun);
        out.freeze()
    }
}

fn split<'a>(text: &'a [u8], find: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, find)?;
    let (before, rest) = text.split_at(at);
    Some((before, rest.get(find.len()..)?))
}

impl<B> HttpBody for Rewritten<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while !this.is_over {
            let more = match std::task::ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                // What is no data (trailers) is between the host and us.
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                None => {
                    this.is_over = true;
                    Bytes::new()
                }
            };
            let bytes = this.take(&more);
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn prefixes() -> Prefixes {
        Prefixes {
            host: "/api/v1/namespaces/team-a/services/web-x-shop-x-demo:80/proxy".to_owned(),
            virtual_path: "/api/v1/namespaces/shop/services/web:80/proxy".to_owned(),
        }
    }

    #[test]
    fn links_are_replaced_however_the_page_is_cut() {
        let prefixes = prefixes();
        let page = format!(
            "<a href=\"{0}/a\">x</a><a href=\"{0}/b\"> /api/v1/namespaces/team-",
            prefixes.host
        );
        let expect = page.replace(&prefixes.host, &prefixes.virtual_path);
        for size in [1, 2, 7, 64, page.len()] {
            let mut rewritten = Rewritten::new(Full::new(Bytes::new()), &prefixes);
            let mut got: Vec<u8> = Vec::new();
            for piece in page.as_bytes().chunks(size) {
                got.extend(rewritten.take(piece));
            }
            rewritten.is_over = true;
            got.extend(rewritten.take(b""));
            assert_eq!(String::from_utf8_lossy(&got), expect, "in pieces of {size}");
        }
    }

    #[test]
    fn redirections_lead_through_the_virtual_api() {
        let prefixes = prefixes();
        let moved = |to: &str| prefixes.location(&HeaderValue::try_from(to).unwrap());
        let inside = moved(&format!("{}/login?next=%2F", prefixes.host)).unwrap();
        assert_eq!(
            inside,
            "/api/v1/namespaces/shop/services/web:80/proxy/login?next=%2F"
        );
        assert_eq!(moved("https://elsewhere.example/"), None);
    }
}

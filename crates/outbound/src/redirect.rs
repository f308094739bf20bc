//! Redirects, as Go's client follows them: ten at most; 307 and 308 with the body, others by a GET.

use http::{Method, Request, Uri, header};
use hyper::body::Bytes;

use crate::exchange::Answer;

/// The most that are followed.
const MOST: usize = 10;

/// The request that is sent next.
pub(crate) struct Next {
    method: Method,
    /// Where to.
    pub(crate) url: String,
    body: Bytes,
    followed: usize,
}

impl Next {
    /// A post of JSON.
    pub(crate) fn post(url: String, body: Bytes) -> Self {
        Self {
            method: Method::POST,
            url,
            body,
            followed: 0,
        }
    }

    /// # Errors
    /// When it cannot be written as HTTP.
    pub(crate) fn request(&self, uri: &Uri) -> Result<Request<Bytes>, String> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(&self.method)
            .uri(path)
            .header(header::ACCEPT, "application/json, */*")
            .header(header::USER_AGENT, "kube-apiserver-admission");
        if self.method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(self.body.clone()).map_err(|error| error.to_string())
    }

    /// Why it failed, in the words of Go's client.
    pub(crate) fn failed(&self, why: &str) -> String {
        self.told(&self.url, why)
    }

    fn told(&self, url: &str, why: &str) -> String {
        let verb = if self.method == Method::POST {
            "Post"
        } else {
            "Get"
        };
        format!("{verb} {url:?}: {why}")
    }

    /// Whether the answer leads elsewhere, which is where the next request goes.
    ///
    /// # Errors
    /// When it leads nowhere, or elsewhere too often.
    pub(crate) fn follow(&mut self, answer: &Answer) -> Result<bool, String> {
        if !matches!(answer.code, 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let location = answer.headers.get(header::LOCATION);
        let Some(location) = location.and_then(|location| location.to_str().ok()) else {
            return Ok(false);
        };
        self.followed += 1;
        if self.followed > MOST - 1 {
            return Err(self.told(location, "stopped after 10 redirects"));
        }
        let Some(url) = joined(&self.url, location) else {
            let why = format!("failed to parse Location header {location:?}");
            return Err(self.failed(&why));
        };
        if !matches!(answer.code, 307 | 308) {
            self.method = Method::GET;
            self.body = Bytes::new();
        }
        self.url = url;
        Ok(true)
    }
}

/// A location, seen from the address of the request that led to it.
fn joined(base: &str, location: &str) -> Option<String> {
    let to: Uri = location.parse().ok()?;
    if to.scheme().is_some() {
        return Some(location.to_owned());
    }
    let base: Uri = base.parse().ok()?;
    let origin = format!("{}://{}", base.scheme_str()?, base.authority()?);
    if location.starts_with('/') {
        return Some(format!("{origin}{location}"));
    }
    let (directory, _) = base.path().rsplit_once('/')?;
    Some(format!("{origin}{directory}/{location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_seen_from_where_it_was_said() {
        let base = "https://a.example:8443/x/y?timeout=1s";
        for (location, expected) in [
            ("/z", "https://a.example:8443/z"),
            ("z", "https://a.example:8443/x/z"),
            ("https://b.example/z", "https://b.example/z"),
        ] {
            assert_eq!(joined(base, location).as_deref(), Some(expected));
        }
    }
}

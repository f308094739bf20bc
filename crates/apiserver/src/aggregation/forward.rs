//! The way of a request to another server: as upstream's aggregator, which tells it who asks in headers.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONNECTION, HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Request, Response, StatusCode};
use warren_apimachinery::{Status, UserInfo};

use super::{Backends, RemoteVersion};
use crate::answer;
use crate::body::Body;
use crate::connect::whole;
use crate::cx::{Cx, Payload};
use crate::tunnel::switch;

/// How long a server may take to say what it serves.
const DISCOVERY: Duration = Duration::from_secs(5);

/// Headers that only we may say, and those that are for us alone.
const OURS: [&str; 3] = ["x-remote-", "impersonate-", "authorization"];

/// Sends a request on and hands back what comes.
///
/// # Errors
/// Only where the client cannot switch protocols; what is wrong with the other server is an answer in plain text, as
/// upstream's.
pub(crate) async fn forward(
    cx: &Cx<'_>,
    backends: Option<&dyn Backends>,
    to: &RemoteVersion,
    payload: Payload,
) -> Result<Response<Body>, Status> {
    let unavailable = |why: &str| Ok(answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")));
    let Some(backends) = backends.filter(|_| to.available) else {
        return unavailable("service unavailable");
    };
    let mut request = whole(cx, payload);
    identify(request.headers_mut(), cx.user);
    // The stream of an upgrade is the client's; the copy that goes on carries the words alone.
    let mut ours = Request::new(Body::empty());
    std::mem::swap(ours.extensions_mut(), request.extensions_mut());
    *ours.headers_mut() = request.headers().clone();
    let forwarding = backends.forward(&cx.cluster.id, &to.destination, request);
    let forwarded = if is_discovery(cx.uri.path()) {
        let patient = tokio::time::timeout(DISCOVERY, forwarding).await;
        patient.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
    } else {
        forwarding.await
    };
    let forwarded = match forwarded {
        Ok(forwarded) => forwarded,
        Err(why) => {
            tracing::debug!(group = %to.group, why, "a server of an APIService does not answer");
            return unavailable(&why);
        }
    };
    let answer = &forwarded.response;
    if answer.status().is_redirection() && answer.headers().contains_key(LOCATION) {
        let why = "the backend attempted to redirect this request, which is not permitted";
        return Ok(answer::text(StatusCode::BAD_GATEWAY, why.to_owned()));
    }
    if let Some(upgrade) = forwarded.upgrade {
        switch(&mut ours, move |client| async move {
            // The other server may go while the client switches: both ends are closed then.
            if let Ok(server) = upgrade.await {
                crate::tunnel::relay(client, hyper_util::rt::TokioIo::new(server)).await;
            }
        })?;
    }
    Ok(forwarded.response)
}

/// As upstream: what a version serves is asked for by everybody, so that a slow server must not keep them waiting.
fn is_discovery(path: &str) -> bool {
    path.trim_matches('/').split('/').count() == 3
}

/// Replaces whatever a client says of itself by who it was found to be.
fn identify(headers: &mut HeaderMap, user: &UserInfo) {
    let foreign: Vec<HeaderName> = headers
        .keys()
        .filter(|name| OURS.iter().any(|prefix| name.as_str().starts_with(prefix)))
        .cloned()
        .collect();
    for name in foreign {
        headers.remove(name);
    }
    headers.remove(AUTHORIZATION);
    if !headers.get_all(CONNECTION).iter().any(is_upgrade) {
        headers.remove(CONNECTION);
    }
    let mut say = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    };
    say("x-remote-user", &user.name);
    if !user.uid.is_empty() {
        say("x-remote-uid", &user.uid);
    }
    for group in &user.groups {
        say("x-remote-group", group);
    }
    for (key, values) in &user.extra {
        let name = format!("x-remote-extra-{}", escaped(key));
        for value in values {
            say(&name, value);
        }
    }
}

fn is_upgrade(value: &HeaderValue) -> bool {
    value
        .to_str()
        .is_ok_and(|text| text.to_ascii_lowercase().contains("upgrade"))
}

/// A key of `extra` as part of a header's name: what no token of HTTP may hold is percent-encoded, and `%` as well.
fn escaped(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for byte in key.bytes() {
        let is_token = byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
        if is_token {
            name.push(char::from(byte.to_ascii_lowercase()));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_hears_who_asks_and_not_what_the_client_says_of_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("impersonate-user", "y"),
            ("x-remote-user", "root"),
            ("x-remote-extra-scopes", "all"),
            ("connection", "keep-alive"),
            ("accept", "application/json"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let user = UserInfo {
            name: "jane".into(),
            groups: vec!["devs".into(), "system:authenticated".into()],
            extra: [("example.com/Scopes".to_owned(), vec!["read".to_owned()])].into(),
            ..UserInfo::default()
        };
        identify(&mut headers, &user);
        let mut told: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        told.sort();
        let expected = [
            ("accept", "application/json"),
            ("x-remote-extra-example.com%2fscopes", "read"),
            ("x-remote-group", "devs"),
            ("x-remote-group", "system:authenticated"),
            ("x-remote-user", "jane"),
        ];
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        assert_eq!(told, expected);
    }
}

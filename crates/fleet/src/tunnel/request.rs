//! What of a client's request goes to the host. Pure.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName,
    HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use warren_apiserver::Query;

/// What is between two neighbours only.
const HOPS: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Who the client is, which is no business of the host's, and what our own connection says better.
const OURS: [HeaderName; 5] = [
    AUTHORIZATION,
    HOST,
    CONTENT_LENGTH,
    ACCEPT_ENCODING,
    HeaderName::from_static("audit-id"),
];
const OURS_PREFIXES: [&str; 2] = ["impersonate-", "x-remote-"];
/// How a browser sends its token as a subprotocol.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// Of the host's answers: who answered there, and what it is to do for its own clients.
const HOSTS: [&str; 4] = [
    "audit-id",
    "x-kubernetes-pf-",
    "warning",
    "strict-transport-security",
];

/// The headers of the request to the host. An upgrade keeps what it switches to.
pub(super) fn headers(from: &HeaderMap, is_upgrade: bool) -> HeaderMap {
    let mut to = end_to_end(from);
    to.retain(|name| {
        !OURS.contains(name)
            && !OURS_PREFIXES
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
    });
    if let Some(offered) = protocols(&to) {
        to.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    if is_upgrade {
        switching(from, &mut to);
    }
    to
}

/// The headers of the host's answer, as the client gets them.
pub(super) fn headers_back(from: &HeaderMap, is_upgrade: bool) -> HeaderMap {
    let mut to = end_to_end(from);
    to.retain(|name| !HOSTS.iter().any(|prefix| name.as_str().starts_with(prefix)));
    if is_upgrade {
        switching(from, &mut to);
    }
    to
}

/// What the API itself is asked for with: failures in the one form that is understood here.
pub(super) fn accept_json(headers: &mut HeaderMap) {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*"));
}

/// The query as it came, but with the container that is meant, and with no other.
pub(super) fn query_of(query: &str, container: &str) -> String {
    let kept = query.split('&').filter(|pair| {
        let of_container = Query::parse(Some(pair)).value("container").is_some();
        !pair.is_empty() && !of_container
    });
    let mut out = kept.collect::<Vec<_>>().join("&");
    if !container.is_empty() {
        let and = if out.is_empty() { "" } else { "&" };
        out.push_str(&format!("{and}container={}", escaped(container)));
    }
    out
}

/// A segment of a path, or a value of a query, escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether a path leads upwards somewhere, in whatever spelling: a proxy before the host's API would follow it to what
/// the tenant must not reach.
pub(super) fn leads_upwards(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let plain = lower.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    let segments = plain.split(['/', '\\', ';']);
    let mut segments = segments.map(str::trim);
    segments.any(|segment| matches!(segment, "." | ".."))
}

fn end_to_end(from: &HeaderMap) -> HeaderMap {
    let listed: Vec<String> = from
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut to = from.clone();
    to.retain(|name| !HOPS.contains(name) && !listed.iter().any(|hop| hop == name.as_str()));
    to
}

/// The subprotocols without a token among them; `None` where nothing is to be changed.
fn protocols(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let offered: Vec<&str> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    if !offered.iter().any(|name| name.starts_with(BEARER_PROTOCOL)) {
        return None;
    }
    let kept: Vec<&str> = offered
        .into_iter()
        .filter(|name| !name.starts_with(BEARER_PROTOCOL))
        .collect();
    HeaderValue::try_from(kept.join(", ")).ok()
}

fn switching(from: &HeaderMap, to: &mut HeaderMap) {
    to.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    for protocol in from.get_all(UPGRADE) {
        to.append(UPGRADE, protocol.clone());
    }
}

/// The retention that `HeaderMap` lacks.
trait Retain {
    fn retain(&mut self, keep: impl Fn(&HeaderName) -> bool);
}

impl Retain for HeaderMap {
    fn retain(&mut self, keep: impl Fn(&HeaderName) -> bool) {
        let gone: Vec<HeaderName> = self.keys().filter(|name| !keep(name)).cloned().collect();
        for name in gone {
            self.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn an_upgrade_keeps_what_it_switches_to_and_loses_who_asks() {
        let got = headers(
            &map(&[
                ("connection", "Upgrade, X-Hop"),
                ("upgrade", "SPDY/3.1"),
                ("x-hop", "1"),
                ("x-stream-protocol-version", "v4.channel.k8s.io"),
                ("authorization", "Bearer secret"),
                ("impersonate-user", "root"),
                ("x-remote-group", "system:masters"),
                ("host", "tenant.example"),
                (
                    "sec-websocket-protocol",
                    "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0",
                ),
            ]),
            true,
        );
        assert_eq!(
            got,
            map(&[
                ("x-stream-protocol-version", "v4.channel.k8s.io"),
                ("sec-websocket-protocol", "v5.channel.k8s.io"),
                ("connection", "Upgrade"),
                ("upgrade", "SPDY/3.1"),
            ])
        );
    }

    #[test]
    fn an_answer_tells_nothing_of_the_hosts_own_business() {
        let got = headers_back(
            &map(&[
                ("audit-id", "1"),
                ("x-kubernetes-pf-flowschema-uid", "2"),
                ("content-type", "text/plain"),
                ("transfer-encoding", "chunked"),
            ]),
            false,
        );
        assert_eq!(got, map(&[("content-type", "text/plain")]));
    }

    #[test]
    fn the_query_stays_but_for_the_container() {
        let check = |query, container, expect| assert_eq!(query_of(query, container), expect);
        check(
            "command=ls&command=%2F&stdin=true",
            "app",
            "command=ls&command=%2F&stdin=true&container=app",
        );
        check(
            "container=&tailLines=1&%63ontainer=istio-proxy",
            "app",
            "tailLines=1&container=app",
        );
        check("ports=80", "", "ports=80");
        check("", "app", "container=app");
    }

    #[test]
    fn paths_that_lead_upwards_are_known_in_every_spelling() {
        for path in [
            "/..",
            "/a/../b",
            "/%2e%2E/x",
            "/a%2f..%2Fb",
            "/.",
            "/a/%2e",
            "/..;x=1/a",
            "/a\\..\\b",
        ] {
            assert!(leads_upwards(path), "{path}");
        }
        for path in ["", "/", "/a..b/...", "/.well-known/x", "/v1.2/a%20b"] {
            assert!(!leads_upwards(path), "{path}");
        }
    }
}

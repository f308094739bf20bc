//! URLs, as Go's `url.ParseRequestURI` takes them: absolute ones, and absolute paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Answer, Row, fail, no_such_overload};
use crate::value::{Key, Map, Opaque, Text, Value};

pub(super) const TABLE: &[Row] = &[
    ("url", "string_to_url", "(string) -> kubernetes.URL", url),
    ("isURL", "is_url_string", "(string) -> bool", is_url),
    (
        "getScheme",
        "url_get_scheme",
        "kubernetes.URL.() -> string",
        scheme,
    ),
    ("getHost", "url_get_host", "kubernetes.URL.() -> string", host),
    (
        "getHostname",
        "url_get_hostname",
        "kubernetes.URL.() -> string",
        hostname,
    ),
    ("getPort", "url_get_port", "kubernetes.URL.() -> string", port),
    (
        "getEscapedPath",
        "url_get_escaped_path",
        "kubernetes.URL.() -> string",
        path,
    ),
    (
        "getQuery",
        "url_get_query",
        "kubernetes.URL.() -> map(string, list(string))",
        query,
    ),
];

/// A URL in its parts.
#[derive(Debug)]
pub struct Url {
    text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// Go's texts.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fault = |why: &str| Err(format!("parse {}: {why}", super::strings::quoted(text)));
        if text.is_empty() {
            return fault("empty url");
        }
        if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return fault("net/url: invalid control character in URL");
        }
        let (scheme, rest) = split_scheme(text);
        if scheme.is_empty() && text.starts_with(':') {
            return fault("missing protocol scheme");
        }
        if !rest.starts_with('/') && scheme.is_empty() {
            return fault("invalid URI for request");
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match rest.strip_prefix("//") {
            Some(authority) => match authority.find('/') {
                Some(at) => authority.split_at_checked(at).unwrap_or((authority, "")),
                None => (authority, ""),
            },
            None => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if let Err(why) = check_host(host) {
            return fault(&why);
        }
        if let Some(bad) = bad_escape(path) {
            return fault(&format!("invalid URL escape {}", super::strings::quoted(&bad)));
        }
        Ok(Self {
            text: text.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_owned(),
            path: escape_path(path),
            query: query.to_owned(),
        })
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn name_and_port(&self) -> (&str, &str) {
        if let Some(rest) = self.host.strip_prefix('[') {
            let (name, after) = rest.split_once(']').unwrap_or((rest, ""));
            return (name, after.strip_prefix(':').unwrap_or_default());
        }
        self.host.rsplit_once(':').unwrap_or((&self.host, ""))
    }
}

fn split_scheme(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
        .unwrap_or(text.len());
    let is_scheme =
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.get(end..end + 1) == Some(":");
    if is_scheme {
        (
            text.get(..end).unwrap_or_default(),
            text.get(end + 1..).unwrap_or_default(),
        )
    } else {
        ("", text)
    }
}

fn check_host(host: &str) -> Result<(), String> {
    if let Some(c) = host.chars().find(|c| matches!(c, ' ' | '<' | '>' | '"')) {
        return Err(format!(
            "invalid character {} in host name",
            super::strings::quoted(&c.to_string())
        ));
    }
    let port = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((_, after)) => after,
            None => return Err("missing ']' in host".to_owned()),
        },
        None => host.find(':').and_then(|at| host.get(at..)).unwrap_or_default(),
    };
    let digits = port.strip_prefix(':');
    let is_port = port.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    if is_port {
        Ok(())
    } else {
        Err(format!(
            "invalid port {} after host",
            super::strings::quoted(port)
        ))
    }
}

/// The first `%` without two hexadecimal digits.
fn bad_escape(text: &str) -> Option<String> {
    text.match_indices('%').find_map(|(at, _)| {
        let digits = text.get(at + 1..at + 3);
        let is_good = digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        (!is_good).then(|| text.get(at..).unwrap_or("%").chars().take(3).collect())
    })
}

fn escape_path(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        let is_plain = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'_'
                    | b'.'
                    | b'~'
                    | b'$'
                    | b'&'
                    | b'+'
                    | b','
                    | b'/'
                    | b':'
                    | b';'
                    | b'='
                    | b'@'
                    | b'%'
                    | b'!'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'['
                    | b']'
            );
        if is_plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape_query(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.split_at_checked(2))
            .flatten()
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, after))
            });
        match escaped {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn url<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::String(text)] = arguments else {
        return Err(no_such_overload());
    };
    match Url::parse(text) {
        Ok(url) => Ok(Value::Opaque(Opaque::Url(Arc::new(url)))),
        Err(error) => fail(format!("URL parse error during conversion from string: {error}")),
    }
}

fn is_url<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::Bool(Url::parse(text).is_ok())),
        _ => Err(no_such_overload()),
    }
}

fn part<'a>(arguments: &[Value<'a>], of: fn(&Url) -> &str) -> Answer<'a> {
    match arguments {
        [Value::Opaque(Opaque::Url(url))] => Ok(Value::text(of(url))),
        _ => Err(no_such_overload()),
    }
}

fn scheme<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |url| &url.scheme)
}

fn host<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |url| &url.host)
}

fn hostname<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |url| url.name_and_port().0)
}

fn port<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |url| url.name_and_port().1)
}

fn path<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |url| &url.path)
}

fn query<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let [Value::Opaque(Opaque::Url(url))] = arguments else {
        return Err(no_such_overload());
    };
    let mut entries: BTreeMap<Key<'a>, Vec<Value<'a>>> = BTreeMap::new();
    // Upstream leaves out pairs with a semicolon.
    let is_pair = |pair: &&str| !pair.is_empty() && !pair.contains(';');
    for pair in url.query.split('&').filter(is_pair) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = Key::String(Text::Shared(unescape_query(name).into()));
        entries
            .entry(key)
            .or_default()
            .push(Value::text(unescape_query(value)));
    }
    let entries = entries
        .into_iter()
        .map(|(key, values)| (key, Value::list(values)));
    Ok(Value::Map(Map::Entries(Arc::new(entries.collect()))))
}

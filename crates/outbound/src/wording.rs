//! What Go's HTTP client says when a server cannot be reached, since that is what clients of the API read.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;

use rustls::{CertificateError, Error};

/// A name that is nobody's.
pub(crate) fn lookup(host: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => format!("dial tcp: lookup {host}: i/o timeout"),
        _ => format!("dial tcp: lookup {host}: no such host"),
    }
}

/// A connection that was not made.
pub(crate) fn dial(address: SocketAddr, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        io::ErrorKind::TimedOut => "connect: connection timed out".to_owned(),
        _ => format!("connect: {error}"),
    };
    format!("dial tcp {address}: {why}")
}

/// A handshake that failed. `first` are the first bytes that the server sent, `ends` the two ends of the stream.
pub(crate) fn handshake(error: &io::Error, first: &[u8], ends: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let certificate = match inner {
        Some(Error::InvalidCertificate(why)) => why,
        Some(Error::InvalidMessage(_)) if first == b"HTTP/" => {
            return "http: server gave HTTP response to HTTPS client".to_owned();
        }
        Some(Error::InvalidMessage(_)) => {
            return "tls: first record does not look like a TLS handshake".to_owned();
        }
        Some(Error::AlertReceived(alert)) => {
            return format!("remote error: tls: {}", spaced(&format!("{alert:?}")));
        }
        Some(other) => return format!("tls: {other}"),
        None => return stream(error, ends),
    };
    let why = match certificate {
        // The verifier's own words are Go's.
        CertificateError::Other(words) => words.0.to_string(),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "x509: certificate signed by unknown authority".to_owned()
        }
        other => format!("x509: {other}"),
    };
    format!("tls: failed to verify certificate: {why}")
}

/// `HandshakeFailure` as `handshake failure`.
fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

fn stream(error: &io::Error, ends: &str) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        io::ErrorKind::ConnectionReset => {
            let between = if ends.is_empty() {
                String::new()
            } else {
                format!(" {ends}")
            };
            format!("read tcp{between}: read: connection reset by peer")
        }
        io::ErrorKind::BrokenPipe => "write: broken pipe".to_owned(),
        _ => error.to_string(),
    }
}

/// A request that got no answer.
pub(crate) fn http(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return "EOF".to_owned();
    }
    if error.is_parse() {
        return format!("net/http: HTTP/1.x transport connection broken: malformed HTTP response: {error}");
    }
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    source.map_or_else(|| error.to_string(), |source| stream(source, ""))
}

/// A body that broke off.
pub(crate) fn body(error: &(dyn StdError + 'static)) -> String {
    match error.downcast_ref::<hyper::Error>() {
        Some(error)
            if error.is_incomplete_message() || error.is_closed() || error.is_body_write_aborted() =>
        {
            "unexpected EOF".to_owned()
        }
        Some(error) => match http(error).as_str() {
            "EOF" => "unexpected EOF".to_owned(),
            other => other.to_owned(),
        },
        None => error.to_string(),
    }
}

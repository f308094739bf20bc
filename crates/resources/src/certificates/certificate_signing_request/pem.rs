//! The outer form of requests and certificates: PEM around DER. Signatures are looked at by who signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const NO_REQUEST: &str = "PEM block type must be CERTIFICATE REQUEST";
/// The tag that every request and certificate starts with.
const SEQUENCE: u8 = 0x30;

struct Block<'a> {
    kind: &'a str,
    has_headers: bool,
    is_der: bool,
}

/// Whether the base64 text holds a request in PEM.
///
/// # Errors
/// Upstream's words.
pub(super) fn request(base64: &str) -> Result<(), &'static str> {
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let first = blocks(&text).into_iter().next();
    if first.is_some_and(|block| block.kind == "CERTIFICATE REQUEST") {
        Ok(())
    } else {
        Err(NO_REQUEST)
    }
}

/// Whether the base64 text holds nothing but certificates in PEM; no text is fine.
///
/// # Errors
/// Upstream's words.
pub(super) fn certificates(base64: &str) -> Result<(), String> {
    if base64.is_empty() {
        return Ok(());
    }
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let found = blocks(&text);
    for block in &found {
        if block.kind != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found {:?}",
                block.kind
            ));
        }
        if block.has_headers {
            return Err("no PEM block headers are permitted".to_owned());
        }
        if !block.is_der {
            return Err("x509: malformed certificate".to_owned());
        }
    }
    if found.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    Ok(())
}

/// The well-formed blocks of a text; the rest of it is passed over, as Go's decoder does.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        rest = after;
        let Some((kind, body)) = after.split_once("-----\n") else {
            continue;
        };
        let Some((body, after)) = body.split_once(&format!("-----END {kind}-----")) else {
            continue;
        };
        let (headers, encoded) = body.split_once("\n\n").unwrap_or(("", body));
        let encoded: String = encoded.split_whitespace().collect();
        if let Ok(bytes) = STANDARD.decode(encoded) {
            found.push(Block {
                kind,
                has_headers: !headers.is_empty(),
                is_der: bytes.first() == Some(&SEQUENCE),
            });
            rest = after;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_of_the_right_kind_count() {
        let check = |text: &str, expected: Result<(), &str>| {
            assert_eq!(
                certificates(&STANDARD.encode(text)),
                expected.map_err(str::to_owned),
                "{text}"
            );
        };
        check(
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            Ok(()),
        );
        check("x", Err("must contain at least one CERTIFICATE PEM block"));
        check(
            "-----BEGIN KEY-----\nMAA=\n-----END KEY-----\n",
            Err("only CERTIFICATE PEM blocks are allowed, found \"KEY\""),
        );
        check(
            "-----BEGIN CERTIFICATE-----\na: b\n\nMAA=\n-----END CERTIFICATE-----\n",
            Err("no PEM block headers are permitted"),
        );
        let broken = "-----BEGIN CERTIFICATE REQUEST-----\nM===A\n-----END CERTIFICATE REQUEST-----\n";
        assert_eq!(request(&STANDARD.encode(broken)), Err(NO_REQUEST));
    }
}

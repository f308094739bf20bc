//! JSON that Go reads and a stricter parser refuses.
//!
//! Runs only on well-formed input that the parser refused already.

use std::ops::Range;

/// The text with halves of surrogate pairs replaced by U+FFFD, as Go reads them; `None` when there are none.
pub(super) fn without_halves(json: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        if *byte != b'\\' {
            at += 1;
            continue;
        }
        let Some(unit) = unit(json, at) else {
            // Another escape, of two bytes.
            at += 2;
            continue;
        };
        at += 6;
        match unit {
            0xd800..0xdc00 if unit_is_low(json, at) => at += 6,
            0xd800..0xe000 => {
                out.extend_from_slice(json.get(copied..at - 6)?);
                out.extend_from_slice(b"\\ufffd");
                copied = at;
            }
            _ => {}
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(json.get(copied..)?);
    Some(out)
}

fn unit_is_low(json: &[u8], at: usize) -> bool {
    matches!(unit(json, at), Some(0xdc00..0xe000))
}

/// The value of the `\u` escape that begins here.
fn unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What Go says of a number that no 64-bit float holds; else what the parser said.
pub(super) fn beyond_range(json: &[u8], why: &str) -> String {
    let mut at = 0;
    while let Some(token) = number(json, &mut at) {
        let literal = std::str::from_utf8(json.get(token).unwrap_or_default()).unwrap_or_default();
        if literal.parse::<f64>().is_ok_and(f64::is_infinite) {
            return format!("json: cannot unmarshal number {literal} into Go value of type float64");
        }
    }
    why.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The next number outside of text.
fn number(json: &[u8], at: &mut usize) -> Option<Range<usize>> {
    loop {
        match json.get(*at)? {
            b'"' => {
                *at += 1;
                while let Some(byte) = json.get(*at).filter(|byte| **byte != b'"') {
                    *at += if *byte == b'\\' { 2 } else { 1 };
                }
                *at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let start = *at;
                let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                while json.get(*at).is_some_and(is_of_number) {
                    *at += 1;
                }
                return Some(start..*at);
            }
            _ => *at += 1,
        }
    }
}

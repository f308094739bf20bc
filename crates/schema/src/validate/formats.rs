//! The formats that upstream validates. Formats that it does not know are not looked at.

use std::net::{IpAddr, Ipv6Addr};

use warren_apimachinery::address::Cidr;
use warren_apimachinery::{name, time};

use crate::model::{Schema, Type};

mod numbered;

/// The formats of text that are known, without dashes.
const TEXT: [&str; 26] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Whether a format is one of text that is validated; dashes do not count.
pub(crate) fn is_known(format: &str) -> bool {
    let plain: String = format.chars().filter(|c| *c != '-').collect();
    TEXT.contains(&plain.as_str())
}

/// Whether values of a type (empty: of any) are looked at for a format.
pub fn is_checked(kind: &str, format: &str) -> bool {
    match kind {
        "" | "string" => is_known(format),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    }
}

/// The format of a schema, where its values are looked at for it.
pub(super) fn checked(schema: &Schema) -> Option<&str> {
    let kind = match schema.kind {
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Any | Type::IntOrString | Type::Quantity => "",
        Type::Object | Type::Array | Type::Boolean => return None,
    };
    let format = schema.format.as_deref()?;
    is_checked(kind, format).then_some(format)
}

/// Whether `text` is of `format`; true for formats that nobody validates.
pub(super) fn is_valid(format: &str, text: &str) -> bool {
    let plain: String = format.chars().filter(|c| *c != '-').collect();
    match plain.as_str() {
        "datetime" => is_date_time(text),
        "date" => is_date(text),
        "duration" => is_duration(text),
        "ipv4" => is_ipv4(text),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => Cidr::parse(text).is_some(),
        "mac" => is_mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(&plain, text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "uri" => is_uri(text),
        "byte" => is_base64(text),
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "isbn" => numbered::is_isbn10(text) || numbered::is_isbn13(text),
        "isbn10" => numbered::is_isbn10(text),
        "isbn13" => numbered::is_isbn13(text),
        "creditcard" => numbered::is_credit_card(text),
        "ssn" => numbered::is_social_security(text),
        "hexcolor" => is_hex_color(text),
        "rgbcolor" => is_rgb_color(text),
        "k8sshortname" => name::dns1123_label(text).is_empty(),
        "k8slongname" => name::dns1123_subdomain(text).is_empty(),
        _ => true,
    }
}

/// Each part may have zeros before it.
fn is_ipv4(text: &str) -> bool {
    if text.contains(':') {
        let mapped = text.parse::<Ipv6Addr>().is_ok();
        return mapped && text.contains('.');
    }
    let parts: Vec<&str> = text.split('.').collect();
    let is_byte = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u32>().is_ok_and(|n| n <= 255)
    };
    parts.len() == 4 && parts.iter().all(is_byte)
}

/// Upstream looks at the date, and at the shape of the time.
fn is_date_time(text: &str) -> bool {
    let lowered = text.to_lowercase();
    let Some((date, rest)) = lowered.split_once('t') else {
        return false;
    };
    let clock = rest.split('t').next().unwrap_or_default();
    is_date(date) && is_clock(clock)
}

/// `hh:mm:ss`, a fraction behind any sign, and `z` or an offset.
fn is_clock(text: &str) -> bool {
    let digits = |text: &str, at: std::ops::Range<usize>, most: &str| {
        text.get(at)
            .is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()) && part <= most)
    };
    let Some((clock, rest)) = text.split_at_checked(8) else {
        return false;
    };
    let colons = clock.get(2..3) == Some(":") && clock.get(5..6) == Some(":");
    if !colons || !digits(clock, 0..2, "23") || !digits(clock, 3..5, "59") || !digits(clock, 6..8, "59") {
        return false;
    }
    let is_zone = |text: &str| {
        text == "z"
            || (text.len() == 6
                && text.starts_with(['+', '-'])
                && text.get(3..4) == Some(":")
                && digits(text, 1..3, "99")
                && digits(text, 4..6, "99"))
    };
    let mut after = rest.chars();
    let has_fraction = after.next().is_some() && {
        let rest = after.as_str();
        let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        zone.len() < rest.len() && is_zone(zone)
    };
    is_zone(rest) || has_fraction
}

/// Standard base64; upstream's expression wants its padding.
fn is_base64(text: &str) -> bool {
    !text.is_empty() && !text.contains(['\n', '\r']) && crate::check::is_base64(text)
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_rgb_color(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("rgb(").and_then(|text| text.strip_suffix(')')) else {
        return false;
    };
    let parts: Vec<&str> = inner
        .split(',')
        .map(|part| part.trim_matches([' ', '\t', '\n', '\r']))
        .collect();
    let is_part = |part: &&str| {
        part.bytes().all(|b| b.is_ascii_digit())
            && (*part == "0" || !part.starts_with('0'))
            && part.parse::<u16>().is_ok_and(|n| n <= 255)
    };
    parts.len() == 3 && parts.iter().all(is_part)
}

fn is_date(text: &str) -> bool {
    time::parse(&format!("{text}T00:00:00Z")).is_ok()
}

/// Go's durations (`1h30m`), else any text in which a number stands before a word for a time (`3 days`).
fn is_duration(text: &str) -> bool {
    is_go_duration(text) || has_span(text)
}

fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut is_any = false;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = rest.get(..rest.len() - unit.len()).unwrap_or_default();
        let is_number = number.matches('.').count() <= 1 && number.bytes().any(|b| b.is_ascii_digit());
        let known = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let end = unit
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(unit.len());
        let (name, after) = unit.split_at_checked(end).unwrap_or((unit, ""));
        if !is_number || !known.contains(&name) {
            return false;
        }
        is_any = true;
        rest = after;
    }
    is_any
}

fn has_span(text: &str) -> bool {
    const EXACT: [&str; 12] = ["ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk", "sec"];
    const BEGUN: [&str; 8] = ["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let from = rest.get(at..).unwrap_or_default();
        let after = from.trim_start_matches(|c: char| c.is_ascii_digit());
        let word = after.trim_start();
        let end = word
            .find(|c: char| !c.is_ascii_alphabetic() && c != 'µ')
            .unwrap_or(word.len());
        let unit = word.get(..end).unwrap_or_default().to_lowercase();
        if EXACT.contains(&unit.as_str()) || BEGUN.iter().any(|begin| unit.starts_with(begin)) {
            return true;
        }
        rest = after;
    }
    false
}

fn is_mac(text: &str) -> bool {
    let of = |separator: char, width: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        let is_part = |part: &&str| part.len() == width && part.bytes().all(|b| b.is_ascii_hexdigit());
        counts.contains(&parts.len()) && parts.iter().all(is_part)
    };
    of(':', 2, &[6, 8, 20]) || of('-', 2, &[6, 8, 20]) || of('.', 4, &[3, 4, 10])
}

/// Each dash may be left out.
fn is_uuid(format: &str, text: &str) -> bool {
    let mut rest = text;
    let mut digits = String::with_capacity(32);
    for (part, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if part > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((head, tail)) = rest.split_at_checked(length) else {
            return false;
        };
        digits.push_str(head);
        rest = tail;
    }
    let version = format.strip_prefix("uuid").unwrap_or_default();
    let has_version = version.is_empty() || digits.get(12..13) == Some(version);
    let variant = digits.get(16..17).unwrap_or_default();
    let has_variant = !matches!(version, "4" | "5") || matches!(variant, "8" | "9" | "a" | "b" | "A" | "B");
    rest.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()) && has_version && has_variant
}

/// An address as mail headers have it: `a@b`, or `Name <a@b>`.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(inner) => inner.rsplit_once('<').map_or("", |(_, address)| address),
        None => text,
    };
    let is_atom = |text: &str| {
        !text.is_empty()
            && text.split('.').all(|part| {
                !part.is_empty()
                    && part.chars().all(|c| {
                        !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
                    })
            })
    };
    let is_quoted = |text: &str| text.len() > 2 && text.starts_with('"') && text.ends_with('"');
    let is_literal = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inner.is_some_and(|ip| ip.parse::<IpAddr>().is_ok())
    };
    address
        .rsplit_once('@')
        .is_some_and(|(user, host)| (is_atom(user) || is_quoted(user)) && (is_atom(host) || is_literal(host)))
}

/// Upstream's expression takes one label of letters, digits and signs, or labels that end in one of letters.
fn is_hostname(text: &str) -> bool {
    let is_sign = |c: char| {
        c.is_alphabetic()
            || c.is_ascii_digit()
            || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
            || "$+<=>^`|~".contains(c)
    };
    let labels: Vec<&str> = text.split('.').collect();
    let is_label = |label: &str| {
        label.len() <= name::LABEL_MAX
            && label.starts_with(is_sign)
            && label.ends_with(is_sign)
            && label.chars().all(|c| is_sign(c) || c == '-')
    };
    let Some((last, before)) = labels.split_last() else {
        return false;
    };
    if text.is_empty() || text.len() > 255 || !labels.iter().all(|label| is_label(label)) {
        return false;
    }
    before.is_empty() || ((2..=63).contains(&last.chars().count()) && last.chars().all(char::is_alphabetic))
}

/// What Go's `url.ParseRequestURI` takes: an absolute URI or an absolute path.
fn is_uri(text: &str) -> bool {
    if text.bytes().any(|b| b <= 0x20 || b == 0x7f) {
        return false;
    }
    let Some((scheme, _)) = text.split_once(':') else {
        return text.starts_with('/');
    };
    text.starts_with('/')
        || (scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_formats() {
        for (format, good, bad) in [
            ("date-time", "2026-01-01T00:00:00Z", "2026-01-01"),
            ("date", "2026-01-31", "2026-02-31"),
            ("duration", "1h30m", "1x"),
            ("ipv4", "1.2.3.4", "::1"),
            ("ipv6", "::1", "1.2.3.4"),
            ("cidr", "10.0.0.0/8", "10.0.0.0"),
            ("mac", "00:11:22:33:44:55", "00:11"),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
            (
                "uuid4",
                "123e4567-e89b-42d3-a456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
            ("email", "a@b.c", "a"),
            ("hostname", "a-b.co", "a.b-c"),
            ("date-time", "2026-01-01t00:00:00.5+01:00", "2026-01-01T24:00:00Z"),
            ("ipv4", "010.0.0.1", "256.0.0.1"),
            ("isbn", "0321751043", "0321751042"),
            ("isbn13", "978-0321751041", "978-0321751042"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("ssn", "123-45-6789", "123-456-789"),
            ("hexcolor", "#FFFFFF", "#FFFF"),
            ("rgbcolor", "rgb(1, 2,255)", "rgb(1,2,256)"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "x"),
            ("k8s-short-name", "a-b", "a.b"),
            ("k8s-long-name", "a.b", "A.b"),
            ("duration", "3 days", "days"),
            ("uri", "https://a/b", "a b"),
            ("byte", "dg==", "dg="),
        ] {
            assert!(is_valid(format, good), "{format} {good}");
            assert!(!is_valid(format, bad), "{format} {bad}");
        }
        assert!(is_valid("password", "anything"));
    }
}

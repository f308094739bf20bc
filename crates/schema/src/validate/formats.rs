//! The formats of text that upstream validates. Formats that it does not know are not looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use warren_apimachinery::address::Cidr;
use warren_apimachinery::{name, time};

/// Whether `text` is of `format`; true for formats that nobody validates.
pub(super) fn is_valid(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => time::parse(text).is_ok(),
        "date" => is_date(text),
        "duration" => is_duration(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "ip" => text.parse::<IpAddr>().is_ok(),
        "cidr" => Cidr::parse(text).is_some(),
        "mac" => is_mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(format, text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "uri" => is_uri(text),
        "byte" => crate::check::is_base64(text),
        _ => true,
    }
}

fn is_date(text: &str) -> bool {
    time::parse(&format!("{text}T00:00:00Z")).is_ok()
}

/// Go's durations (`1h30m`), and the words that upstream's format library takes besides (`3 days`).
fn is_duration(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['+', '-']).trim();
    if rest == "0" {
        return true;
    }
    let mut is_any = false;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if number.len() == rest.len() {
            return false;
        }
        let unit_and_more = number.trim_start();
        let end = unit_and_more
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(unit_and_more.len());
        let Some((unit, after)) = unit_and_more.split_at_checked(end) else {
            return false;
        };
        let is_unit = matches!(unit, "ns" | "us" | "µs" | "ms" | "s" | "m" | "h" | "d" | "w")
            || matches!(
                unit.trim_end_matches('s'),
                "nano"
                    | "micro"
                    | "milli"
                    | "sec"
                    | "second"
                    | "min"
                    | "minute"
                    | "hr"
                    | "hour"
                    | "day"
                    | "week"
                    | "wk"
            );
        if !is_unit {
            return false;
        }
        is_any = true;
        rest = after.trim_start();
    }
    is_any
}

fn is_mac(text: &str) -> bool {
    [':', '-'].iter().any(|separator| {
        let parts: Vec<&str> = text.split(*separator).collect();
        matches!(parts.len(), 6 | 8 | 20)
            && parts
                .iter()
                .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

fn is_uuid(format: &str, text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let dashes_fit = match text.len() {
        32 => true,
        36 => text
            .char_indices()
            .filter(|(_, c)| *c == '-')
            .map(|(at, _)| at)
            .eq([8, 13, 18, 23]),
        _ => false,
    };
    let version = format.strip_prefix("uuid").unwrap_or_default();
    let has_version = version.is_empty() || digits.get(12..13) == Some(version);
    dashes_fit && digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && has_version
}

fn is_email(text: &str) -> bool {
    let address = text
        .rsplit_once('<')
        .map_or(text, |(_, rest)| rest.trim_end_matches('>'));
    address.rsplit_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !user.contains(char::is_whitespace) && is_hostname(host)
    })
}

fn is_hostname(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= name::SUBDOMAIN_MAX
        && text.trim_end_matches('.').split('.').all(|label| {
            !label.is_empty()
                && label.len() <= name::LABEL_MAX
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// What Go's `url.ParseRequestURI` takes: an absolute URI or an absolute path.
fn is_uri(text: &str) -> bool {
    if text.bytes().any(|b| b <= 0x20 || b == 0x7f) {
        return false;
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return text.starts_with('/');
    };
    text.starts_with('/')
        || (scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            && !rest.is_empty())
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
            ("hostname", "a.b-c", "a b"),
            ("uri", "https://a/b", "a b"),
            ("byte", "dg==", "dg="),
        ] {
            assert!(is_valid(format, good), "{format} {good}");
            assert!(!is_valid(format, bad), "{format} {bad}");
        }
        assert!(is_valid("password", "anything"));
    }
}

//! Spans and points of time as text.

use jiff::Timestamp;

const NANOS: i128 = 1_000_000_000;
/// The first and the last second that a timestamp may have, as upstream: years 1 to 9999.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// Go's durations, such as `1h30m` and `-1.5s`, in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => NANOS,
            "m" => 60 * NANOS,
            "h" => 3_600 * NANOS,
            _ => return None,
        };
        total = total.checked_add(scaled(number, unit)?)?;
        rest = after;
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

/// Durations as `format: duration` takes them: Go's, and words such as `3 days`.
pub(crate) fn parse_words(text: &str) -> Option<i64> {
    if let Some(nanos) = parse_duration(text) {
        return Some(nanos);
    }
    let mut total: i128 = 0;
    let mut rest = text.trim();
    let is_negative = rest.starts_with('-');
    rest = rest.trim_start_matches(['-', '+']);
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let unit: i128 = match unit
            .strip_suffix('s')
            .filter(|unit| unit.len() > 1)
            .unwrap_or(unit)
        {
            "ns" | "n" | "nano" | "nanosecond" => 1,
            "us" | "u" | "µ" | "micro" | "microsecond" => 1_000,
            "ms" | "milli" | "millisecond" => 1_000_000,
            "s" | "sec" | "second" => NANOS,
            "m" | "min" | "minute" => 60 * NANOS,
            "h" | "hr" | "hour" => 3_600 * NANOS,
            "d" | "day" => 86_400 * NANOS,
            "w" | "wk" | "week" => 7 * 86_400 * NANOS,
            _ => return None,
        };
        total = total.checked_add(scaled(number, unit)?)?;
        rest = after.trim_start();
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

fn split_number(text: &str) -> Option<((&str, &str), &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at_checked(end)?;
    let Some(after) = rest.strip_prefix('.') else {
        return (!whole.is_empty()).then_some(((whole, ""), rest));
    };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (fraction, rest) = after.split_at_checked(end)?;
    (!whole.is_empty() || !fraction.is_empty()).then_some(((whole, fraction), rest))
}

fn scaled((whole, fraction): (&str, &str), unit: i128) -> Option<i128> {
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut sum = whole.checked_mul(unit)?;
    let mut part = unit;
    for digit in fraction.bytes() {
        part /= 10;
        sum += i128::from(digit - b'0') * part;
    }
    (sum <= i128::from(i64::MAX) + 1).then_some(sum)
}

/// Seconds, as `string(duration)` writes them.
pub(crate) fn format_duration(nanos: i64) -> String {
    let (sign, whole) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, rest) = (whole / 1_000_000_000, whole % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{seconds}s");
    }
    let rest = format!("{rest:09}");
    format!("{sign}{seconds}.{}s", rest.trim_end_matches('0'))
}

/// RFC 3339 with as many digits as needed.
pub(crate) fn format_timestamp(at: Timestamp) -> String {
    at.to_string()
}

/// RFC 3339.
pub(crate) fn parse_timestamp(text: &str) -> Result<Timestamp, String> {
    let bytes = text.as_bytes();
    let is_rfc3339 = bytes.len() >= 20
        && bytes.get(10) == Some(&b'T')
        && bytes
            .get(19)
            .is_some_and(|b| matches!(b, b'Z' | b'.' | b'+' | b'-'));
    let parsed: Result<Timestamp, _> = text.parse();
    match parsed {
        Ok(at) if is_rfc3339 => Ok(at),
        Ok(_) => Err(format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// A timestamp from seconds and nanoseconds since 1970, within upstream's bounds.
pub(crate) fn timestamp(nanos: i128) -> Option<Timestamp> {
    let at = Timestamp::from_nanosecond(nanos).ok()?;
    (FIRST..=LAST).contains(&at.as_second()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_durations() {
        for (text, nanos) in [
            ("1h30m", Some(5_400_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            (".5ms", Some(500_000)),
            ("0", Some(0)),
            ("1", None),
            ("", None),
            ("1x", None),
            ("9223372036854775808h", None),
        ] {
            assert_eq!(parse_duration(text), nanos, "{text}");
        }
        assert_eq!(parse_words("3 days"), Some(3 * 86_400 * 1_000_000_000));
        assert_eq!(format_duration(5_400_000_000_000), "5400s");
        assert_eq!(format_duration(-1_500_000_000), "-1.5s");
    }
}

//! Times as the API writes them, and durations as tables print them.

use std::time::Duration;

use jiff::Timestamp;

/// `metav1.Time`: RFC 3339 in UTC, whole seconds.
pub fn format(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `metav1.MicroTime`: RFC 3339 in UTC with six digits behind the second.
pub fn format_micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Reads RFC 3339 with any offset and any fraction of a second, as Go does.
///
/// # Errors
/// Go's text, such as `parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"`.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    read(text, "2006-01-02T15:04:05Z07:00")
}

/// Reads a `MicroTime`.
///
/// # Errors
/// Go's text.
pub fn parse_micro(text: &str) -> Result<Timestamp, String> {
    read(text, "2006-01-02T15:04:05.000000Z07:00")
}

fn read(text: &str, layout: &str) -> Result<Timestamp, String> {
    let rest = shape(text).map_err(|(rest, element)| {
        format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}")
    })?;
    if !rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {rest:?}"));
    }
    text.parse()
        .map_err(|_| format!("parsing time {text:?}: {}", out_of_range(text)))
}

/// Walks the parts of RFC 3339; answers what is left behind it, or where it breaks and what was expected.
fn shape(text: &str) -> Result<&str, (&str, &'static str)> {
    const PARTS: [(usize, &str, &str); 6] = [
        (4, "2006", "-"),
        (2, "01", "-"),
        (2, "02", "T"),
        (2, "15", ":"),
        (2, "04", ":"),
        (2, "05", ""),
    ];
    let mut rest = text;
    for (digits, element, behind) in PARTS {
        rest = after_digits(rest, digits).ok_or((rest, element))?;
        rest = rest.strip_prefix(behind).ok_or((rest, behind))?;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if after.len() < fraction.len() {
            rest = after;
        }
    }
    if let Some(rest) = rest.strip_prefix('Z') {
        return Ok(rest);
    }
    let offset = rest.strip_prefix(['+', '-']).ok_or((rest, "Z07:00"))?;
    let minutes = after_digits(offset, 2).and_then(|rest| rest.strip_prefix(':'));
    minutes
        .and_then(|rest| after_digits(rest, 2))
        .ok_or((rest, "Z07:00"))
}

fn after_digits(text: &str, count: usize) -> Option<&str> {
    let (digits, rest) = text.split_at_checked(count)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(rest)
}

/// Which part of a well-shaped time does not exist.
fn out_of_range(text: &str) -> String {
    let part = |from: usize| {
        text.get(from..from + 2)
            .and_then(|t| t.parse::<u8>().ok())
            .unwrap_or_default()
    };
    let what = if !(1..=12).contains(&part(5)) {
        "month"
    } else if part(11) > 23 {
        "hour"
    } else if part(14) > 59 {
        "minute"
    } else if part(17) > 59 {
        "second"
    } else {
        "day"
    };
    format!("{what} out of range")
}

/// How long ago `then` was, as tables print ages.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    match u64::try_from(seconds) {
        Ok(seconds) => human_duration(Duration::from_secs(seconds)),
        Err(_) if seconds >= -1 => "0s".to_owned(),
        Err(_) => "<invalid>".to_owned(),
    }
}

/// Upstream's `HumanDuration`: two units where it is short, one where it is long.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        two(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        two(days, "d", hours % 24, "h")
    } else if days < 730 {
        format!("{days}d")
    } else if days < 8 * 365 {
        two(days / 365, "y", days % 365, "d")
    } else {
        format!("{}y", days / 365)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_both_forms() {
        let time = parse("2026-11-22T10:59:32.1234567+01:00").unwrap();
        assert_eq!(format(time), "2026-11-22T09:59:32Z");
        assert_eq!(format_micro(time), "2026-11-22T09:59:32.123456Z");
        assert_eq!(
            parse_micro("2026-11-22T09:59:32.123456Z")
                .unwrap()
                .as_microsecond()
                % 1_000_000,
            123_456
        );
    }

    #[test]
    fn refuses_with_go_words() {
        for (text, expect) in [
            (
                "x",
                r#"parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#,
            ),
            (
                "2026-11-22",
                r#"parsing time "2026-11-22" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#,
            ),
            (
                "2026-11-22T09:59:32",
                r#"parsing time "2026-11-22T09:59:32" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#,
            ),
            (
                "2026-13-22T09:59:32Z",
                r#"parsing time "2026-13-22T09:59:32Z": month out of range"#,
            ),
            (
                "2026-02-30T09:59:32Z",
                r#"parsing time "2026-02-30T09:59:32Z": day out of range"#,
            ),
            (
                "2026-11-22T09:59:32Zx",
                r#"parsing time "2026-11-22T09:59:32Zx": extra text: "x""#,
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expect);
        }
    }

    #[test]
    fn prints_ages_as_kubectl_does() {
        for (seconds, expect) in [
            (0, "0s"),
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (12_600, "3h30m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (176_400, "2d1h"),
            (691_200, "8d"),
            (63_071_999, "729d"),
            (63_072_000, "2y"),
            (64_195_200, "2y13d"),
            (252_288_000, "8y"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), expect, "{seconds}");
        }
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(age(Timestamp::from_second(101).unwrap(), now), "0s");
        assert_eq!(age(Timestamp::from_second(110).unwrap(), now), "<invalid>");
    }
}

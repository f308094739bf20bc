//! Spans and points of time as text.

use std::cmp::Ordering;
use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

/// The beginning of 1970.
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

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

/// Seconds, as `string(duration)` writes them: the nearest double.
pub(crate) fn format_duration(nanos: i64) -> String {
    let seconds = (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9;
    format!("{seconds}s")
}

/// A point in time, with the offset from UTC that it was written with.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    /// Since 1970.
    seconds: i64,
    nanos: i32,
    /// East of UTC, in seconds.
    offset: i32,
}

impl Instant {
    /// Seconds since 1970, in UTC.
    pub(crate) fn of_seconds(seconds: i64) -> Self {
        Self {
            seconds,
            nanos: 0,
            offset: 0,
        }
    }

    /// RFC 3339 as Go reads it: more than nine digits of a second are cut, no leap seconds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let (clock, rest) = time.split_at_checked(8)?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let (nanos, zone) = match rest.strip_prefix(['.', ',']) {
            Some(rest) => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
                let (digits, zone) = rest.split_at_checked(end)?;
                let digits: String = digits.chars().chain("000000000".chars()).take(9).collect();
                (digits.parse().ok()?, zone)
            }
            None => (0, rest),
        };
        let offset = offset(zone)?;
        let part = |number: i32| i8::try_from(number).ok();
        let local = DateTime::new(
            i16::try_from(year).ok()?,
            part(month)?,
            part(day)?,
            part(hour)?,
            part(minute)?,
            part(second)?,
            0,
        )
        .ok()?;
        let seconds = local.duration_since(EPOCH).as_secs() - i64::from(offset);
        Some(Self {
            seconds,
            nanos,
            offset,
        })
    }

    /// A day as `format: date` has it, or what Go says of other text.
    pub(crate) fn parse_date(text: &str) -> Result<Self, String> {
        by_layout(text, DAY)
    }

    /// A point in time as `format: date-time` has it: with an offset, or in UTC without one.
    ///
    /// # Errors
    /// What Go says of the last of the forms that it tries.
    pub(crate) fn parse_date_time(text: &str) -> Result<Self, String> {
        Self::parse(text).map_or_else(|| by_layout(text, SECOND), Ok)
    }

    /// Whether it is within the years 1 to 9999.
    pub(crate) fn is_in_range(self) -> bool {
        (FIRST..=LAST).contains(&self.seconds)
    }

    pub(crate) fn seconds(self) -> i64 {
        self.seconds
    }

    /// Since 1970.
    pub(crate) fn nanoseconds(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    /// So many nanoseconds later, if that is within upstream's bounds.
    pub(crate) fn plus(self, nanos: i128) -> Option<Self> {
        let sum = self.nanoseconds().checked_add(nanos)?;
        let later = Self {
            seconds: i64::try_from(sum.div_euclid(NANOS)).ok()?,
            nanos: i32::try_from(sum.rem_euclid(NANOS)).ok()?,
            offset: self.offset,
        };
        later.is_in_range().then_some(later)
    }

    /// Date and time of day so many seconds east of UTC.
    pub(crate) fn civil(self, offset: i32) -> DateTime {
        let since = SignedDuration::new(self.seconds + i64::from(offset), self.nanos);
        EPOCH.saturating_add(since)
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.nanoseconds() == other.nanoseconds()
    }
}

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanoseconds().cmp(&other.nanoseconds())
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 with as many digits as needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil(self.offset))?;
        if self.offset == 0 {
            return f.write_str("Z");
        }
        let (sign, minutes) = (if self.offset < 0 { '-' } else { '+' }, self.offset.abs() / 60);
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A part of a layout: as it is written there, and for numbers the name and the greatest value.
type Part = (&'static str, Option<(&'static str, i32)>);

const DAY: &[Part] = &[
    ("2006", Some(("year", 9999))),
    ("-", None),
    ("01", Some(("month", 12))),
    ("-", None),
    ("02", Some(("day", 99))),
];
const SECOND: &[Part] = &[
    ("2006", Some(("year", 9999))),
    ("-", None),
    ("01", Some(("month", 12))),
    ("-", None),
    ("02", Some(("day", 99))),
    ("T", None),
    ("15", Some(("hour", 23))),
    (":", None),
    ("04", Some(("minute", 59))),
    (":", None),
    ("05", Some(("second", 59))),
];

/// Reads a time in UTC as Go's `time.Parse` does.
fn by_layout(text: &str, layout: &[Part]) -> Result<Instant, String> {
    let layout_text: String = layout.iter().map(|(shown, _)| *shown).collect();
    let said = |why: &str| format!("parsing time {text:?}{why}");
    let mut rest = text;
    for (shown, number) in layout {
        let misfit = |rest: &str| {
            said(&format!(
                " as {layout_text:?}: cannot parse {rest:?} as {shown:?}"
            ))
        };
        let (part, after) = rest.split_at_checked(shown.len()).ok_or_else(|| misfit(rest))?;
        let Some((name, most)) = number else {
            if part != *shown {
                return Err(misfit(rest));
            }
            rest = after;
            continue;
        };
        let value: Option<i32> = Some(part)
            .filter(|part| part.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|part| part.parse().ok());
        let value = value.ok_or_else(|| misfit(rest))?;
        if value > *most || (*name == "month" && value == 0) {
            return Err(said(&format!(": {name} out of range")));
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Err(said(&format!(": extra text: {rest:?}")));
    }
    let time = if layout.len() == DAY.len() {
        "T00:00:00Z"
    } else {
        "Z"
    };
    Instant::parse(&format!("{text}{time}")).ok_or_else(|| said(": day out of range"))
}

/// Numbers of so many digits each.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i32; 3]> {
    let mut parts = text.split(separator);
    let mut read = [0; 3];
    for (place, length) in read.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == length)?;
        if !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *place = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

/// `Z`, `+01:30` in seconds.
fn offset(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let is_plain = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !is_plain(hours) || !is_plain(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
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

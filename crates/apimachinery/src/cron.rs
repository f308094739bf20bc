//! Cron schedules as upstream's library reads them: five fields, names, steps, `@daily` and its like, `@every`.
//!
//! A time that a change to summer time skips is skipped; one that a change to winter time repeats runs once.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// A schedule in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    Every(Duration),
    Fields(Box<Fields>),
}

/// Bit sets of the values that match.
#[derive(Clone, Debug)]
struct Fields {
    minute: u64,
    hour: u64,
    day: Field,
    month: u64,
    weekday: Field,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    bits: u64,
    /// Given as `*`: of two day fields of which one is, both must match; else one suffices.
    star: bool,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const LONGEST_SEARCH_DAYS: usize = 366 * 5;

impl Schedule {
    /// Reads an expression; `zone` counts unless the expression has one of its own.
    ///
    /// # Errors
    /// What is wrong with it, in the words of upstream's library.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let text = text.trim();
        let own = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        let (text, zone) = match own.and_then(|rest| rest.split_once(' ')) {
            Some((name, rest)) => {
                let zone = TimeZone::get(name)
                    .map_err(|_| format!("provided bad location {name}: unknown time zone {name}"))?;
                (rest.trim(), zone)
            }
            None => (text, zone),
        };
        let rule = match text.strip_prefix('@') {
            Some(descriptor) => descriptor_rule(descriptor)?,
            None => Rule::Fields(Box::new(fields(text)?)),
        };
        Ok(Self { rule, zone })
    }

    /// The first time after `time`; `None` when there is none within five years.
    pub fn next(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(period) => {
                let seconds = i64::try_from(period.as_secs()).ok()?;
                Timestamp::from_second(time.as_second().checked_add(seconds)?).ok()
            }
            Rule::Fields(fields) => self.next_match(fields, time),
        }
    }

    fn next_match(&self, fields: &Fields, time: Timestamp) -> Option<Timestamp> {
        let mut at = self
            .zone
            .to_datetime(time)
            .with()
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .ok()?;
        loop {
            at = fields.first_from(at.checked_add(jiff::Span::new().minutes(1)).ok()?)?;
            let zoned = self.zone.to_ambiguous_timestamp(at);
            if matches!(zoned.offset(), AmbiguousOffset::Gap { .. }) {
                continue;
            }
            match zoned.earlier().ok()? {
                found if found > time => return Some(found),
                _ => {}
            }
        }
    }

    /// The last time in `(after, until]`, looked for in windows that grow backwards.
    pub fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        const HOUR: i64 = 3600;
        for window in [
            HOUR,
            24 * HOUR,
            8 * 24 * HOUR,
            32 * 24 * HOUR,
            366 * 24 * HOUR,
            i64::MAX,
        ] {
            let from = until.as_second().saturating_sub(window);
            // `@every` counts from where it starts.
            let from = match self.rule {
                Rule::Every(_) => after,
                Rule::Fields(_) => Timestamp::from_second(from).unwrap_or(after).max(after),
            };
            let mut last = None;
            let mut next = self.next(from);
            while let Some(time) = next.filter(|time| *time <= until) {
                last = Some(time);
                next = self.next(time);
            }
            if last.is_some() || from == after {
                return last;
            }
        }
        None
    }
}

impl Fields {
    fn first_from(&self, start: DateTime) -> Option<DateTime> {
        let mut date = start.date();
        let mut from = Some((start.hour(), start.minute()));
        for _ in 0..LONGEST_SEARCH_DAYS {
            if self.matches_date(date)
                && let Some((hour, minute)) = self.first_time(from.unwrap_or((0, 0)))
            {
                return Some(date.at(hour, minute, 0, 0));
            }
            from = None;
            date = if has(self.month, date.month()) {
                date.tomorrow().ok()?
            } else {
                date.first_of_month()
                    .checked_add(jiff::Span::new().months(1))
                    .ok()?
            };
        }
        None
    }

    fn matches_date(&self, date: jiff::civil::Date) -> bool {
        let day = has(self.day.bits, date.day());
        let weekday = has(self.weekday.bits, date.weekday().to_sunday_zero_offset());
        let days = if self.day.star || self.weekday.star {
            day && weekday
        } else {
            day || weekday
        };
        has(self.month, date.month()) && days
    }

    fn first_time(&self, (hour, minute): (i8, i8)) -> Option<(i8, i8)> {
        (hour..24).filter(|h| has(self.hour, *h)).find_map(|h| {
            let first = if h == hour { minute } else { 0 };
            (first..60).find(|m| has(self.minute, *m)).map(|m| (h, m))
        })
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits & 1_u64.checked_shl(value).unwrap_or_default() != 0)
}

fn descriptor_rule(descriptor: &str) -> Result<Rule, String> {
    let text = match descriptor {
        "yearly" | "annually" => "0 0 1 1 *",
        "monthly" => "0 0 1 * *",
        "weekly" => "0 0 * * 0",
        "daily" | "midnight" => "0 0 * * *",
        "hourly" => "0 * * * *",
        other => {
            let Some(period) = other.strip_prefix("every ") else {
                return Err(format!("unrecognized descriptor: @{other}"));
            };
            let period = go_duration(period).ok_or_else(|| {
                format!("failed to parse duration @{other}: time: invalid duration {period:?}")
            })?;
            return Ok(Rule::Every(period.max(Duration::from_secs(1))));
        }
    };
    fields(text).map(|fields| Rule::Fields(Box::new(fields)))
}

/// `1h30m`, in whole seconds.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds.floor())
        .ok()
        .filter(|_| !text.is_empty())
}

fn fields(text: &str) -> Result<Fields, String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = parts.as_slice() else {
        let found = parts.len();
        return Err(format!(
            "expected exactly 5 fields, found {found}: [{}]",
            parts.join(" ")
        ));
    };
    Ok(Fields {
        minute: field(minute, 0, 59, &[])?.bits,
        hour: field(hour, 0, 23, &[])?.bits,
        day: field(day, 1, 31, &[])?,
        month: field(month, 1, 12, &MONTHS)?.bits,
        weekday: field(weekday, 0, 6, &WEEKDAYS)?,
    })
}

fn field(text: &str, min: u32, max: u32, names: &[&str]) -> Result<Field, String> {
    let mut all = Field { bits: 0, star: false };
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let range = range(part, min, max, names)?;
        all.bits |= range.bits;
        all.star |= range.star;
    }
    if all.bits == 0 {
        return Err(format!("empty field: {text:?}"));
    }
    Ok(all)
}

fn range(part: &str, min: u32, max: u32, names: &[&str]) -> Result<Field, String> {
    let (span, step) = match part.split_once('/') {
        None => (part, None),
        Some((span, step)) if !step.contains('/') => (span, Some(number(step, &[], 0)?)),
        Some(_) => return Err(format!("too many slashes: {part}")),
    };
    let wild = matches!(span, "*" | "?");
    let (first, last) = match span.split_once('-') {
        _ if wild => (min, max),
        None => {
            let first = number(span, names, min)?;
            (first, if step.is_some() { max } else { first })
        }
        Some((_, last)) if last.contains('-') => return Err(format!("too many hyphens: {part}")),
        Some((first, last)) => (number(first, names, min)?, number(last, names, min)?),
    };
    if first < min {
        return Err(format!(
            "beginning of range ({first}) below minimum ({min}): {part}"
        ));
    }
    if last > max {
        return Err(format!("end of range ({last}) above maximum ({max}): {part}"));
    }
    if first > last {
        return Err(format!(
            "beginning of range ({first}) beyond end of range ({last}): {part}"
        ));
    }
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    let stride = usize::try_from(step).unwrap_or(usize::MAX);
    Ok(Field {
        bits: (first..=last)
            .step_by(stride)
            .fold(0, |bits, value| bits | (1 << value)),
        star: wild && step == 1,
    })
}

fn number(text: &str, names: &[&str], first_name: u32) -> Result<u32, String> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    if let Some(at) = named {
        return Ok(first_name + u32::try_from(at).unwrap_or_default());
    }
    match text.parse::<i64>() {
        Ok(number) => {
            u32::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}"))
        }
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, zone: &str, from: &str, expect: &[&str]) {
        let schedule = Schedule::parse(schedule, TimeZone::get(zone).unwrap()).unwrap();
        let mut time: Timestamp = from.parse().unwrap();
        for expected in expect {
            time = schedule.next(time).unwrap();
            assert_eq!(time.to_string(), *expected);
        }
    }

    #[test]
    fn schedules_are_read_as_upstream_reads_them() {
        check(
            "*/15 * * * *",
            "UTC",
            "2026-01-01T00:07:30Z",
            &["2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"],
        );
        check(
            "0 9 * * mon-fri",
            "UTC",
            "2026-01-02T10:00:00Z",
            &["2026-01-05T09:00:00Z"],
        );
        check(
            "0 0 29 feb *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T00:00:00Z"],
        );
        // Both day fields given: either suffices. 2026-01-04 is a Sunday.
        check(
            "0 0 13 * 0",
            "UTC",
            "2026-01-01T00:00:00Z",
            &[
                "2026-01-04T00:00:00Z",
                "2026-01-11T00:00:00Z",
                "2026-01-13T00:00:00Z",
            ],
        );
        check(
            "@hourly",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2026-01-01T01:00:00Z"],
        );
        check(
            "@every 1h30m",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2026-01-01T01:30:00Z"],
        );
        check(
            "0 12 * * *",
            "Asia/Tokyo",
            "2026-01-01T00:00:00Z",
            &["2026-01-01T03:00:00Z"],
        );
        check(
            "TZ=Asia/Tokyo 0 12 * * *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2026-01-01T03:00:00Z"],
        );
    }

    #[test]
    fn summer_time_skips_and_winter_time_does_not_repeat() {
        // 2026-03-29 02:30 does not exist in Berlin; 2026-10-25 02:30 exists twice.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-30T00:30:00Z"],
        );
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let refusal = |text: &str| Schedule::parse(text, TimeZone::UTC).unwrap_err();
        assert_eq!(
            refusal("* * * *"),
            "expected exactly 5 fields, found 4: [* * * *]"
        );
        assert_eq!(refusal("60 * * * *"), "end of range (60) above maximum (59): 60");
        assert_eq!(
            refusal("a * * * *"),
            "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"
        );
        assert_eq!(refusal("@never"), "unrecognized descriptor: @never");
        assert!(
            Schedule::parse("0 0 31 2 *", TimeZone::UTC)
                .unwrap()
                .next(Timestamp::UNIX_EPOCH)
                .is_none()
        );
    }

    #[test]
    fn the_last_time_is_found_however_long_ago() {
        let schedule = Schedule::parse("0 9 1 1 *", TimeZone::UTC).unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let last = schedule.last_between(time("2020-01-01T00:00:00Z"), time("2026-07-01T00:00:00Z"));
        assert_eq!(last, Some(time("2026-01-01T09:00:00Z")));
        assert_eq!(
            schedule.last_between(time("2026-02-01T00:00:00Z"), time("2026-07-01T00:00:00Z")),
            None
        );
    }
}

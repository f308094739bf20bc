//! Parts of points and spans of time. Without a zone, UTC.

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;

use super::{Answer, Row, fail, no_such_overload};
use crate::value::{Instant, Value};

pub(super) const TABLE: &[Row] = &[
    ("getFullYear", "timestamp_to_year", "timestamp.() -> int", year),
    (
        "getFullYear",
        "timestamp_to_year_with_tz",
        "timestamp.(string) -> int",
        year,
    ),
    ("getMonth", "timestamp_to_month", "timestamp.() -> int", month),
    (
        "getMonth",
        "timestamp_to_month_with_tz",
        "timestamp.(string) -> int",
        month,
    ),
    (
        "getDayOfYear",
        "timestamp_to_day_of_year",
        "timestamp.() -> int",
        day_of_year,
    ),
    (
        "getDayOfYear",
        "timestamp_to_day_of_year_with_tz",
        "timestamp.(string) -> int",
        day_of_year,
    ),
    (
        "getDayOfMonth",
        "timestamp_to_day_of_month",
        "timestamp.() -> int",
        day_of_month,
    ),
    (
        "getDayOfMonth",
        "timestamp_to_day_of_month_with_tz",
        "timestamp.(string) -> int",
        day_of_month,
    ),
    (
        "getDate",
        "timestamp_to_day_of_month_1_based",
        "timestamp.() -> int",
        date,
    ),
    (
        "getDate",
        "timestamp_to_day_of_month_1_based_with_tz",
        "timestamp.(string) -> int",
        date,
    ),
    (
        "getDayOfWeek",
        "timestamp_to_day_of_week",
        "timestamp.() -> int",
        day_of_week,
    ),
    (
        "getDayOfWeek",
        "timestamp_to_day_of_week_with_tz",
        "timestamp.(string) -> int",
        day_of_week,
    ),
    ("getHours", "timestamp_to_hours", "timestamp.() -> int", hours),
    (
        "getHours",
        "timestamp_to_hours_with_tz",
        "timestamp.(string) -> int",
        hours,
    ),
    ("getHours", "duration_to_hours", "duration.() -> int", hours),
    (
        "getMinutes",
        "timestamp_to_minutes",
        "timestamp.() -> int",
        minutes,
    ),
    (
        "getMinutes",
        "timestamp_to_minutes_with_tz",
        "timestamp.(string) -> int",
        minutes,
    ),
    ("getMinutes", "duration_to_minutes", "duration.() -> int", minutes),
    (
        "getSeconds",
        "timestamp_to_seconds",
        "timestamp.() -> int",
        seconds,
    ),
    (
        "getSeconds",
        "timestamp_to_seconds_tz",
        "timestamp.(string) -> int",
        seconds,
    ),
    ("getSeconds", "duration_to_seconds", "duration.() -> int", seconds),
    (
        "getMilliseconds",
        "timestamp_to_milliseconds",
        "timestamp.() -> int",
        milliseconds,
    ),
    (
        "getMilliseconds",
        "timestamp_to_milliseconds_with_tz",
        "timestamp.(string) -> int",
        milliseconds,
    ),
    (
        "getMilliseconds",
        "duration_to_milliseconds",
        "duration.() -> int",
        milliseconds,
    ),
];

/// The offset of a zone at a time, in seconds.
fn offset(name: &str, at: Instant) -> Option<i32> {
    // Local time is UTC where upstream's servers run.
    if matches!(name, "" | "UTC" | "Local") {
        return Some(0);
    }
    if let Some((hours, minutes)) = name.split_once(':') {
        let (sign, hours) = match hours.strip_prefix('-') {
            Some(hours) => (-1, hours),
            None => (1, hours),
        };
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let seconds = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?;
        return Some(sign * seconds);
    }
    let zone = TimeZone::get(name).ok()?;
    let at = Timestamp::from_second(at.seconds()).unwrap_or(Timestamp::MAX);
    Some(zone.to_offset(at).seconds())
}

/// A part of a timestamp, in the zone of the second argument.
fn part<'a>(arguments: &[Value<'a>], of: fn(&DateTime) -> i64) -> Answer<'a> {
    let (at, name) = match arguments {
        [Value::Timestamp(at)] => (at, ""),
        [Value::Timestamp(at), Value::String(name)] => (at, &**name),
        _ => return Err(no_such_overload()),
    };
    match offset(name, *at) {
        Some(offset) => Ok(Value::Int(of(&at.civil(offset)))),
        None => fail(format!("unknown time zone {name}")),
    }
}

fn year<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |at| at.year().into())
}

fn month<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |at| i64::from(at.month()) - 1)
}

fn day_of_year<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |at| i64::from(at.day_of_year()) - 1)
}

fn day_of_month<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |at| i64::from(at.day()) - 1)
}

fn date<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |at| at.day().into())
}

fn day_of_week<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    part(arguments, |at| {
        Weekday::to_sunday_zero_offset(at.weekday()).into()
    })
}

fn hours<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Duration(nanos)] => Ok(Value::Int(nanos / 3_600_000_000_000)),
        _ => part(arguments, |at| at.hour().into()),
    }
}

fn minutes<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Duration(nanos)] => Ok(Value::Int(nanos / 60_000_000_000)),
        _ => part(arguments, |at| at.minute().into()),
    }
}

fn seconds<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Duration(nanos)] => Ok(Value::Int(nanos / 1_000_000_000)),
        _ => part(arguments, |at| at.second().into()),
    }
}

fn milliseconds<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::Duration(nanos)] => Ok(Value::Int(nanos / 1_000_000)),
        _ => part(arguments, |at| at.millisecond().into()),
    }
}

//! Whether a schedule and a time zone can be read, in the words of the parser that upstream uses. Says nothing
//! about when a schedule is due: that is the controller's.

use jiff::tz::TimeZone;

/// A field of a schedule: its bounds and the names that stand for numbers.
struct FieldRule {
    low: u32,
    high: u32,
    names: &'static [&'static str],
    /// The number of the first name.
    first: u32,
}

const FIELDS: [FieldRule; 5] = [
    FieldRule {
        low: 0,
        high: 59,
        names: &[],
        first: 0,
    },
    FieldRule {
        low: 0,
        high: 23,
        names: &[],
        first: 0,
    },
    FieldRule {
        low: 1,
        high: 31,
        names: &[],
        first: 0,
    },
    FieldRule {
        low: 1,
        high: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
        first: 1,
    },
    FieldRule {
        low: 0,
        high: 6,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        first: 0,
    },
];

/// Reads a schedule of five fields, or a descriptor such as `@daily` or `@every 5m`.
pub(super) fn check(schedule: &str) -> Result<(), String> {
    let mut text = schedule;
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        let (zone, rest) = text
            .split_once(' ')
            .ok_or_else(|| format!("provided bad location {text}"))?;
        let name = zone.split_once('=').map_or("", |(_, name)| name);
        check_zone(name).map_err(|problem| format!("provided bad location {name}: {problem}"))?;
        text = rest.trim();
    }
    if text.starts_with('@') {
        return descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly {} fields, found {}: [{}]",
            FIELDS.len(),
            fields.len(),
            fields.join(" ")
        ));
    }
    for (field, rule) in fields.iter().zip(&FIELDS) {
        for range in field.split(',').filter(|range| !range.is_empty()) {
            check_range(range, rule)?;
        }
    }
    Ok(())
}

fn descriptor(text: &str) -> Result<(), String> {
    const KNOWN: &[&str] = &[
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    if KNOWN.contains(&text) {
        return Ok(());
    }
    match text.strip_prefix("@every ") {
        Some(duration) if is_go_duration(duration) => Ok(()),
        Some(duration) => Err(format!(
            "failed to parse duration {text}: time: invalid duration {duration:?}"
        )),
        None => Err(format!("unrecognized descriptor: {text}")),
    }
}

/// `1h30m`, `90s`, `1.5h`.
fn is_go_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = rest.len() - number.len();
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"]
            .into_iter()
            .filter(|unit| number.starts_with(unit))
            .max_by_key(|unit| unit.len());
        match unit {
            Some(unit) if digits > 0 => rest = number.strip_prefix(unit).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

fn check_range(range: &str, rule: &FieldRule) -> Result<(), String> {
    let too_many = |what: &str| format!("too many {what}: {range}");
    let mut parts = range.split('/');
    let (span, step) = (parts.next().unwrap_or_default(), parts.next());
    if parts.next().is_some() {
        return Err(too_many("slashes"));
    }
    let mut ends = span.split('-');
    let (low_text, high_text) = (ends.next().unwrap_or_default(), ends.next());
    if ends.next().is_some() {
        return Err(too_many("hyphens"));
    }
    let (low, high) = if matches!(low_text, "*" | "?") {
        (rule.low, rule.high)
    } else {
        let low = number_or_name(low_text, rule)?;
        let high = match high_text {
            Some(text) => number_or_name(text, rule)?,
            None if step.is_some() => rule.high,
            None => low,
        };
        (low, high)
    };
    if let Some(step) = step
        && number(step)? == 0
    {
        return Err(format!("step of range should be a positive number: {range}"));
    }
    if low < rule.low {
        return Err(format!(
            "beginning of range ({low}) below minimum ({}): {range}",
            rule.low
        ));
    }
    if high > rule.high {
        return Err(format!(
            "end of range ({high}) above maximum ({}): {range}",
            rule.high
        ));
    }
    if low > high {
        return Err(format!(
            "beginning of range ({low}) beyond end of range ({high}): {range}"
        ));
    }
    Ok(())
}

fn number_or_name(text: &str, rule: &FieldRule) -> Result<u32, String> {
    let lower = text.to_lowercase();
    match rule.names.iter().position(|name| *name == lower) {
        Some(at) => Ok(u32::try_from(at).unwrap_or_default() + rule.first),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    if text.starts_with('-') {
        return Err(format!("negative number ({text}) not allowed: {text}"));
    }
    text.parse().map_err(|_| {
        format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")
    })
}

/// Reads the name of a time zone.
pub(super) fn check_zone(zone: &str) -> Result<(), String> {
    match zone {
        "" => Err("timeZone must be nil or non-empty string".to_owned()),
        "UTC" => Ok(()),
        _ if zone.eq_ignore_ascii_case("local") => Err(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".to_owned(),
        ),
        _ => TimeZone::get(zone)
            .map(|_| ())
            .map_err(|_| format!("unknown time zone {zone}")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn schedules_are_read_as_upstreams_parser_does() {
        for schedule in [
            "* * * * *",
            "*/5 0-3 1,15 jan-MAR ?",
            "@daily",
            "@every 1h30m",
            "5/10 * * * sun",
        ] {
            assert_eq!(super::check(schedule), Ok(()), "{schedule}");
        }
        let cases = [
            ("abc", "expected exactly 5 fields, found 1: [abc]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            (
                "a * * * *",
                "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax",
            ),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("@often", "unrecognized descriptor: @often"),
        ];
        for (schedule, expected) in cases {
            assert_eq!(super::check(schedule), Err(expected.to_owned()), "{schedule}");
        }
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(super::check_zone("UTC"), Ok(()));
        assert!(super::check_zone("Local").is_err());
        assert_eq!(
            super::check_zone("Nowhere/Land"),
            Err("unknown time zone Nowhere/Land".to_owned())
        );
    }
}

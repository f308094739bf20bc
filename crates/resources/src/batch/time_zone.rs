//! Whether a name is that of a time zone, as upstream says it.

use jiff::tz::TimeZone;

const PART_MAX: usize = 14;

/// What is wrong with the name of a time zone, in upstream's words.
pub(super) fn check(zone: &str) -> Option<String> {
    let is_part = |part: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+');
        (1..=PART_MAX).contains(&part.len())
            && !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(is_plain)
    };
    match zone {
        "" => Some("timeZone must be nil or non-empty string".to_owned()),
        "UTC" => None,
        _ if zone.eq_ignore_ascii_case("local") => Some(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".to_owned(),
        ),
        _ if zone.split('/').all(is_part) && is_known(zone) => None,
        _ => Some(format!("unknown time zone {zone}")),
    }
}

/// Names of zones are names of files: their case counts.
fn is_known(zone: &str) -> bool {
    TimeZone::get(zone).is_ok_and(|known| known.iana_name() == Some(zone))
}

#[cfg(test)]
mod tests {
    #[test]
    fn zones_have_names() {
        for zone in ["UTC", "Europe/Paris", "Etc/GMT+5"] {
            assert_eq!(super::check(zone), None, "{zone}");
        }
        assert!(super::check("Local").is_some());
        for zone in ["Nowhere/Land", "utc", "Europe/../Paris", "/etc/UTC"] {
            assert_eq!(super::check(zone), Some(format!("unknown time zone {zone}")));
        }
    }
}

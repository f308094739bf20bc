//! Whether a name is that of a time zone, as upstream says it.

use jiff::tz::TimeZone;

/// Checks the name of a time zone.
///
/// # Errors
/// What is wrong, in upstream's words.
pub(super) fn check(zone: &str) -> Result<(), String> {
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
    fn zones_have_names() {
        assert_eq!(super::check("UTC"), Ok(()));
        assert!(super::check("Local").is_err());
        assert_eq!(
            super::check("Nowhere/Land"),
            Err("unknown time zone Nowhere/Land".to_owned())
        );
    }
}

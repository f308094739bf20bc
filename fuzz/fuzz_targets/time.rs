//! Timestamps and schedules.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = warren_apimachinery::time::parse(text);
        let _ = warren_apimachinery::time::parse_micro(text);
        let _ = warren_apimachinery::cron::Schedule::parse(text, jiff::tz::TimeZone::UTC);
    }
});

//! Times as Kubernetes objects carry them: whole seconds, in UTC. Owns no clock.

use std::time::Duration;

use jiff::Timestamp;

/// `2026-01-02T03:04:05Z`: a `metav1.Time`.
pub(crate) fn text(time: Timestamp) -> String {
    whole_seconds(time).to_string()
}

/// `2026-01-02T03:04:05.000006Z`: a `metav1.MicroTime`.
pub(crate) fn micro_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The time without its fraction, as it reads back from an object.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// `time` plus `seconds`; the far future where that cannot be told.
pub(crate) fn after_seconds(time: Timestamp, seconds: i64) -> Timestamp {
    time.as_second()
        .checked_add(seconds)
        .and_then(|at| Timestamp::from_second(at).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How long until `time`; zero when it has passed.
pub(crate) fn until(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}

/// Reads what `text` or `micro_text` wrote, or a client in another zone.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

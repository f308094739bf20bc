//! Times as Kubernetes objects carry them: whole seconds, in UTC. Owns no clock.

use std::time::Duration;

use jiff::Timestamp;

pub(crate) use warren_apimachinery::time::format as text;

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

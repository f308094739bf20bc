//! EventRateLimit: how many events may be written, in all, by namespace, by user, and by source and object.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, StatusReason};
use warren_registry::admission::Operation;

use super::Asked;
use super::asked::aggregate;

/// How many buckets a limit keeps unless it says otherwise.
const CACHE: usize = 4096;
/// What makes the bucket of a source and its object, in this order.
const SOURCE_AND_OBJECT: [&str; 7] = [
    "/source/component",
    "/source/host",
    "/involvedObject/kind",
    "/involvedObject/namespace",
    "/involvedObject/name",
    "/involvedObject/uid",
    "/involvedObject/apiVersion",
];

/// All limits of a cluster.
#[derive(Debug, Default)]
pub(super) struct EventLimits(Vec<Limit>);

/// Whose events go into one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Server,
    Namespace,
    User,
    SourceAndObject,
}

impl Kind {
    pub(super) const ALL: [(&'static str, Kind); 4] = [
        ("Namespace", Kind::Namespace),
        ("Server", Kind::Server),
        ("SourceAndObject", Kind::SourceAndObject),
        ("User", Kind::User),
    ];

    fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, kind)| *kind == self);
        known.map(|(name, _)| *name).unwrap_or_default()
    }

    fn key(self, cx: &Asked<'_>, event: &Value) -> String {
        match self {
            Self::Server => String::new(),
            Self::Namespace => cx.key.namespace.to_string(),
            Self::User => cx.user.name.clone(),
            Self::SourceAndObject => SOURCE_AND_OBJECT.map(|field| event.text(field)).concat(),
        }
    }
}

/// One limit and its buckets.
#[derive(Debug)]
pub(super) struct Limit {
    kind: Kind,
    per_second: f64,
    burst: f64,
    /// At most this many buckets; the one that was asked longest ago makes room.
    most: usize,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    asked: Timestamp,
}

impl EventLimits {
    pub(super) fn new(limits: Vec<Limit>) -> Self {
        Self(limits)
    }
}

impl Limit {
    /// `cache_size` is 0 for the usual one.
    pub(super) fn new(kind: Kind, per_second: i32, burst: i32, cache_size: usize) -> Self {
        Self {
            kind,
            per_second: f64::from(per_second),
            burst: f64::from(burst),
            most: if cache_size == 0 { CACHE } else { cache_size },
            buckets: Mutex::default(),
        }
    }

    /// Takes a token, if there is one.
    fn allows(&self, key: &str, now: Timestamp) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(key) && buckets.len() >= self.most {
            let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                buckets.remove(&oldest);
            }
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket {
            tokens: self.burst,
            asked: now,
        });
        let since = now.duration_since(bucket.asked).as_secs_f64().max(0.0);
        bucket.tokens = since.mul_add(self.per_second, bucket.tokens).min(self.burst);
        bucket.asked = now;
        let allows = bucket.tokens >= 1.0;
        if allows {
            bucket.tokens -= 1.0;
        }
        allows
    }
}

pub(super) fn validate(cx: &Asked<'_>, event: Option<&Value>) -> Result<(), Status> {
    let is_event = cx.resource.resource == "events" && matches!(&*cx.resource.group, "" | "events.k8s.io");
    let writes = matches!(cx.operation, Operation::Create | Operation::Update) && is_event && !cx.dry_run;
    let Some(event) = event.filter(|_| writes) else {
        return Ok(());
    };
    let limits = cx.settings.event_limits.0.iter();
    let refusals: Vec<String> = limits
        .filter_map(|limit| {
            let key = limit.kind.key(cx, event);
            let why = || format!("limit reached on type {} for key {key}", limit.kind.name());
            (!limit.allows(&key, cx.now)).then(why)
        })
        .collect();
    if refusals.is_empty() {
        return Ok(());
    }
    let why = format!("Too many requests: {}", aggregate(&refusals));
    Err(Status::new(StatusReason::TooManyRequests, why))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(milliseconds)
    }

    #[test]
    fn a_bucket_is_used_up_and_fills_again() {
        let limit = Limit::new(Kind::Namespace, 2, 3, 0);
        let taken = |key: &str, now: i64| (0..5).filter(|_| limit.allows(key, at(now))).count();
        assert_eq!(taken("a", 0), 3);
        assert_eq!(taken("b", 0), 3);
        assert_eq!(taken("a", 500), 1);
        assert_eq!(taken("a", 60_000), 3);
    }

    #[test]
    fn buckets_are_bounded_and_the_idlest_goes() {
        let limit = Limit::new(Kind::User, 1, 1, 2);
        for (key, now) in [("a", 0), ("b", 1), ("a", 2), ("c", 3)] {
            limit.allows(key, at(now));
        }
        let mut kept: Vec<String> = limit.buckets.lock().unwrap().keys().cloned().collect();
        kept.sort_unstable();
        assert_eq!(kept, ["a", "c"]);
    }
}

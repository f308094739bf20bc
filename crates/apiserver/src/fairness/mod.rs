//! Fair admission of requests (upstream's API Priority and Fairness): a request belongs to a FlowSchema, which names a
//! priority level; a level has seats; where they are taken, requests wait in queues or are refused with 429.
//!
//! Owns the seats of one cluster. What differs from upstream: free seats are lent at once rather than every ten
//! seconds, queues take turns by request rather than by estimated work, and the exempt level is bounded, too.
//! Watches hold a seat only until they have begun; other long-running requests hold none.

mod level;
mod rules;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use smol_str::SmolStr;
use warren_access::Attributes;
use warren_apimachinery::UserInfo;
use warren_storage::Snapshot;

use self::level::{Level, Place};
pub(crate) use self::rules::KnownRules;
use self::rules::{Distinguisher, Rules, Schema};

/// A quarter of the longest time that a request may take, as upstream.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Lists of so many objects take one more seat each.
const OBJECTS_PER_SEAT: usize = 500;
/// The most seats of one request.
const WIDEST: u32 = 10;

/// The seats of one cluster. Empty until the first request.
#[derive(Default)]
pub(crate) struct Fairness {
    plan: ArcSwapOption<Plan>,
}

/// The rules of a moment, and the live levels in their order.
struct Plan {
    rules: Arc<Rules>,
    levels: Vec<Arc<Level>>,
}

/// What a request is, as far as fairness looks.
pub(crate) struct Digest<'a> {
    pub(crate) user: &'a UserInfo,
    pub(crate) asked: &'a Attributes<'a>,
    /// How many objects it reads.
    pub(crate) objects: usize,
}

/// Where a request belongs: what its answer's headers tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classified {
    pub(crate) schema: SmolStr,
    pub(crate) schema_uid: SmolStr,
    pub(crate) level: SmolStr,
    pub(crate) level_uid: SmolStr,
}

/// Why a request gets no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    QueueFull,
    ConcurrencyLimit,
    TimeOut,
}

impl Rejection {
    const ALL: [Self; 3] = [Self::QueueFull, Self::ConcurrencyLimit, Self::TimeOut];

    /// As upstream's metrics name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::ConcurrencyLimit => "concurrency-limit",
            Self::TimeOut => "time-out",
        }
    }
}

/// What one level does at the moment.
pub(crate) struct Usage {
    pub(crate) name: SmolStr,
    pub(crate) nominal: u32,
    pub(crate) executing: u32,
    pub(crate) waiting: u32,
    pub(crate) dispatched: u64,
    /// By reason.
    pub(crate) rejected: Vec<(&'static str, u64)>,
}

impl Fairness {
    /// Where a request belongs, and its way to a seat.
    pub(crate) fn classify(&self, known: &KnownRules, now: &Snapshot, digest: &Digest<'_>) -> Ticket {
        let plan = self.plan(known, now);
        let schema = plan.rules.classify(digest.user, digest.asked);
        let level = schema.map_or(0, |schema| schema.level);
        let spec = plan.rules.levels.get(level);
        let classified = Classified {
            schema: schema.map(|schema| schema.name.clone()).unwrap_or_default(),
            schema_uid: schema.map(|schema| schema.uid.clone()).unwrap_or_default(),
            level: spec.map(|spec| spec.name.clone()).unwrap_or_default(),
            level_uid: spec.map(|spec| spec.uid.clone()).unwrap_or_default(),
        };
        let width = spec.map_or(1, |spec| width(digest.objects, spec.nominal));
        let flow = schema.map_or(0, |schema| flow(schema, digest));
        Ticket {
            classified,
            plan,
            level,
            width,
            flow,
        }
    }

    /// The plan of a state; levels keep those who sit and wait when the objects change.
    fn plan(&self, known: &KnownRules, now: &Snapshot) -> Arc<Plan> {
        let old = self.plan.load_full();
        if let Some(plan) = old.as_ref().filter(|plan| plan.rules.is_of(now)) {
            return Arc::clone(plan);
        }
        let rules = known.of(now);
        let kept = |name: &SmolStr| {
            let levels = old
                .as_ref()
                .map(|plan| plan.levels.as_slice())
                .unwrap_or_default();
            levels.iter().find(|level| level.name == *name).map(Arc::clone)
        };
        let levels = rules
            .levels
            .iter()
            .map(|spec| kept(&spec.name).unwrap_or_else(|| Arc::new(Level::new(spec.name.clone()))))
            .collect();
        let plan = Arc::new(Plan { rules, levels });
        self.plan.store(Some(Arc::clone(&plan)));
        plan.wake();
        plan
    }

    /// What every level does at the moment; nothing before the first request.
    pub(crate) fn usage(&self) -> Vec<Usage> {
        let Some(plan) = self.plan.load_full() else {
            return Vec::new();
        };
        plan.rules
            .levels
            .iter()
            .zip(&plan.levels)
            .map(|(spec, level)| Usage {
                name: spec.name.clone(),
                nominal: spec.nominal,
                executing: level.executing.load(Ordering::Relaxed),
                waiting: level.waiting.load(Ordering::Relaxed),
                dispatched: level.dispatched.load(Ordering::Relaxed),
                rejected: Rejection::ALL
                    .iter()
                    .zip(&level.rejected)
                    .map(|(why, count)| (why.as_str(), count.load(Ordering::Relaxed)))
                    .collect(),
            })
            .collect()
    }
}

/// Wide lists take more seats, but never most of a level.
fn width(objects: usize, nominal: u32) -> u32 {
    let wanted = u32::try_from(objects / OBJECTS_PER_SEAT).unwrap_or(WIDEST) + 1;
    wanted.min(WIDEST).min((nominal * 15).div_ceil(100).max(1))
}

/// The hash of a flow: the same for all requests that should share queues.
fn flow(schema: &Schema, digest: &Digest<'_>) -> u64 {
    let distinguisher = match schema.distinguisher {
        Distinguisher::None => "",
        Distinguisher::User => digest.user.name.as_str(),
        Distinguisher::Namespace => digest.asked.namespace,
    };
    BuildHasherDefault::<DefaultHasher>::default().hash_one((schema.name.as_str(), distinguisher))
}

impl Plan {
    fn limit(&self, level: usize) -> u32 {
        level::limit(level, &self.rules.levels, &self.levels)
    }

    /// Seats became free, or their number changed: whoever waits and fits now goes on.
    fn wake(&self) {
        for (at, level) in self.levels.iter().enumerate() {
            if level.waiting.load(Ordering::Acquire) > 0 {
                level.dispatch(self.limit(at));
            }
        }
    }
}

/// A classified request on its way to a seat.
pub(crate) struct Ticket {
    pub(crate) classified: Classified,
    plan: Arc<Plan>,
    level: usize,
    width: u32,
    flow: u64,
}

impl Ticket {
    /// Waits for seats, which are held until the seat is dropped.
    ///
    /// # Errors
    /// When there is none, and no place to wait for it or no more time to.
    pub(crate) async fn seat(&self) -> Result<Seat, Rejection> {
        let seat = self.wait_for_seat().await;
        if let Some(level) = self.plan.levels.get(self.level) {
            let counter = match &seat {
                Ok(_) => Some(&level.dispatched),
                Err(why) => level.rejected.get(*why as usize),
            };
            counter.map(|counter| counter.fetch_add(1, Ordering::Relaxed));
        }
        seat
    }

    async fn wait_for_seat(&self) -> Result<Seat, Rejection> {
        let (Some(level), Some(spec)) = (
            self.plan.levels.get(self.level),
            self.plan.rules.levels.get(self.level),
        ) else {
            return Err(Rejection::ConcurrencyLimit);
        };
        let is_first = level.waiting.load(Ordering::Acquire) == 0;
        if is_first
            && (level.take(self.width, spec.nominal) || level.take(self.width, self.plan.limit(self.level)))
        {
            return Ok(self.held());
        }
        let queuing = spec.queuing.ok_or(Rejection::ConcurrencyLimit)?;
        let place = level
            .enqueue(queuing, self.flow, self.width)
            .ok_or(Rejection::QueueFull)?;
        let mut waiting = Waiting {
            ticket: self,
            level,
            place,
            is_seated: false,
        };
        // A seat may have become free between the look at it and the place in the queue.
        level.dispatch(self.plan.limit(self.level));
        let turn = tokio::time::timeout(LONGEST_WAIT, &mut waiting.place.turn).await;
        if matches!(turn, Ok(Ok(()))) {
            waiting.is_seated = true;
            return Ok(self.held());
        }
        Err(Rejection::TimeOut)
    }

    fn held(&self) -> Seat {
        Seat {
            plan: Arc::clone(&self.plan),
            level: self.level,
            width: self.width,
        }
    }
}

/// A request in a queue. When its client goes away, it leaves the queue, or gives back the seat that it just got.
struct Waiting<'a> {
    ticket: &'a Ticket,
    level: &'a Level,
    place: Place,
    is_seated: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_seated {
            return;
        }
        self.place.turn.close();
        if self.place.turn.try_recv().is_ok() {
            drop(self.ticket.held());
        } else {
            self.level.leave(&self.place);
        }
    }
}

/// Seats of a level, held until dropped.
pub(crate) struct Seat {
    plan: Arc<Plan>,
    level: usize,
    width: u32,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(level) = self.plan.levels.get(self.level) {
            level.give_back(self.width);
        }
        self.plan.wake();
    }
}

#[cfg(test)]
mod tests;

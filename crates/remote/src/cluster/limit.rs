//! How many writes are on their way to a host at once: as many as it takes without getting slow.
//!
//! Additive increase, multiplicative decrease: each good answer that came while the limit was in use raises it a
//! little; a 429, an overload or a lost request cuts it, and a host that names a time to come back in is left alone
//! until then. Writers are served in the order of their arrival, which the fair queue makes fair; what keeps a virtual
//! cluster alive goes before what is in it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

const START: f64 = 16.0;
const LOWEST: f64 = 2.0;
/// Beyond it a bare client gains nothing on the largest hosts either.
const HIGHEST: f64 = 96.0;
/// What is left of the limit when the host pushes back.
const CUT: f64 = 0.7;
/// A host is slow when it takes this many times its best.
const SLOW: f64 = 6.0;
/// Below it nobody is slow.
const QUICK: Duration = Duration::from_millis(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The host did its work, whatever it answered.
    Answered,
    /// The host is overloaded: come back later, if it says when.
    Overloaded(Option<Duration>),
    /// No answer.
    Lost,
}

/// Which writes go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// Somebody waits for it, or a virtual cluster depends on it.
    Urgent,
    /// Everything else.
    Normal,
}

/// The decision, without clock or queue.
#[derive(Debug)]
struct Law {
    limit: f64,
    /// The shortest latency of late, in seconds; grows slowly, so that an old one is forgotten.
    best: f64,
    /// The latency of late, in seconds.
    smooth: f64,
    cut_at: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Default for Law {
    fn default() -> Self {
        Self {
            limit: START,
            best: f64::MAX,
            smooth: 0.0,
            cut_at: None,
            paused_until: None,
        }
    }
}

impl Law {
    fn answered(&mut self, outcome: Outcome, latency: Duration, (in_flight, now): (usize, Instant)) {
        match outcome {
            Outcome::Answered => self.good(latency.as_secs_f64(), in_flight),
            Outcome::Overloaded(after) => {
                self.cut(now);
                if let Some(after) = after {
                    let until = now + after.min(LONGEST_PAUSE);
                    self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
                }
            }
            Outcome::Lost => self.cut(now),
        }
    }

    fn good(&mut self, latency: f64, in_flight: usize) {
        self.best = (self.best * 1.001).min(latency);
        self.smooth = if self.smooth == 0.0 {
            latency
        } else {
            self.smooth * 0.9 + latency * 0.1
        };
        let in_flight = u32::try_from(in_flight).map_or(f64::MAX, f64::from);
        if self.smooth > self.best * SLOW && self.smooth > QUICK.as_secs_f64() {
            // Who shares a slow host with others would lose their part of it by asking for less and less.
            self.limit = (self.limit * 0.99).max(self.limit.min(START));
        } else if in_flight + 1.0 >= self.limit {
            self.limit = (self.limit + 1.0 / self.limit).min(HIGHEST);
        }
    }

    /// Once for all that were on their way together.
    fn cut(&mut self, now: Instant) {
        let pause = Duration::from_secs_f64(self.smooth.clamp(0.01, 1.0));
        if self.cut_at.is_some_and(|at| now < at + pause) {
            return;
        }
        self.cut_at = Some(now);
        self.limit = (self.limit * CUT).max(LOWEST);
    }

    fn pause(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }

    fn has_room(&self, in_flight: usize) -> bool {
        u32::try_from(in_flight).is_ok_and(|in_flight| f64::from(in_flight) + 1.0 <= self.limit)
    }
}

/// See the module. Bound of the queues: the workers of the runtime and the requests of tenants that wait for the host.
#[derive(Default)]
pub(super) struct Limiter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    law: Law,
    in_flight: usize,
    urgent: VecDeque<oneshot::Sender<Permit>>,
    normal: VecDeque<oneshot::Sender<Permit>>,
}

/// The right to have one write on its way. Dropped without a word it tells nothing of the host.
pub(super) struct Permit {
    limiter: Arc<Limiter>,
    since: Instant,
}

impl Permit {
    /// The write ended.
    pub(super) fn end(self, outcome: Outcome) {
        let now = Instant::now();
        let mut state = self.limiter.lock();
        let latency = now.saturating_duration_since(self.since);
        let in_flight = state.in_flight;
        state.law.answered(outcome, latency, (in_flight, now));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.lock().in_flight -= 1;
        self.limiter.grant();
    }
}

impl Limiter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    pub(super) async fn acquire(self: &Arc<Self>, priority: Priority) -> Permit {
        let (turn, mut come) = oneshot::channel();
        {
            let mut state = self.lock();
            match priority {
                Priority::Urgent => state.urgent.push_back(turn),
                Priority::Normal => state.normal.push_back(turn),
            }
        }
        loop {
            self.grant();
            let again = self.lock().law.pause(Instant::now());
            // Without a pause the next writer that ends hands on the turn.
            let again = again.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            tokio::select! {
                permit = &mut come => if let Ok(permit) = permit {
                    return permit;
                },
                () = tokio::time::sleep_until(again) => {}
            }
        }
    }

    /// Hands out turns while there is room.
    fn grant(self: &Arc<Self>) {
        loop {
            let (turn, permit) = {
                let mut state = self.lock();
                if state.law.pause(Instant::now()).is_some() || !state.law.has_room(state.in_flight) {
                    return;
                }
                let next = match state.urgent.pop_front() {
                    Some(turn) => Some(turn),
                    None => state.normal.pop_front(),
                };
                let Some(turn) = next else { return };
                state.in_flight += 1;
                (
                    turn,
                    Permit {
                        limiter: Arc::clone(self),
                        since: Instant::now(),
                    },
                )
            };
            // Who no longer waits drops the permit, which grants the next turn.
            let _ = turn.send(permit);
        }
    }

    /// How many writes are on their way, and how many may be.
    pub(super) fn depth(&self) -> (usize, f64) {
        let state = self.lock();
        (state.in_flight, state.law.limit)
    }
}

#[cfg(test)]
mod tests;

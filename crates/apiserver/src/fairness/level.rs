//! The seats of a priority level, and the queues in front of them.
//!
//! While seats are free, taking one is a compare-and-swap; the queues' lock is touched only when somebody waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use smol_str::SmolStr;
use tokio::sync::oneshot;

use super::rules::{LevelSpec, Queuing};

/// The live state of one priority level of one cluster.
pub(super) struct Level {
    pub(super) name: SmolStr,
    pub(super) executing: AtomicU32,
    /// How many requests wait in all queues.
    pub(super) waiting: AtomicU32,
    /// How many requests got seats, and how many did not, by `Rejection`.
    pub(super) dispatched: AtomicU64,
    pub(super) rejected: [AtomicU64; 3],
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    /// Made when the first request waits; bounded by the level's `queues` × `queueLengthLimit`.
    queues: Vec<VecDeque<Waiter>>,
    /// Which queue was served last.
    last: usize,
    next_ticket: u64,
}

struct Waiter {
    ticket: u64,
    width: u32,
    turn: oneshot::Sender<()>,
}

/// A place in a queue.
pub(super) struct Place {
    pub(super) queue: usize,
    pub(super) ticket: u64,
    pub(super) turn: oneshot::Receiver<()>,
}

impl Level {
    pub(super) fn new(name: SmolStr) -> Self {
        Self {
            name,
            executing: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            dispatched: AtomicU64::new(0),
            rejected: Default::default(),
            queues: Mutex::default(),
        }
    }

    /// Takes `width` seats if so many of `limit` are free; a request that is wider than the level fits an empty one.
    pub(super) fn take(&self, width: u32, limit: u32) -> bool {
        let taken = self
            .executing
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |executing| {
                let wanted = executing.saturating_add(width);
                (wanted <= limit || executing == 0).then_some(wanted)
            });
        taken.is_ok()
    }

    pub(super) fn give_back(&self, width: u32) {
        self.executing.fetch_sub(width, Ordering::AcqRel);
    }

    /// Waits in the shortest queue of the flow's hand; `None` when that is full.
    pub(super) fn enqueue(&self, queuing: Queuing, flow: u64, width: u32) -> Option<Place> {
        let mut queues = self.lock();
        if queues.queues.len() < queuing.queues {
            queues.queues.resize_with(queuing.queues, VecDeque::new);
        }
        let hand = hand(flow, queuing.queues, queuing.hand);
        let length = |at: usize| queues.queues.get(at).map_or(usize::MAX, VecDeque::len);
        let at = hand.into_iter().min_by_key(|at| length(*at))?;
        if length(at) >= queuing.length {
            return None;
        }
        let ticket = queues.next_ticket;
        queues.next_ticket += 1;
        let (turn, place) = oneshot::channel();
        queues
            .queues
            .get_mut(at)?
            .push_back(Waiter { ticket, width, turn });
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Some(Place {
            queue: at,
            ticket,
            turn: place,
        })
    }

    /// Leaves a queue without having been served.
    pub(super) fn leave(&self, place: &Place) {
        let mut queues = self.lock();
        let Some(queue) = queues.queues.get_mut(place.queue) else {
            return;
        };
        let before = queue.len();
        queue.retain(|waiter| waiter.ticket != place.ticket);
        if queue.len() < before {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Gives free seats to those who wait, queue by queue in turn, so that no flow is served twice before another.
    pub(super) fn dispatch(&self, limit: u32) {
        let mut queues = self.lock();
        while let Some(at) = queues.next() {
            let Some(width) = queues
                .queues
                .get(at)
                .and_then(|queue| queue.front())
                .map(|w| w.width)
            else {
                return;
            };
            if !self.take(width, limit) {
                return;
            }
            queues.last = at;
            let waiter = queues.queues.get_mut(at).and_then(VecDeque::pop_front);
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            if waiter.is_none_or(|waiter| waiter.turn.send(()).is_err()) {
                self.give_back(width);
            }
        }
        // Nobody waits: a flood leaves no memory behind.
        queues.queues = Vec::new();
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// The first queue behind the last one where somebody waits.
    fn next(&self) -> Option<usize> {
        let count = self.queues.len();
        (1..=count)
            .map(|step| (self.last + step) % count)
            .find(|at| self.queues.get(*at).is_some_and(|queue| !queue.is_empty()))
    }
}

/// Different queues for a flow, dealt like cards by its hash: two flows rarely share all of theirs.
fn hand(flow: u64, queues: usize, size: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..queues).collect();
    let mut value = flow;
    let mut hand = Vec::with_capacity(size);
    while hand.len() < size && !left.is_empty() {
        let count = left.len() as u64;
        let at = usize::try_from(value % count).unwrap_or_default();
        value /= count;
        hand.push(left.swap_remove(at));
    }
    hand
}

/// How many seats a level may fill now: its own, and what others do not use of what they lend.
pub(super) fn limit(own: usize, specs: &[LevelSpec], levels: &[std::sync::Arc<Level>]) -> u32 {
    let Some(spec) = specs.get(own) else { return 0 };
    if spec.is_exempt || spec.may_borrow == 0 {
        return spec.nominal;
    }
    let others = specs.iter().zip(levels).enumerate();
    let (mut free, mut borrowed) = (0u32, 0u32);
    for (_, (other, level)) in others.filter(|(at, (other, _))| *at != own && !other.is_exempt) {
        let executing = level.executing.load(Ordering::Relaxed);
        free += other.lendable.min(other.nominal.saturating_sub(executing));
        borrowed += executing.saturating_sub(other.nominal);
    }
    spec.nominal + free.saturating_sub(borrowed).min(spec.may_borrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_has_no_queue_twice_and_is_always_the_same() {
        for flow in [0, 1, 7, u64::MAX, 0x9e37_79b9_7f4a_7c15] {
            let mut dealt = hand(flow, 64, 8);
            assert_eq!(dealt, hand(flow, 64, 8));
            dealt.sort_unstable();
            dealt.dedup();
            assert_eq!(dealt.len(), 8);
            assert!(dealt.iter().all(|at| *at < 64));
        }
        assert_eq!(hand(5, 2, 8).len(), 2);
    }

    #[test]
    fn flows_take_turns() {
        let level = Level::new("l".into());
        let queuing = Queuing {
            queues: 2,
            hand: 1,
            length: 9,
        };
        assert!(level.take(1, 1));
        let mut loud: Vec<Place> = (0..3).map(|_| level.enqueue(queuing, 0, 1).unwrap()).collect();
        let mut quiet = level.enqueue(queuing, 1, 1).unwrap();
        let mut served = |level: &Level| {
            level.give_back(1);
            level.dispatch(1);
            let served = loud
                .iter_mut()
                .map(|place| usize::from(place.turn.try_recv().is_ok()));
            let loud: usize = served.sum();
            (loud, usize::from(quiet.turn.try_recv().is_ok()))
        };
        let two = [served(&level), served(&level)];
        assert_eq!(
            two.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)),
            (1, 1)
        );
    }
}

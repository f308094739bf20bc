//! Fair admission of requests: each cluster answers so many at once, lets so many wait, and refuses the rest with 429.
//!
//! Watches and streams do not count. The bound is per cluster, so that no tenant takes the process from the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warren_apimachinery::Status;

/// How many requests of a cluster are answered at once.
const AT_ONCE: usize = 600;
/// How many more may wait for their turn.
const MAY_WAIT: usize = 1_200;

/// The turns of one cluster's requests.
pub(crate) struct Fairness {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Fairness {
    pub(crate) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a turn, which lasts until the permit is dropped.
    ///
    /// # Errors
    /// 429 when too many wait already.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Status> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiter = Waiter::enter(&self.waiting).ok_or_else(refusal)?;
        Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| refusal())
    }
}

fn refusal() -> Status {
    Status::too_many_requests("Too many requests, please try again later.", 1)
}

/// Counts as waiting until dropped, also when the client goes away.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Option<Self> {
        let waiter = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < MAY_WAIT).then_some(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_turns_and_places_to_wait_requests_are_refused() {
        let fairness = Arc::new(Fairness::new());
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(fairness.turn().await.unwrap());
        }
        let waiters: Vec<_> = (0..MAY_WAIT)
            .map(|_| {
                let fairness = Arc::clone(&fairness);
                tokio::spawn(async move { fairness.turn().await.is_ok() })
            })
            .collect();
        while fairness.waiting.load(Ordering::Relaxed) < MAY_WAIT {
            tokio::task::yield_now().await;
        }
        let refused = fairness.turn().await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.details().unwrap().retry_after_seconds),
            (429, 1)
        );
        drop(held);
        for waiter in waiters {
            assert!(waiter.await.unwrap());
        }
    }
}

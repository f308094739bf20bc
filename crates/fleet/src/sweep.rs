//! Lets go, now and then, what was compiled of custom resources' schemas and is not used: one timer for all tenants.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// What is not used for as long goes; what is used at least so often stays.
const EVERY: Duration = Duration::from_secs(300);

/// Sweeps while `beside` runs, which owns the task.
pub(crate) async fn beside(beside: impl Future<Output = ()>) {
    tokio::pin!(beside);
    let mut sweeps = interval(EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut beside => return,
            _ = sweeps.tick() => warren_schema::sweep(),
        }
    }
}

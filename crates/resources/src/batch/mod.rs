//! The batch group.

mod cron_job;
mod job;
mod time_zone;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "cronjobs" => Arc::new(cron_job::CronJob),
        "jobs" => Arc::new(job::Job),
        _ => return None,
    })
}

//! Locks that outlive a panic of their holder: one tenant's bug must not poison the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also when a holder panicked: every critical section here leaves its data whole at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

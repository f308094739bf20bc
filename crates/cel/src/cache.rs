//! Programs that several users share, by what they were compiled from.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// A bounded cache: what was used least lately makes room. Owned by whoever compiles; empty until used.
#[derive(Debug)]
pub struct Cache<K, V> {
    most: usize,
    kept: Mutex<Kept<K, V>>,
}

/// A clock that counts uses, and the values with the time of their last use.
type Kept<K, V> = (u64, HashMap<K, (u64, Arc<V>)>);

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    /// A cache of at most `most` values.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            kept: Mutex::new((0, HashMap::new())),
        }
    }

    /// The value of a key, made if it is not there. Two that ask at once may both make it; one is kept.
    pub fn find_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(found) = self.find(key) {
            return found;
        }
        let made = Arc::new(make());
        let mut guard = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (clock, kept) = &mut *guard;
        *clock += 1;
        let now = *clock;
        if kept.len() >= self.most
            && !kept.contains_key(key)
            && let Some(oldest) = kept
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone())
        {
            kept.remove(&oldest);
        }
        let entry = kept.entry(key.clone()).or_insert((now, made));
        Arc::clone(&entry.1)
    }

    fn find(&self, key: &K) -> Option<Arc<V>> {
        let mut guard = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (clock, kept) = &mut *guard;
        *clock += 1;
        let now = *clock;
        kept.get_mut(key).map(|(used, value)| {
            *used = now;
            Arc::clone(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_used_least_lately() {
        let cache = Cache::new(2);
        assert_eq!(*cache.find_or_insert(&1, || "one"), "one");
        cache.find_or_insert(&2, || "two");
        cache.find_or_insert(&1, || "never");
        cache.find_or_insert(&3, || "three");
        assert_eq!(*cache.find_or_insert(&1, || "again"), "one");
        assert_eq!(*cache.find_or_insert(&2, || "again"), "again");
    }
}

//! Programs that several users hold at the same time, by what they were compiled from.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many entries there may be before those that nobody uses are looked for.
const FEW: usize = 32;

/// Values by what they were made from, each for as long as anybody uses it. Holds as many as are in use, and
/// at most as many entries again whose values are gone.
#[derive(Debug)]
pub struct Shared<K, V> {
    kept: Mutex<Kept<K, V>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    values: HashMap<K, Weak<V>>,
    /// How many entries there are when those without a value are dropped next.
    full: usize,
}

impl<K: Eq + Hash + Clone, V> Default for Shared<K, V> {
    fn default() -> Self {
        let kept = Kept {
            values: HashMap::new(),
            full: FEW,
        };
        Self {
            kept: Mutex::new(kept),
        }
    }
}

impl<K: Eq + Hash + Clone, V> Shared<K, V> {
    /// The value of a key, made if nobody has it. Two that ask at once may both make it; one is kept.
    pub fn find_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        if let Some(found) = self.find(key) {
            return found;
        }
        let made = Arc::new(make());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.values.get(key).and_then(Weak::upgrade) {
            return found;
        }
        if kept.values.len() >= kept.full {
            kept.values.retain(|_, value| value.strong_count() > 0);
            kept.full = (kept.values.len() * 2).max(FEW);
        }
        kept.values.insert(key.clone(), Arc::downgrade(&made));
        made
    }

    fn find(&self, key: &K) -> Option<Arc<V>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.values.get(key).and_then(Weak::upgrade)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_in_use_and_forgets_the_rest() {
        let shared = Shared::default();
        let one = shared.find_or_insert(&0, || "one".to_owned());
        assert_eq!(*shared.find_or_insert(&0, || "never".to_owned()), "one");
        for key in 1..1000 {
            shared.find_or_insert(&key, || "gone".to_owned());
        }
        assert!(shared.kept.lock().unwrap().values.len() <= FEW + 1);
        assert_eq!(*shared.find_or_insert(&0, || "never".to_owned()), "one");
        drop(one);
        assert_eq!(*shared.find_or_insert(&0, || "again".to_owned()), "again");
    }
}

//! `Converted`: objects in versions that they are not kept in, so that those who read and watch the same object share
//! one conversion, and those who want it at the same time wait for it together.
//!
//! **Bound.** The last [`MOST`] objects of a cluster, [`MOST_BYTES`] of them, none above [`LARGEST`] bytes. Nothing while
//! no object of a cluster is converted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use smol_str::SmolStr;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use warren_apimachinery::Object;

/// How many objects are kept.
const MOST: usize = 1024;
/// How many bytes of objects are kept.
const MOST_BYTES: usize = 4 << 20;
/// The largest object that is kept.
const LARGEST: usize = 256 * 1024;

/// Which conversion: of which object in memory, to which version, by which definition. An object that is kept is never
/// changed, and while something is known of it its place in memory is nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    object: usize,
    version: SmolStr,
    conversion: u64,
}

impl Key {
    pub(crate) fn new(object: &Arc<Object>, version: &SmolStr, conversion: u64) -> Self {
        Self {
            object: Arc::as_ptr(object).addr(),
            version: version.clone(),
            conversion,
        }
    }
}

struct Entry {
    /// Holds the place in memory of what it was made of.
    _of: Weak<Object>,
    made: Arc<Object>,
}

#[derive(Default)]
struct Known {
    entries: HashMap<Key, Entry>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
    /// What is being converted now.
    claimed: HashSet<Key>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Converted {
    known: Mutex<Known>,
    news: Notify,
}

/// Whether what others convert already is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    Wait,
    /// They failed once: whoever needs it looks for themselves.
    Ignore,
}

impl Converted {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when a conversion that was under way ended.
    pub(crate) fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// What is known of `keys`, and the claim to those of the rest that are not under way.
    pub(crate) fn take(&self, keys: &[Key], others: Others) -> (Vec<Option<Arc<Object>>>, Claim<'_>) {
        let mut known = self.known();
        let mut found = Vec::with_capacity(keys.len());
        let mut places = Vec::new();
        let mut claimed = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let made = known.entries.get(key).map(|entry| Arc::clone(&entry.made));
            if made.is_none() {
                if known.claimed.insert(key.clone()) {
                    claimed.push(key.clone());
                    places.push(at);
                } else if others == Others::Ignore {
                    places.push(at);
                }
            }
            found.push(made);
        }
        let claim = Claim {
            of: self,
            claimed,
            places,
        };
        (found, claim)
    }

    /// Keeps what was made of an object.
    pub(crate) fn put(&self, key: Key, of: &Arc<Object>, made: &Arc<Object>) {
        let size = made.bytes().len();
        if size > LARGEST {
            return;
        }
        let mut known = self.known();
        let entry = Entry {
            _of: Arc::downgrade(of),
            made: Arc::clone(made),
        };
        if known.entries.insert(key.clone(), entry).is_some() {
            return;
        }
        known.bytes += size;
        known.order.push_back(key);
        while known.order.len() > MOST || known.bytes > MOST_BYTES {
            let Some(oldest) = known.order.pop_front() else {
                break;
            };
            if let Some(gone) = known.entries.remove(&oldest) {
                known.bytes = known.bytes.saturating_sub(gone.made.bytes().len());
            }
        }
    }
}

/// What its holder converts. Whoever waits hears when it is dropped, with or without success.
pub(crate) struct Claim<'a> {
    of: &'a Converted,
    claimed: Vec<Key>,
    /// Where in the keys that were asked for.
    pub(crate) places: Vec<usize>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.claimed.is_empty() {
            return;
        }
        let mut known = self.of.known();
        for key in &self.claimed {
            known.claimed.remove(key);
        }
        drop(known);
        self.of.news.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, size: usize) -> Arc<Object> {
        Arc::new(Object::from_value(
            &json!({"metadata": {"name": name}, "data": "x".repeat(size)}),
        ))
    }

    #[test]
    fn one_converts_and_the_others_find_it() {
        let cache = Converted::default();
        let (kept, made) = (object("a", 1), object("a", 2));
        let key = Key::new(&kept, &"v1".into(), 1);
        let (found, claim) = cache.take(std::slice::from_ref(&key), Others::Wait);
        assert!(found.iter().all(Option::is_none));
        assert_eq!(claim.places, [0]);
        let (_, second) = cache.take(std::slice::from_ref(&key), Others::Wait);
        assert!(second.places.is_empty());
        let (_, third) = cache.take(std::slice::from_ref(&key), Others::Ignore);
        assert_eq!(third.places, [0]);
        cache.put(key.clone(), &kept, &made);
        drop((claim, second, third));
        assert!(cache.known().claimed.is_empty());
        let (found, claim) = cache.take(&[key, Key::new(&kept, &"v2".into(), 1)], Others::Wait);
        assert!(
            found
                .first()
                .unwrap()
                .as_ref()
                .is_some_and(|it| Arc::ptr_eq(it, &made))
        );
        assert_eq!(claim.places, [1]);
    }

    #[test]
    fn the_oldest_make_room_and_the_largest_are_not_kept() {
        let cache = Converted::default();
        let mut kept = Vec::new();
        for number in 0..40 {
            let of = object(&number.to_string(), 1);
            let made = object("made", LARGEST - 100);
            cache.put(Key::new(&of, &"v1".into(), 1), &of, &made);
            kept.push(of);
        }
        let of = object("large", 1);
        cache.put(Key::new(&of, &"v1".into(), 1), &of, &object("made", LARGEST));
        let known = cache.known();
        assert!(known.bytes <= MOST_BYTES && known.entries.len() == known.order.len());
        assert!(known.entries.len() >= 10);
        assert!(!known.entries.contains_key(&Key::new(&of, &"v1".into(), 1)));
    }
}

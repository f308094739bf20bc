//! `Parsed`: what was read from an object, once for all clusters that hold the same object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;
use warren_apimachinery::Object;

/// Readings by the address of the object they were made from. The weak pointer to the object keeps its address from
/// being used again; a reading lives as long as somebody else holds it. Dead entries go when the map is full, so it
/// holds at most twice what is alive.
pub(crate) struct Parsed<T>(Mutex<HashMap<usize, Entry<T>>>);

type Entry<T> = (Weak<Object>, Weak<T>);

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Parsed<T> {
    /// The reading of an object; `read` makes it when nobody holds one. `None` when `read` cannot.
    pub(crate) fn of(&self, object: &Arc<Object>, read: impl FnOnce(&Value) -> Option<T>) -> Option<Arc<T>> {
        let address = Arc::as_ptr(object) as usize;
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&address)
            .and_then(|(_, t)| t.upgrade());
        if known.is_some() {
            return known;
        }
        let reading = Arc::new(read(&object.to_value())?);
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() == map.capacity() {
            map.retain(|_, (_, reading)| reading.strong_count() > 0);
        }
        map.insert(address, (Arc::downgrade(object), Arc::downgrade(&reading)));
        Some(reading)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_once_while_its_reading_is_held() {
        let parsed = Parsed::<u8>::default();
        let object = Arc::new(Object::from_value(&json!({"metadata": {"name": "a"}})));
        let first = parsed.of(&object, |_| Some(1)).unwrap();
        assert_eq!(*parsed.of(&object, |_| Some(2)).unwrap(), 1);
        drop(first);
        assert_eq!(*parsed.of(&object, |_| Some(3)).unwrap(), 3);
    }

    #[test]
    fn dead_readings_do_not_pile_up() {
        let parsed = Parsed::<u8>::default();
        for _ in 0..10_000 {
            let object = Arc::new(Object::from_value(&json!({"metadata": {"name": "a"}})));
            parsed.of(&object, |_| Some(1)).unwrap();
        }
        assert!(parsed.0.lock().unwrap().len() < 100);
    }
}

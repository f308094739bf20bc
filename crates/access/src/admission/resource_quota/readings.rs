//! What was read of objects that quotas measure, so that each is read once and not with every write to its namespace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use warren_apimachinery::Object;

use super::measured::Measured;

/// How many readings of a cluster are kept; what is more is read each time.
const MOST: usize = 16_384;

/// Readings by the address of the object they were made from. The weak pointer keeps the address from being used again.
/// Readings of objects that are gone go when the map is full; all of them when the cluster falls idle.
#[derive(Default)]
pub(crate) struct Readings(Mutex<ByAddress>);

type ByAddress = HashMap<usize, (Weak<Object>, Arc<Measured>)>;

impl Readings {
    pub(super) fn of(&self, object: &Arc<Object>, read: impl FnOnce() -> Measured) -> Arc<Measured> {
        let address = Arc::as_ptr(object) as usize;
        let known = |map: &ByAddress| map.get(&address).map(|(_, measured)| Arc::clone(measured));
        if let Some(measured) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return measured;
        }
        let measured = Arc::new(read());
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() == map.capacity() {
            map.retain(|_, (object, _)| object.strong_count() > 0);
        }
        if map.len() < MOST {
            map.insert(address, (Arc::downgrade(object), Arc::clone(&measured)));
        }
        measured
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use warren_apimachinery::resource::PODS;
    use warren_apimachinery::value::ValueExt;
    use warren_storage::Snapshot;

    use super::*;

    #[test]
    fn an_object_is_read_once_and_forgotten_when_it_is_gone() {
        let (readings, cluster) = (Readings::default(), Snapshot::default());
        let made = |name: &str| Arc::new(Object::from_value(&json!({"metadata": {"name": name}})));
        let read = |object: &Arc<Object>| {
            let mut reads = 0;
            readings.of(object, || {
                reads += 1;
                Measured::of(&cluster, &PODS.group_resource(), &object.to_value())
            });
            reads
        };
        let kept = made("a");
        assert_eq!((read(&kept), read(&kept)), (1, 0));
        for n in 0..1000 {
            read(&made(&n.to_string()));
        }
        assert!(readings.0.lock().unwrap().len() < 100);
        assert_eq!(read(&kept), 0);
        assert_eq!(kept.to_value().text("/metadata/name"), "a");
    }
}

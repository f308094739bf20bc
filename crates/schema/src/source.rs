//! The schemas of custom resources as their definitions give them: kept as compressed text, once for all tenants of the process
//! that have the same, and compiled when first used. What was made of one and is not used between two [`sweep`]s is let go.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::custom::{from_json_schema, value_schema};
use crate::model::Schema;

type Hash = [u8; 32];

/// All that somebody holds, by the hash of their text; one leaves when its last holder goes.
static KEPT: LazyLock<Mutex<HashMap<Hash, Weak<Source>>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `openAPIV3Schema` of a version, structural, with its descriptions.
pub struct Source {
    hash: Hash,
    /// Its JSON, deflated: a tenth of it.
    text: Box<[u8]>,
    made: Mutex<Made>,
    /// Since the last sweep.
    used: AtomicBool,
}

/// What was made of a schema.
#[derive(Default)]
struct Made {
    schema: Option<Arc<Schema>>,
    derived: Option<Arc<dyn Any + Send + Sync>>,
}

impl Source {
    /// The one of this schema, made if nobody has it. It was found to be structural when its definition was made.
    pub fn of(schema: &Value) -> Arc<Self> {
        let text = schema.to_string();
        let hash: Hash = Sha256::digest(&text).into();
        // Let go after the lock, which the end of the last holder takes too.
        let known = lock(&KEPT).get(&hash).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let made = Arc::new(Self {
                hash,
                text: deflate(text.as_bytes()),
                made: Mutex::default(),
                used: AtomicBool::new(false),
            });
            lock(&KEPT).insert(hash, Arc::downgrade(&made));
            made
        })
    }

    /// What tells its text from all others.
    pub fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// The schema as it was given.
    pub fn raw(&self) -> Value {
        let mut text = Vec::new();
        let read = DeflateDecoder::new(&*self.text).read_to_end(&mut text);
        // Made by `of`, so it can be read.
        read.ok()
            .and_then(|_| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// The compiled schema. Who asks while another compiles it waits for that.
    pub fn schema(&self) -> Arc<Schema> {
        self.used.store(true, Ordering::Relaxed);
        let mut made = lock(&self.made);
        let schema = made.schema.get_or_insert_with(|| {
            let raw = self.raw();
            from_json_schema(&raw).unwrap_or_else(|_| Arc::new(value_schema(&raw)))
        });
        Arc::clone(schema)
    }

    /// What its one user makes of the schema beside the compiled one, kept as long as that.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Value) -> T) -> Arc<T> {
        self.used.store(true, Ordering::Relaxed);
        let known = lock(&self.made).derived.clone();
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return known;
        }
        // Outside the lock: it may take long, and may ask for the schema. Two may both make it.
        let derived = Arc::new(make(&self.raw()));
        lock(&self.made).derived = Some(Arc::clone(&derived) as Arc<dyn Any + Send + Sync>);
        derived
    }

    /// Whether anything that was made of it is kept.
    pub fn is_compiled(&self) -> bool {
        let made = lock(&self.made);
        made.schema.is_some() || made.derived.is_some()
    }
}

/// Lets go what was not used since the last sweep.
pub fn sweep() {
    let all: Vec<Arc<Source>> = lock(&KEPT).values().filter_map(Weak::upgrade).collect();
    for source in all {
        if !source.used.swap(false, Ordering::Relaxed) {
            let unused = std::mem::take(&mut *lock(&source.made));
            drop(unused);
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut kept = lock(&KEPT);
        // Another may have taken the place meanwhile.
        if kept.get(&self.hash).is_some_and(|held| held.strong_count() == 0) {
            kept.remove(&self.hash);
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

fn deflate(text: &[u8]) -> Box<[u8]> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing to a `Vec` cannot fail.
    let written = encoder.write_all(text).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Ref, Type};

    /// Its description tells it from the schemas of other tests, which run beside it.
    fn raw(of: &str) -> Value {
        json!({"type": "object", "description": of, "properties": {"size": {"type": "integer"}}})
    }

    #[test]
    fn the_same_schema_is_one_in_memory_until_nobody_has_it() {
        let one = Source::of(&raw("shared"));
        let again = Source::of(&raw("shared"));
        assert!(Arc::ptr_eq(&one, &again));
        assert!(!Arc::ptr_eq(&one, &Source::of(&raw("other"))));
        assert_eq!(one.raw(), raw("shared"));
        let hash = one.hash;
        drop(one);
        assert!(lock(&KEPT).contains_key(&hash));
        drop(again);
        assert!(!lock(&KEPT).contains_key(&hash));
    }

    #[test]
    fn a_schema_is_compiled_when_first_used_and_once_for_all() {
        let source = Source::of(&raw("compiled"));
        assert!(!source.is_compiled());
        let reference = Ref::Lazy(Arc::clone(&source));
        let schema = reference.get();
        assert_eq!(schema.properties["size"].get().kind, Type::Integer);
        assert!(Arc::ptr_eq(&schema, &Source::of(&raw("compiled")).schema()));
        let mut made = 0;
        for _ in 0..2 {
            let derived = source.derived(|raw| {
                made += 1;
                raw["description"].clone()
            });
            assert_eq!(*derived, "compiled");
        }
        assert_eq!(made, 1);
    }

    #[test]
    fn what_is_not_used_between_two_sweeps_is_let_go() {
        let source = Source::of(&raw("swept"));
        let weak = Arc::downgrade(&source.schema());
        sweep();
        assert!(source.is_compiled(), "it was used before the first");
        sweep();
        assert!(!source.is_compiled());
        assert!(weak.upgrade().is_none());
        assert_eq!(source.schema().kind, Type::Object);
    }
}

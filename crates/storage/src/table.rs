//! One resource's objects, ordered by key: a persistent set whose copies share structure.
//!
//! An entry is one pointer; the key is read from the object's own index, so that a copied leaf costs 8 bytes
//! per object and keys are never kept twice.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdSet;
use imbl::shared_ptr::DefaultSharedPtr;
use warren_apimachinery::{Object, ObjectKey};

/// An object, compared by its namespace and name only.
#[derive(Clone, Debug)]
struct Entry(Arc<Object>);

impl Entry {
    fn place(&self) -> Place<'_> {
        let meta = self.0.meta();
        Place {
            namespace: &meta.namespace,
            name: &meta.name,
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().order(&other.place())
    }
}

/// A borrowed key. Deliberately without `Ord`: it only compares with entries.
#[derive(Clone, Copy)]
struct Place<'a> {
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn of(key: &'a ObjectKey) -> Self {
        Self {
            namespace: &key.namespace,
            name: &key.name,
        }
    }

    fn order(&self, other: &Place<'_>) -> Ordering {
        self.namespace
            .cmp(other.namespace)
            .then_with(|| self.name.cmp(other.name))
    }
}

impl equivalent::Equivalent<Entry> for Place<'_> {
    fn equivalent(&self, entry: &Entry) -> bool {
        self.order(&entry.place()) == Ordering::Equal
    }
}

impl equivalent::Comparable<Entry> for Place<'_> {
    fn compare(&self, entry: &Entry) -> Ordering {
        self.order(&entry.place())
    }
}

/// The objects of one resource, in key order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(OrdSet<Entry>);

type Ranged<'a> = imbl::ordset::RangedIter<'a, Entry, DefaultSharedPtr>;

impl Table {
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.0.get(&Place::of(key)).map(|entry| &entry.0)
    }

    pub(crate) fn insert(&mut self, object: Arc<Object>) {
        self.0.insert(Entry(object));
    }

    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        self.0.remove(&Place::of(key));
    }

    /// Whether both are one structure in memory; false says nothing.
    pub(crate) fn is(&self, other: &Table) -> bool {
        self.0.ptr_eq(&other.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The objects of one namespace, or of all, strictly after a key when one is given.
    pub(crate) fn scan<'a>(&'a self, namespace: Option<&'a str>, after: Option<&'a ObjectKey>) -> Scan<'a> {
        let first = namespace.map(|namespace| Place { namespace, name: "" });
        let after = after.map(Place::of);
        let from = match (first, after) {
            (None, None) => Bound::Unbounded,
            (Some(first), None) => Bound::Included(first),
            (None, Some(after)) => Bound::Excluded(after),
            (Some(first), Some(after)) if after.order(&first) == Ordering::Less => Bound::Included(first),
            (Some(_), Some(after)) => Bound::Excluded(after),
        };
        Scan {
            entries: self.0.range((from, Bound::<Place<'_>>::Unbounded)),
            namespace,
        }
    }
}

/// Objects in key order.
pub(crate) struct Scan<'a> {
    entries: Ranged<'a>,
    namespace: Option<&'a str>,
}

impl<'a> Iterator for Scan<'a> {
    type Item = &'a Arc<Object>;

    fn next(&mut self) -> Option<Self::Item> {
        let object = &self.entries.next()?.0;
        match self.namespace {
            Some(namespace) if object.meta().namespace != namespace => None,
            _ => Some(object),
        }
    }
}

//! One resource's objects, ordered by key, and those that have owners, ordered by owner: persistent sets whose copies
//! share structure.
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

/// An object as one of its owners finds it: compared by that owner's uid, then as an [`Entry`].
#[derive(Clone, Debug)]
struct Owned {
    object: Arc<Object>,
    /// Which of its owners.
    at: usize,
}

impl Owned {
    fn all(object: &Arc<Object>) -> impl Iterator<Item = Self> + use<'_> {
        let owners = 0..object.meta().owners.len();
        owners.map(|at| Self {
            object: Arc::clone(object),
            at,
        })
    }

    fn place(&self) -> OwnedPlace<'_> {
        let meta = self.object.meta();
        OwnedPlace {
            uid: meta.owners.get(self.at).map_or("", |owner| &owner.uid),
            place: Place {
                namespace: &meta.namespace,
                name: &meta.name,
            },
        }
    }
}

impl PartialEq for Owned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Owned {}

impl PartialOrd for Owned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Owned {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().order(&other.place())
    }
}

/// A borrowed owner and key.
#[derive(Clone, Copy)]
struct OwnedPlace<'a> {
    uid: &'a str,
    place: Place<'a>,
}

impl OwnedPlace<'_> {
    fn order(&self, other: &OwnedPlace<'_>) -> Ordering {
        self.uid
            .cmp(other.uid)
            .then_with(|| self.place.order(&other.place))
    }
}

impl equivalent::Equivalent<Owned> for OwnedPlace<'_> {
    fn equivalent(&self, owned: &Owned) -> bool {
        self.order(&owned.place()) == Ordering::Equal
    }
}

impl equivalent::Comparable<Owned> for OwnedPlace<'_> {
    fn compare(&self, owned: &Owned) -> Ordering {
        self.order(&owned.place())
    }
}

/// The objects of one resource, in key order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    objects: OrdSet<Entry>,
    /// An entry for each owner of each object that has any.
    owned: OrdSet<Owned>,
}

type Ranged<'a> = imbl::ordset::RangedIter<'a, Entry, DefaultSharedPtr>;

impl Table {
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(&Place::of(key)).map(|entry| &entry.0)
    }

    /// Puts an object at its key; answers the one that was there.
    pub(crate) fn insert(&mut self, object: Arc<Object>) -> Option<Arc<Object>> {
        let before = self.objects.insert(Entry(Arc::clone(&object)));
        if let Some(Entry(before)) = &before {
            self.disown(before);
        }
        for owned in Owned::all(&object) {
            self.owned.insert(owned);
        }
        before.map(|before| before.0)
    }

    /// Removes an object; answers it.
    pub(crate) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Object>> {
        let removed = self.objects.remove(&Place::of(key))?.0;
        self.disown(&removed);
        Some(removed)
    }

    fn disown(&mut self, object: &Arc<Object>) {
        for owned in Owned::all(object) {
            self.owned.remove(&owned.place());
        }
    }

    /// The objects of a namespace (empty: cluster-scoped ones) that name `uid` as an owner, in key order.
    pub(crate) fn owned_by<'a>(
        &'a self,
        uid: &'a str,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Object>> {
        let place = Place { namespace, name: "" };
        let from = Bound::Included(OwnedPlace { uid, place });
        let found = self.owned.range((from, Bound::<OwnedPlace<'_>>::Unbounded));
        found
            .take_while(move |owned| {
                let place = owned.place();
                place.uid == uid && place.place.namespace == namespace
            })
            .map(|owned| &owned.object)
    }

    /// Whether both are one structure in memory; false says nothing.
    pub(crate) fn is(&self, other: &Table) -> bool {
        self.objects.ptr_eq(&other.objects)
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
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
            entries: self.objects.range((from, Bound::<Place<'_>>::Unbounded)),
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

//! The cached objects of one resource, as a state machine: lists, watch events and own writes in, changes out.
//!
//! No I/O and no clock. What arrives may be late, doubled or out of order, as several streams feed one cache: the
//! watches, and the answers to our own writes. An object never goes back to an older state, and one that is gone does
//! not come back. For that revisions of one resource are compared, as the API allows since 1.35 and as all hosts with
//! etcd always meant it; a host whose revisions are no numbers is taken in the order of arrival.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use smol_str::SmolStr;
use warren_apimachinery::{Object, ObjectKey, Revision};

/// How many objects that are gone are remembered, to know what comes late: as many as may go within a round trip.
const GONE_MAX: usize = 4096;

/// What one change of the cache tells.
#[derive(Clone, Debug)]
pub(super) struct Delta {
    /// The object now; when it is gone, as it last was.
    pub(super) object: Arc<Object>,
    /// The object before.
    pub(super) previous: Option<Arc<Object>>,
    /// Whether it is gone.
    pub(super) deleted: bool,
}

/// Which objects a list or watch speaks of: what it does not list is gone, what it deletes may only have left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// All.
    All,
    /// Those that have a label.
    Labelled(&'static str),
    /// Those of a namespace.
    Namespace(SmolStr),
}

impl Domain {
    /// Whether an object is spoken of.
    pub(super) fn holds(&self, object: &Object) -> bool {
        let meta = object.meta();
        match self {
            Self::All => true,
            Self::Labelled(label) => meta.label(label).is_some(),
            Self::Namespace(namespace) => meta.namespace == *namespace,
        }
    }
}

/// A list that is under way. The number tells what it saw from what an earlier one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listing(u32);

struct Entry {
    object: Arc<Object>,
    /// The last list that held it.
    seen: Listing,
}

/// See the module. Bound: the objects of the host that are wanted.
pub(super) struct Cache {
    objects: BTreeMap<ObjectKey, Entry>,
    gone: Gone,
    listing: Listing,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            gone: Gone::default(),
            listing: Listing(0),
        }
    }
}

impl Cache {
    /// One object.
    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(key).map(|entry| &entry.object)
    }

    /// All objects (of one namespace), by key.
    pub(super) fn list(&self, namespace: Option<&str>) -> Vec<Arc<Object>> {
        match namespace {
            None => self
                .objects
                .values()
                .map(|entry| Arc::clone(&entry.object))
                .collect(),
            Some(namespace) => {
                let first = ObjectKey::namespaced(namespace, "");
                let range = self.objects.range((Bound::Included(first), Bound::Unbounded));
                range
                    .take_while(|(key, _)| key.namespace == namespace)
                    .map(|(_, entry)| Arc::clone(&entry.object))
                    .collect()
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// A list begins.
    pub(super) fn begin(&mut self) -> Listing {
        self.listing.0 = self.listing.0.wrapping_add(1);
        self.listing
    }

    /// A list holds an object.
    pub(super) fn listed(&mut self, listing: Listing, object: Object) -> Option<Delta> {
        self.put(Arc::new(object), listing)
    }

    /// A list ended: what it should have held and did not is gone, but for what is newer than the list.
    pub(super) fn end(&mut self, listing: Listing, domain: &Domain, revision: Revision) -> Vec<Delta> {
        let missing = self.objects.iter().filter(|(_, entry)| {
            let newer = revision != Revision::ZERO && entry.object.meta().revision > revision;
            entry.seen < listing && !newer && domain.holds(&entry.object)
        });
        let missing: Vec<ObjectKey> = missing.map(|(key, _)| key.clone()).collect();
        let taken = missing.into_iter().filter_map(|key| {
            let delta = self.take(&key);
            self.gone.at(key, revision);
            delta
        });
        taken.collect()
    }

    /// A watch tells that an object was added or changed, or a write of ours was answered with it.
    pub(super) fn seen(&mut self, object: Arc<Object>) -> Option<Delta> {
        self.put(object, Listing(0))
    }

    /// A watch tells that an object is gone, or has left what is watched.
    pub(super) fn left(&mut self, domain: &Domain, object: &Object) -> Option<Delta> {
        let key = object.key();
        let revision = object.meta().revision;
        self.gone.at(key.clone(), revision);
        let there = self.objects.get(&key)?.object.meta();
        let stale = there.revision > revision && revision != Revision::ZERO;
        let another = there.uid != object.meta().uid && there.revision >= revision;
        if stale
            || another
            || !self
                .objects
                .get(&key)
                .is_some_and(|entry| domain.holds(&entry.object))
        {
            return None;
        }
        let mut delta = self.take(&key)?;
        delta.previous = Some(std::mem::replace(&mut delta.object, Arc::new(object.clone())));
        Some(delta)
    }

    /// A delete of ours was answered: the object of this uid is no more, whatever comes late.
    pub(super) fn deleted(&mut self, key: &ObjectKey, uid: &str) -> Option<Delta> {
        self.gone.uid(SmolStr::new(uid));
        if self.objects.get(key)?.object.meta().uid != uid {
            return None;
        }
        self.take(key)
    }

    /// Drops what a domain holds, as nobody wants it any more; `kept` are the domains that are still wanted.
    pub(super) fn retain(&mut self, kept: &[Domain]) {
        self.objects
            .retain(|_, entry| kept.iter().any(|domain| domain.holds(&entry.object)));
    }

    /// Drops the objects with the lowest revisions until `most` are left.
    pub(super) fn keep_newest(&mut self, most: usize) {
        if self.objects.len() <= most {
            return;
        }
        let mut all: Vec<(Revision, ObjectKey)> = self
            .objects
            .iter()
            .map(|(key, entry)| (entry.object.meta().revision, key.clone()))
            .collect();
        all.sort_unstable();
        for (_, key) in all.iter().take(all.len() - most) {
            self.objects.remove(key);
        }
    }

    fn take(&mut self, key: &ObjectKey) -> Option<Delta> {
        let entry = self.objects.remove(key)?;
        self.gone.at(key.clone(), entry.object.meta().revision);
        Some(Delta {
            previous: Some(Arc::clone(&entry.object)),
            object: entry.object,
            deleted: true,
        })
    }

    fn put(&mut self, object: Arc<Object>, seen: Listing) -> Option<Delta> {
        let key = object.key();
        let meta = object.meta();
        if self.gone.holds(&key, &meta.uid, meta.revision) {
            return None;
        }
        let Some(entry) = self.objects.get_mut(&key) else {
            self.objects.insert(
                key,
                Entry {
                    object: Arc::clone(&object),
                    seen,
                },
            );
            return Some(Delta {
                object,
                previous: None,
                deleted: false,
            });
        };
        entry.seen = entry.seen.max(seen);
        let there = entry.object.meta();
        let known = meta.revision != Revision::ZERO && meta.revision <= there.revision;
        if known {
            return None;
        }
        let previous = std::mem::replace(&mut entry.object, Arc::clone(&object));
        Some(Delta {
            object,
            previous: Some(previous),
            deleted: false,
        })
    }
}

/// What is gone. Bound: `GONE_MAX` of each sort, the oldest go first.
#[derive(Default)]
struct Gone {
    /// Until which revision an object of this name is no news.
    keys: HashMap<ObjectKey, Revision>,
    by_age: VecDeque<ObjectKey>,
    uids: HashSet<SmolStr>,
    uids_by_age: VecDeque<SmolStr>,
}

impl Gone {
    fn at(&mut self, key: ObjectKey, revision: Revision) {
        if let Some(known) = self.keys.get_mut(&key) {
            *known = revision.max(*known);
            return;
        }
        self.keys.insert(key.clone(), revision);
        self.by_age.push_back(key);
        if self.by_age.len() > GONE_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    fn uid(&mut self, uid: SmolStr) {
        if !self.uids.insert(uid.clone()) {
            return;
        }
        self.uids_by_age.push_back(uid);
        if self.uids_by_age.len() > GONE_MAX
            && let Some(oldest) = self.uids_by_age.pop_front()
        {
            self.uids.remove(&oldest);
        }
    }

    /// Whether a state of an object comes too late.
    fn holds(&self, key: &ObjectKey, uid: &SmolStr, revision: Revision) -> bool {
        if self.uids.contains(uid) {
            return true;
        }
        let until = self.keys.get(key);
        revision != Revision::ZERO && until.is_some_and(|until| revision < *until)
    }
}

#[cfg(test)]
mod tests;

//! The state of a whole store at one revision.

use std::sync::Arc;

use warren_apimachinery::{GroupResource, Object, ObjectKey, Revision};

use crate::table::Table;

/// What an object costs beside its bytes, roughly: index, pointers, its place in the table.
const OBJECT_OVERHEAD: u64 = 512;

/// All objects at one revision. Copies share structure: a write copies one path of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Root {
    pub(crate) revision: Revision,
    bytes: u64,
    /// Sorted by resource; an empty table is dropped, so that unused resources cost nothing.
    tables: Vec<(Arc<GroupResource>, Table)>,
}

impl Root {
    fn at(&self, resource: &GroupResource) -> Result<usize, usize> {
        self.tables.binary_search_by(|(name, _)| (**name).cmp(resource))
    }

    fn table(&self, resource: &GroupResource) -> Option<&Table> {
        self.at(resource)
            .ok()
            .and_then(|at| self.tables.get(at))
            .map(|(_, table)| table)
    }

    pub(crate) fn get(&self, resource: &GroupResource, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.table(resource)?.get(key)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn insert(&mut self, resource: &GroupResource, object: Arc<Object>) {
        self.bytes += cost(&object);
        let at = self.at(resource).unwrap_or_else(|at| {
            self.tables
                .insert(at, (Arc::new(resource.clone()), Table::default()));
            at
        });
        let Some((_, table)) = self.tables.get_mut(at) else {
            return;
        };
        if let Some(before) = table.insert(object) {
            self.forget_bytes(&before);
        }
    }

    pub(crate) fn remove(&mut self, resource: &GroupResource, key: &ObjectKey) {
        let Ok(at) = self.at(resource) else { return };
        let Some((_, table)) = self.tables.get_mut(at) else {
            return;
        };
        let removed = table.remove(key);
        if table.is_empty() {
            self.tables.remove(at);
        }
        if let Some(removed) = removed {
            self.forget_bytes(&removed);
        }
    }

    fn forget_bytes(&mut self, object: &Object) {
        self.bytes = self.bytes.saturating_sub(cost(object));
    }

    /// Makes this root hold exactly `objects`, keeping the structure of whatever is the same already.
    pub(crate) fn become_exactly(&mut self, objects: Vec<(GroupResource, Arc<Object>)>) {
        let mut wanted = Root::default();
        for (resource, object) in objects {
            wanted.insert(&resource, object);
        }
        let gone: Vec<_> = self
            .all()
            .filter(|(r, o)| wanted.get(r, &o.key()).is_none())
            .collect();
        let gone: Vec<_> = gone.into_iter().map(|(r, o)| (Arc::clone(r), o.key())).collect();
        for (resource, key) in gone {
            self.remove(&resource, &key);
        }
        for (resource, object) in wanted.all() {
            let same = self
                .get(resource, &object.key())
                .is_some_and(|mine| Arc::ptr_eq(mine, object));
            if !same {
                self.insert(resource, Arc::clone(object));
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Arc<GroupResource>, &Arc<Object>)> {
        self.tables
            .iter()
            .flat_map(|(resource, table)| table.scan(None, None).map(move |object| (resource, object)))
    }
}

pub(crate) fn cost(object: &Object) -> u64 {
    object.size() as u64 + OBJECT_OVERHEAD
}

/// The state of a store at one revision: immutable, shared, cheap to keep (a paginated list keeps one, so
/// that every page is of one revision) and cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(pub(crate) Arc<Root>);

impl Snapshot {
    /// The revision of the last write that it contains.
    pub fn revision(&self) -> Revision {
        self.0.revision
    }

    /// One object.
    pub fn get(&self, resource: &GroupResource, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.0.get(resource, key)
    }

    /// The objects of a resource in key order, of one namespace or of all.
    pub fn list<'a>(
        &'a self,
        resource: &GroupResource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.scan(resource, namespace, None)
    }

    /// The same, strictly after a key: the next page.
    pub fn list_from<'a>(
        &'a self,
        resource: &GroupResource,
        namespace: Option<&'a str>,
        after: &'a ObjectKey,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.scan(resource, namespace, Some(after))
    }

    fn scan<'a>(
        &'a self,
        resource: &GroupResource,
        namespace: Option<&'a str>,
        after: Option<&'a ObjectKey>,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.0
            .table(resource)
            .into_iter()
            .flat_map(move |table| table.scan(namespace, after))
    }

    /// The objects of any resource, in one namespace (empty: the cluster-scoped ones), that name an owner. Costs what is found.
    pub fn dependents<'a>(
        &'a self,
        namespace: &'a str,
        owner_uid: &'a str,
    ) -> impl Iterator<Item = (&'a GroupResource, &'a Arc<Object>)> {
        self.0.tables.iter().flat_map(move |(resource, table)| {
            let owned = table.owned_by(owner_uid, namespace);
            owned.map(move |object| (&**resource, object))
        })
    }

    /// How many objects a resource has, in all namespaces. Needs no scan.
    pub fn count(&self, resource: &GroupResource) -> usize {
        self.0.table(resource).map_or(0, Table::len)
    }

    /// The resources that have objects, sorted.
    pub fn resources(&self) -> impl Iterator<Item = &GroupResource> {
        self.0.tables.iter().map(|(resource, _)| &**resource)
    }

    /// A snapshot of these resources alone: what a cache keeps beside what it made of them, so that it holds on to
    /// nothing else. Its revision is that of the whole.
    #[must_use]
    pub fn only(&self, resources: &[GroupResource]) -> Snapshot {
        let kept = |(name, _): &&(Arc<GroupResource>, Table)| resources.contains(name);
        Snapshot(Arc::new(Root {
            revision: self.0.revision,
            bytes: 0,
            tables: self.0.tables.iter().filter(kept).cloned().collect(),
        }))
    }

    /// Whether a resource is the very same in both snapshots, those of forks included. Compares pointers: a no may
    /// be wrong, a yes is not.
    pub fn same(&self, other: &Snapshot, resource: &GroupResource) -> bool {
        match (self.0.table(resource), other.0.table(resource)) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => mine.is(theirs),
            _ => false,
        }
    }

    /// How many bytes the objects take, roughly, as counted against the store's limit.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }
}

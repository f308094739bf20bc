//! `Catalogue`: which resources a cluster serves. The built-in ones are shared by all tenants; a cluster's custom
//! ones lie over them.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::SmolStr;
use warren_apimachinery::GroupResource;

use crate::definition::Definition;

/// The resources that a cluster serves: two shared tables, so that a copy costs two counters.
#[derive(Clone, Default)]
pub struct Catalogue {
    builtin: Arc<Table>,
    custom: Arc<Table>,
}

#[derive(Default)]
struct Table {
    all: Vec<Arc<Definition>>,
    by_plural: HashMap<SmolStr, Vec<usize>>,
    by_kind: HashMap<SmolStr, Vec<usize>>,
}

impl Table {
    fn new(all: Vec<Arc<Definition>>) -> Self {
        let mut table = Self::default();
        for (at, definition) in all.iter().enumerate() {
            table
                .by_plural
                .entry(definition.plural.clone())
                .or_default()
                .push(at);
            table.by_kind.entry(definition.kind.clone()).or_default().push(at);
        }
        table.all = all;
        table
    }

    fn resource(&self, group: &str, plural: &str) -> Option<&Arc<Definition>> {
        self.pick(self.by_plural.get(plural)?, group)
    }

    fn kind(&self, group: &str, kind: &str) -> Option<&Arc<Definition>> {
        self.pick(self.by_kind.get(kind)?, group)
    }

    fn pick(&self, candidates: &[usize], group: &str) -> Option<&Arc<Definition>> {
        candidates
            .iter()
            .filter_map(|&at| self.all.get(at))
            .find(|definition| definition.group == group)
    }
}

impl Catalogue {
    /// A catalogue of built-in resources; cloned for each cluster.
    pub fn new(builtin: Vec<Arc<Definition>>) -> Self {
        Self {
            builtin: Arc::new(Table::new(builtin)),
            custom: Arc::default(),
        }
    }

    /// The same built-in resources with other custom ones over them. Built-in ones win.
    #[must_use]
    pub fn with_custom(&self, custom: Vec<Arc<Definition>>) -> Self {
        Self {
            builtin: Arc::clone(&self.builtin),
            custom: Arc::new(Table::new(custom)),
        }
    }

    /// The resource served at `/apis/{group}/{version}/{plural}` as its clients see it, and where the version stands in
    /// `versions`.
    pub fn served(&self, group: &str, version: &str, plural: &str) -> Option<(&Arc<Definition>, usize)> {
        let definition = self.resource(group, plural)?;
        let at = definition.versions.iter().position(|v| v.name == version)?;
        Some((definition.view(version), at))
    }

    /// The resource of that group and plural name.
    pub fn resource(&self, group: &str, plural: &str) -> Option<&Arc<Definition>> {
        self.builtin
            .resource(group, plural)
            .or_else(|| self.custom.resource(group, plural))
    }

    /// The same, by `GroupResource`.
    pub fn group_resource(&self, resource: &GroupResource) -> Option<&Arc<Definition>> {
        self.resource(&resource.group, &resource.resource)
    }

    /// The resource of that group and kind.
    pub fn kind(&self, group: &str, kind: &str) -> Option<&Arc<Definition>> {
        self.builtin
            .kind(group, kind)
            .or_else(|| self.custom.kind(group, kind))
    }

    /// Whether the resource is built in.
    pub fn is_builtin(&self, group: &str, plural: &str) -> bool {
        self.builtin.resource(group, plural).is_some()
    }

    /// Whether a version of a group is served by any resource.
    pub fn serves(&self, group: &str, version: &str) -> bool {
        self.iter()
            .any(|definition| definition.group == group && definition.version(version).is_some())
    }

    /// All of them, the built-in ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.builtin.all.iter().chain(self.custom.all.iter())
    }

    /// The custom ones.
    pub fn custom(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.custom.all.iter()
    }
}

//! What the custom resources of one cluster are served by. Remembers what was made of each CustomResourceDefinition, so that a
//! change of one costs no look into the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Revision, resource};
use warren_registry::Registry;
use warren_registry::definition::Definition;
use warren_resources::custom::{Known, shared};

/// One entry for each definition of the cluster. Held while the catalogue is replaced, so that the newest state is the last.
#[derive(Default)]
pub(crate) struct ServedDefinitions(Mutex<BTreeMap<SmolStr, Entry>>);

struct Entry {
    /// Of the object that it was made of.
    revision: Revision,
    /// `None` where its status does not say that it is established.
    known: Option<Arc<Known>>,
}

impl Entry {
    fn of(object: &Object) -> Self {
        let status = object.field("status").unwrap_or_default();
        let status = serde_json::from_slice(&status).unwrap_or(Value::Null);
        Self {
            revision: object.meta().revision,
            known: is_established(&status).then(|| shared(object)),
        }
    }

    fn definition(&self) -> Option<&Arc<Definition>> {
        self.known.as_deref()?.as_ref().ok()
    }
}

impl ServedDefinitions {
    /// Lets a registry serve what its definitions say now. Those that make no sense are left out; their conditions say why.
    pub(crate) fn serve(&self, registry: &Registry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = registry.store().snapshot();
        let mut before = std::mem::take(&mut *entries);
        for object in snapshot.list(&resource::CUSTOM_RESOURCE_DEFINITIONS.group_resource(), None) {
            let meta = object.meta();
            let entry = before
                .remove(&meta.name)
                .filter(|entry| entry.revision == meta.revision)
                .unwrap_or_else(|| Entry::of(object));
            entries.insert(meta.name.clone(), entry);
        }
        let definitions: Vec<Arc<Definition>> =
            entries.values().filter_map(Entry::definition).cloned().collect();
        let catalogue = registry.catalogue();
        let is_same = catalogue.custom().count() == definitions.len()
            && catalogue
                .custom()
                .zip(&definitions)
                .all(|(now, wanted)| Arc::ptr_eq(now, wanted));
        if !is_same {
            registry.set_custom(definitions);
        }
    }
}

/// Whether its status says that it is served: as upstream, what discovery shows was established before.
fn is_established(status: &Value) -> bool {
    let mut conditions = status.items("/conditions").iter();
    conditions
        .any(|condition| condition.text("/type") == "Established" && condition.text("/status") == "True")
}

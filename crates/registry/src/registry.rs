//! `Registry`: one virtual cluster's API semantics over its store. Its verbs stand in the files of their names.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::{Object, ObjectKey, Status};
use warren_storage::Store;

use crate::admission::Admission;
use crate::catalogue::Catalogue;
use crate::conversion::Converter;
use crate::converted::Converted;
use crate::definition::Definition;
use crate::reserve::Reserve;
use crate::review::Reviews;
use crate::token::TokenIssuer;

/// What a registry is made of. All but the store may be shared by many clusters.
pub struct Parts {
    /// The cluster's objects.
    pub store: Arc<Store>,
    /// What is served.
    pub catalogue: Arc<Catalogue>,
    /// Who may refuse or change a write.
    pub admission: Arc<dyn Admission>,
    /// What objects need beyond themselves.
    pub reserve: Arc<dyn Reserve>,
    /// Who answers reviews.
    pub reviews: Arc<dyn Reviews>,
    /// Who signs tokens.
    pub tokens: Arc<dyn TokenIssuer>,
    /// Who asks the webhooks that convert custom resources.
    pub converter: Arc<dyn Converter>,
    /// The time.
    pub clock: Clock,
}

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One virtual cluster's API semantics over its store. Holds no task, no timer and no copy of anything shared.
pub struct Registry {
    pub(crate) store: Arc<Store>,
    catalogue: ArcSwap<Catalogue>,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) reserve: Arc<dyn Reserve>,
    pub(crate) reviews: Arc<dyn Reviews>,
    pub(crate) tokens: Arc<dyn TokenIssuer>,
    pub(crate) converter: Arc<dyn Converter>,
    pub(crate) converted: Converted,
    clock: Clock,
}

impl Registry {
    /// A registry over its parts.
    pub fn new(parts: Parts) -> Arc<Registry> {
        Arc::new(Registry {
            store: parts.store,
            catalogue: ArcSwap::new(parts.catalogue),
            admission: parts.admission,
            reserve: parts.reserve,
            reviews: parts.reviews,
            tokens: parts.tokens,
            converter: parts.converter,
            converted: Converted::default(),
            clock: parts.clock,
        })
    }

    /// The cluster's objects: for reads, lists and watches. Writes go through the registry.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What is served now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// Replaces the custom resources beside the shared built-in ones.
    pub fn set_custom(&self, custom: Vec<Arc<Definition>>) {
        self.catalogue
            .rcu(|now| Arc::new(now.with_custom(custom.clone())));
    }

    /// The admission chain: the edge asks it for connects (exec, attach, port-forward, proxy).
    pub fn admission(&self) -> &Arc<dyn Admission> {
        &self.admission
    }

    /// The time of this cluster.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// One object as it is kept.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub fn get(&self, definition: &Definition, key: &ObjectKey) -> Result<Arc<Object>, Status> {
        self.find(definition, key)
            .ok_or_else(|| Status::not_found(&definition.group_resource(), &key.name))
    }

    /// One object as it is kept; `None` when it is not there.
    pub fn find(&self, definition: &Definition, key: &ObjectKey) -> Option<Arc<Object>> {
        self.store
            .snapshot()
            .get(&definition.storage, key)
            .map(Arc::clone)
    }

    /// Whether the resource is built in, rather than made by a client.
    pub(crate) fn is_builtin(&self, definition: &Definition) -> bool {
        self.catalogue
            .load()
            .is_builtin(&definition.group, &definition.plural)
    }

    /// Whether what a writer read from the head is what readers see: an answer without a write must not tell
    /// of a write that may still fail.
    pub(crate) fn is_durable(&self, definition: &Definition, object: &Arc<Object>) -> bool {
        self.find(definition, &object.key())
            .is_some_and(|visible| visible.meta().revision == object.meta().revision)
    }

    /// The bytes a client of `version` receives for an object of the definition's version: the stored ones, converted where the version is another, with the
    /// defaults that a custom resource got since.
    pub fn answer(&self, definition: &Definition, version: &str, object: &Object) -> Bytes {
        if definition.is_stored_as(version) {
            return self.stored(definition, version, object);
        }
        let mut value = object.to_value();
        definition.strategy.convert_from_storage(version, &mut value);
        definition.stamp(version, &mut value);
        self.default_as_read(definition, version, &mut value);
        if let Some(schema) = self.schema(definition, version) {
            schema.complete(&mut value);
        }
        warren_apimachinery::object::to_json(&value).into()
    }

    /// Gives an object that was kept the defaults that its schema got since.
    pub(crate) fn default_as_read(&self, definition: &Definition, version: &str, value: &mut Value) {
        if let Some(version) = definition.version(version)
            && version.defaults_on_read
        {
            version.schema.get().default(value);
        }
    }

    /// The stored bytes where nothing is missing in them.
    fn stored(&self, definition: &Definition, version: &str, object: &Object) -> Bytes {
        if !definition
            .version(version)
            .is_some_and(|version| version.defaults_on_read)
        {
            return object.bytes();
        }
        let stored = object.to_value();
        let mut value = stored.clone();
        self.default_as_read(definition, version, &mut value);
        if value == stored {
            return object.bytes();
        }
        warren_apimachinery::object::to_json(&value).into()
    }
}

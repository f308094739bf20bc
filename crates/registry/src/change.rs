//! The way of a changed object into the store: shared by PUT, PATCH and the subresources.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Status, field, time};
use warren_reconciler::Part;
use warren_storage::WriteKind;

use crate::admission;
use crate::commit::{Refusal, draft};
use crate::create::Ownership;
use crate::operation::Operation;
use crate::strategy::Traits;
use crate::{metadata, subresource};

/// An object that is about to be changed: as it is kept, and parsed.
pub(crate) struct Current {
    pub(crate) object: Arc<Object>,
    pub(crate) value: Value,
}

impl Current {
    pub(crate) fn of(object: Arc<Object>) -> Self {
        let value = object.to_value();
        Self { object, value }
    }
}

impl Operation<'_> {
    /// Writes `new` over `current`, unless nothing would change.
    ///
    /// `new` is decoded, defaulted and in the storage version; its `resourceVersion` was looked at already.
    pub(crate) async fn change(
        &self,
        current: &Current,
        mut new: Value,
        ownership: Ownership,
    ) -> Result<Arc<Object>, Refusal> {
        let old = &current.value;
        self.carry_over(&mut new, old)?;
        metadata::dedup_owners(&mut new, self.cx.warnings);
        if ownership == Ownership::Update {
            self.own(&mut new, Some(old)).await;
        }
        self.mutate(admission::Operation::Update, &mut new, Some(old))
            .await?;
        let mut begun = None;
        if self.part == Part::Main && new.field("spec") != old.field("spec") {
            begun = self.begin(&mut new, Some(old)).await?;
        }
        let _permit = match self.vet_change(&mut new, old).await {
            Ok(permit) => permit,
            Err(refusal) => {
                self.abandon(begun.as_ref(), Some(old)).await;
                return Err(refusal);
            }
        };
        if is_last_step_of_deletion(&new, old) {
            self.abandon(begun.as_ref(), Some(old)).await;
            return self.finish_deletion(current, new).await;
        }
        self.write(current, new).await
    }

    /// Prepares and validates a changed object, and asks admission.
    async fn vet_change(&self, new: &mut Value, old: &Value) -> Result<admission::Permit, Refusal> {
        let strategy = &self.definition.strategy;
        self.prepare(new, old);
        let builtin = self.registry.is_builtin(self.definition);
        let mut errors = metadata::validate_update(new, old, builtin);
        if self.part == Part::Status {
            errors.extend(strategy.validate_status_update(new, old));
        } else {
            errors.extend(self.validate(new, old));
        }
        self.refuse(new, &errors)?;
        self.warn(new, Some(old));
        let permit = self
            .admit(admission::Operation::Update, Some(new), Some(old))
            .await?;
        Ok(permit)
    }

    /// Reserves and commits, unless nothing changed.
    async fn write(&self, current: &Current, mut new: Value) -> Result<Arc<Object>, Refusal> {
        let old = &current.value;
        let (registry, definition) = (self.registry, self.definition);
        let mut reserved = None;
        if self.part == Part::Main && !is_same(&new, old) {
            reserved = self.reserve(&mut new, Some(old)).await?;
        }
        let new = self.sealed(new).await?;
        if self.is_kept(&new, current) && registry.is_durable(definition, &current.object) {
            return Ok(Arc::clone(&current.object));
        }
        let expected = current.object.meta().revision;
        let draft = draft(definition, new);
        if self.cx.dry_run {
            return Ok(Arc::new(draft.at(expected)));
        }
        let change = WriteKind::Update { draft, expected };
        let key = current.object.key();
        let result = registry.commit(definition, &key, change).await;
        match (&result, &reserved) {
            (Err(_), Some(new)) => registry.reserve.undo(registry, definition, new, Some(old)).await,
            (Ok(_), Some(new)) => {
                registry
                    .reserve
                    .release(registry, definition, old, Some(new))
                    .await;
            }
            _ => {}
        }
        result
    }

    /// Whether an object is kept like this already. One that is kept in another version, or without the defaults that
    /// its definition got since, is not.
    fn is_kept(&self, new: &Value, current: &Current) -> bool {
        let version = &self.definition.storage_version.version;
        let is_shown_as_kept = self.definition.conversion.is_none()
            && !self
                .definition
                .version(version)
                .is_some_and(|version| version.defaults_on_read);
        if is_shown_as_kept {
            return is_same(new, &current.value);
        }
        is_same(new, &current.object.to_value())
    }

    /// Allocates what the object needs, or prepares for it; answers a copy for undoing it, for kinds that need
    /// anything.
    pub(crate) async fn begin(
        &self,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<Option<Value>, Status> {
        let (registry, definition) = (self.registry, self.definition);
        if !registry.reserve.concerns(definition) {
            return Ok(None);
        }
        registry
            .reserve
            .begin(registry, definition, object, old, self.cx.dry_run)
            .await?;
        Ok(Some(object.clone()))
    }

    /// Takes back what `begin` did for a write that is refused.
    pub(crate) async fn abandon(&self, begun: Option<&Value>, old: Option<&Value>) {
        let (registry, definition) = (self.registry, self.definition);
        if let Some(begun) = begun.filter(|_| !self.cx.dry_run) {
            registry.reserve.abandon(registry, definition, begun, old).await;
        }
    }

    /// Reserves what the object needs; answers a copy for undoing it, for kinds that need anything.
    pub(crate) async fn reserve(
        &self,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<Option<Value>, Status> {
        let (registry, definition) = (self.registry, self.definition);
        if !registry.reserve.concerns(definition) {
            return Ok(None);
        }
        let result = registry
            .reserve
            .reserve(registry, definition, object, old, self.cx.dry_run)
            .await;
        if let Err(status) = result {
            self.abandon(Some(object), old).await;
            return Err(status);
        }
        Ok(Some(object.clone()))
    }

    /// The last finalizer is gone: the update is the deletion.
    async fn finish_deletion(&self, current: &Current, new: Value) -> Result<Arc<Object>, Refusal> {
        let revision = current.object.meta().revision;
        if self.cx.dry_run {
            return Ok(Arc::new(self.draft(new).await?.at(revision)));
        }
        self.remove(current, new).await
    }

    /// Removes the object for good; `last` is what watchers are told.
    pub(crate) async fn remove(&self, current: &Current, last: Value) -> Result<Arc<Object>, Refusal> {
        let (registry, definition) = (self.registry, self.definition);
        // What goes is not converted once more to be kept: watchers are told what was there.
        let last = match definition.conversion {
            Some(_) => current.object.to_value(),
            None => last,
        };
        let change = WriteKind::Delete {
            last: draft(definition, last),
            expected: current.object.meta().revision,
        };
        let key = current.object.key();
        let gone = registry.commit(definition, &key, change).await?;
        if registry.reserve.concerns(definition) {
            registry
                .reserve
                .release(registry, definition, &current.value, None)
                .await;
        }
        Ok(gone)
    }

    /// Takes from the old object what this part, or any update, may not change.
    fn carry_over(&self, new: &mut Value, old: &Value) -> Result<(), Status> {
        self.isolate(new, old);
        let namespaced = self.definition.is_namespaced();
        let was = old.field("metadata");
        let metadata = metadata::of(new)?;
        let mut keep = |field: &str, always: bool| {
            let value = was.field(field);
            if value.is_null() {
                if always {
                    metadata.remove(field);
                }
            } else if always || metadata.get(field).is_none_or(is_empty) {
                metadata.insert(field.to_owned(), value.clone());
            }
        };
        keep("uid", false);
        keep("creationTimestamp", true);
        keep("generation", true);
        keep("selfLink", true);
        keep("deletionTimestamp", !was.field("deletionTimestamp").is_null());
        keep("deletionGracePeriodSeconds", false);
        keep("resourceVersion", true);
        keep("namespace", false);
        keep("name", false);
        if !namespaced {
            metadata.remove("namespace");
        }
        Ok(())
    }

    /// The strategy's rules for the part.
    fn validate(&self, new: &Value, old: &Value) -> Vec<field::Error> {
        let strategy = &self.definition.strategy;
        match self.part {
            Part::Sub(name) if subresource::validates_itself(self.part) => {
                strategy.validate_subresource_update(name, new, old)
            }
            _ => strategy.validate_replacement(new, old),
        }
    }

    /// The strategy's preparation, and the generation.
    fn prepare(&self, new: &mut Value, old: &Value) {
        let strategy = &self.definition.strategy;
        if self.part == Part::Status {
            strategy.prepare_for_status_update(new, old);
            if strategy.stamps_conditions() {
                subresource::stamp_conditions(new, old, &time::format(self.registry.now()));
            }
            self.complete(new);
            return;
        }
        if self.part == Part::Sub("approval") {
            subresource::stamp_conditions(new, old, &time::format(self.registry.now()));
            return;
        }
        if !subresource::validates_itself(self.part) {
            strategy.prepare_for_update(new, old);
        }
        self.complete(new);
        let generation = old.int("/metadata/generation").unwrap_or_default();
        let untouched = new.int("/metadata/generation").unwrap_or_default() == generation;
        let differs =
            differs_in_substance(new, old, strategy.traits()) || self.differs_in_what_counts(new, old);
        if strategy.traits().generation && untouched && differs {
            new.set("/metadata/generation", generation + 1);
        }
    }
}

/// Metadata that counts for the generation of a kind.
const COUNTED: [(&str, &str, &str); 2] = [
    ("apps", "deployments", "/metadata/annotations"),
    ("discovery.k8s.io", "endpointslices", "/metadata/labels"),
];

impl Operation<'_> {
    fn differs_in_what_counts(&self, new: &Value, old: &Value) -> bool {
        let kind = (self.definition.group.as_str(), self.definition.plural.as_str());
        COUNTED
            .iter()
            .any(|(group, plural, at)| (*group, *plural) == kind && new.at(at) != old.at(at))
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Whether anything but `metadata`, the kind's name, and a status that is written apart differs.
fn differs_in_substance(new: &Value, old: &Value, traits: Traits) -> bool {
    let counts = |key: &str| match key {
        "metadata" | "apiVersion" | "kind" => false,
        "status" => !traits.status,
        _ => true,
    };
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
        return false;
    };
    let count = |map: &Map<String, Value>| map.keys().filter(|key| counts(key)).count();
    count(new) != count(old)
        || new
            .iter()
            .any(|(key, value)| counts(key) && old.get(key) != Some(value))
}

/// Whether the two are the same but for the times in `managedFields`: then nothing is written.
fn is_same(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
        return new == old;
    };
    new.len() == old.len()
        && new.iter().all(|(key, value)| match old.get(key) {
            Some(was) if key == "metadata" => is_same_metadata(value, was),
            Some(was) => value == was,
            None => false,
        })
}

fn is_same_metadata(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_object(), old.as_object()) else {
        return new == old;
    };
    new.len() == old.len()
        && new.iter().all(|(key, value)| match old.get(key) {
            Some(was) if key == "managedFields" => is_same_ownership(value, was),
            Some(was) => value == was,
            None => false,
        })
}

fn is_same_ownership(new: &Value, old: &Value) -> bool {
    let (Some(new), Some(old)) = (new.as_array(), old.as_array()) else {
        return new == old;
    };
    const COMPARED: [&str; 6] = [
        "manager",
        "operation",
        "apiVersion",
        "fieldsType",
        "fieldsV1",
        "subresource",
    ];
    new.len() == old.len()
        && new
            .iter()
            .zip(old)
            .all(|(a, b)| COMPARED.iter().all(|field| a.field(field) == b.field(field)))
}

/// Whether this update takes away the last reason to keep an object that is being deleted.
fn is_last_step_of_deletion(new: &Value, old: &Value) -> bool {
    let namespace_is_held = new.text("/kind") == "Namespace" && !new.items("/spec/finalizers").is_empty();
    !old.at("/metadata/deletionTimestamp").is_null()
        && old
            .int("/metadata/deletionGracePeriodSeconds")
            .unwrap_or_default()
            == 0
        && new.items("/metadata/finalizers").is_empty()
        && !namespace_is_held
}

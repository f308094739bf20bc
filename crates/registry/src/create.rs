//! POST: a new object.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason, name, resource};
use warren_reconciler::Part;
use warren_storage::WriteKind;

use crate::admission;
use crate::commit::{Refusal, draft};
use crate::definition::Definition;
use crate::operation::Operation;
use crate::{Registry, Request, metadata};

/// How often a generated name is drawn before the collision is the client's answer, as upstream.
const NAME_DRAWS: usize = 8;

impl Registry {
    /// Creates an object in `namespace` (empty for cluster-scoped kinds), or answers a review.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn create(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        namespace: &str,
        object: Value,
    ) -> Result<Arc<Object>, Status> {
        if let Some(why) = definition.strategy.refuses_new() {
            return Err(Status::new(StatusReason::MethodNotAllowed, why));
        }
        let mut object = self.decode(cx, definition, Part::Main, object)?;
        metadata::wipe(&mut object)?;
        metadata::settle_namespace(&mut object, definition, namespace)?;
        let key = ObjectKey::namespaced(namespace, object.text("/metadata/name"));
        let operation = self.operation(cx, definition, Part::Main, &key);
        if definition.is_review() {
            return operation.review(object).await;
        }
        let made = operation
            .create(object, Ownership::Update)
            .await
            .map_err(|refusal| refusal.into_status(definition, &key.name))?;
        self.opened(definition, made).await
    }
}

/// Who keeps `metadata.managedFields`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// This write changes what its manager owns.
    Update,
    /// An apply has settled it already.
    Applied,
}

impl Operation<'_> {
    /// The way of a decoded object into the store.
    pub(crate) async fn create(&self, object: Value, ownership: Ownership) -> Result<Arc<Object>, Refusal> {
        let generates = !object.text("/metadata/generateName").is_empty();
        let made = self.make(object, ownership).await;
        made.map_err(|refusal| {
            if generates {
                not_generated(refusal)
            } else {
                refusal
            }
        })
    }

    async fn make(&self, mut object: Value, ownership: Ownership) -> Result<Arc<Object>, Refusal> {
        metadata::dedup_owners(&mut object, self.cx.warnings);
        if ownership == Ownership::Update {
            self.own(&mut object, None).await;
        }
        self.mutate(admission::Operation::Create, &mut object, None)
            .await?;
        metadata::fill(&mut object, self.definition, self.registry.now())?;
        self.name(&mut object);
        let begun = self.begin(&mut object, None).await?;
        let _permit = match self.vet(&mut object).await {
            Ok(permit) => permit,
            Err(refusal) => {
                self.abandon(begun.as_ref(), None).await;
                return Err(refusal);
            }
        };
        self.keep(object).await
    }

    /// Prepares and validates a new object, and asks admission.
    async fn vet(&self, object: &mut Value) -> Result<admission::Permit, Refusal> {
        let strategy = &self.definition.strategy;
        strategy.prepare_for_create(object);
        self.complete(object);
        let builtin = self.registry.is_builtin(self.definition);
        let mut errors = metadata::validate(object, self.definition, builtin);
        errors.extend(strategy.validate(object));
        errors.extend(strategy.validate_create(object));
        self.refuse(object, &errors)?;
        self.warn(object, None);
        // What is no number is no revision, and upstream lets it pass.
        let revision = object.text("/metadata/resourceVersion").parse::<u64>();
        if revision.is_ok_and(|revision| revision != 0) {
            return Err(
                Status::unclassified("resourceVersion should not be set on objects to be created").into(),
            );
        }
        let permit = self
            .admit(admission::Operation::Create, Some(object), None)
            .await?;
        let key = key_of(object);
        if self
            .registry
            .store
            .latest(&self.definition.storage, &key)
            .is_some()
        {
            return Err(Status::already_exists(&self.definition.group_resource(), &key.name).into());
        }
        Ok(permit)
    }

    /// Reserves and commits.
    async fn keep(&self, mut object: Value) -> Result<Arc<Object>, Refusal> {
        let key = key_of(&object);
        let registry = self.registry;
        let reserved = self.reserve(&mut object, None).await?;
        let object = self.sealed(object).await?;
        if self.cx.dry_run {
            return Ok(Arc::new(Object::from_value(&object)));
        }
        let result = match self.refuse_terminating(&key) {
            Ok(()) => {
                let change = WriteKind::Create(draft(self.definition, object));
                registry.commit(self.definition, &key, change).await
            }
            Err(status) => Err(status.into()),
        };
        if let (Err(_), Some(object)) = (&result, &reserved) {
            registry
                .reserve
                .undo(registry, self.definition, object, None)
                .await;
        }
        result
    }

    /// Draws a name from `generateName` that is free now.
    fn name(&self, object: &mut Value) {
        let prefix = object.text("/metadata/generateName");
        if prefix.is_empty() || !object.text("/metadata/name").is_empty() {
            return;
        }
        let namespace = object.text("/metadata/namespace");
        let mut drawn = String::new();
        for _ in 0..NAME_DRAWS {
            drawn = name::generate(prefix, random());
            let key = ObjectKey::namespaced(namespace, drawn.as_str());
            if self
                .registry
                .store
                .latest(&self.definition.storage, &key)
                .is_none()
            {
                break;
            }
        }
        object.set("/metadata/name", drawn);
    }

    /// Refuses new content in a namespace that goes away. Admission asked already; this is right before the
    /// commit and looks at writes in flight, so that nothing slips in behind the namespace's deletion.
    fn refuse_terminating(&self, key: &ObjectKey) -> Result<(), Status> {
        if !self.definition.is_namespaced() {
            return Ok(());
        }
        let namespace = ObjectKey::cluster(key.namespace.clone());
        let found = self
            .registry
            .store
            .latest(&NAMESPACES.group_resource(), &namespace);
        match found {
            Some(found) if found.meta().deleting => Err(terminating(self.definition, key)),
            _ => Ok(()),
        }
    }
}

const NAMESPACES: Resource = resource::NAMESPACES;

fn key_of(object: &Value) -> ObjectKey {
    ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"))
}

/// The refusal of a name that is taken, for an object whose name may be generated: the client may try again.
fn not_generated(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Status(status) if status.is(StatusReason::AlreadyExists) => {
            let message = format!(
                "{}, the server was not able to generate a unique name for the object",
                status.message()
            );
            let mut details = status.details().cloned().unwrap_or_default();
            details.retry_after_seconds = 1;
            Refusal::Status(Status::new(StatusReason::AlreadyExists, message).with_details(details))
        }
        other => other,
    }
}

/// What a create in a namespace that goes away is answered.
pub fn terminating(definition: &Definition, key: &ObjectKey) -> Status {
    let namespace = &key.namespace;
    let status = Status::forbidden(
        &definition.group_resource(),
        &key.name,
        &format!("unable to create new content in namespace {namespace} because it is being terminated"),
    );
    status.with_causes(vec![warren_apimachinery::status::Cause {
        reason: "NamespaceTerminating".to_owned(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    }])
}

fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

//! What a step knows: the write that is asked for, and the state it meets.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Object, ObjectKey, Resource, Status, UserInfo};
use warren_registry::admission::{AdmissionRequest, Operation};
use warren_registry::{Catalogue, Warnings};
use warren_storage::Snapshot;

use super::AdmissionSettings;
use crate::guard::Guard;

/// The write that is asked for, and the state it meets.
pub(crate) struct Asked<'a> {
    pub(crate) guard: &'a Guard,
    pub(crate) cluster: &'a Snapshot,
    pub(crate) operation: Operation,
    pub(crate) user: &'a UserInfo,
    pub(crate) resource: GroupResource,
    pub(crate) key: &'a ObjectKey,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
    pub(crate) old: Option<&'a Value>,
    pub(crate) warnings: &'a Warnings,
    /// Nothing will be kept.
    pub(crate) dry_run: bool,
    pub(crate) settings: Arc<AdmissionSettings>,
    /// When the write was asked for.
    pub(crate) now: Timestamp,
    /// The kinds that are served.
    pub(crate) catalogue: Arc<Catalogue>,
    /// For names that are made up.
    pub(crate) random: u64,
}

impl<'a> Asked<'a> {
    pub(super) fn of(guard: &'a Guard, request: &'a AdmissionRequest<'_>, cluster: &'a Snapshot) -> Self {
        Self {
            guard,
            cluster,
            operation: request.operation,
            user: request.user,
            resource: request.definition.group_resource(),
            key: request.key,
            subresource: request.subresource.unwrap_or_default(),
            old: request.old,
            warnings: request.warnings,
            dry_run: request.dry_run,
            settings: guard.admission(),
            now: request.registry.now(),
            catalogue: request.registry.catalogue(),
            random: uuid::Uuid::new_v4().as_u64_pair().0,
        }
    }

    /// Whether the main resource of that kind is written.
    pub(crate) fn writes(&self, resource: &Resource) -> bool {
        self.subresource.is_empty() && resource.is(&self.resource)
    }

    /// Whether an object of that kind is created.
    pub(crate) fn creates(&self, resource: &Resource) -> bool {
        self.operation == Operation::Create && self.writes(resource)
    }

    /// Whether an object of that kind is updated.
    pub(crate) fn updates(&self, resource: &Resource) -> bool {
        self.operation == Operation::Update && self.writes(resource)
    }

    pub(crate) fn find(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&'a Arc<Object>> {
        self.cluster.get(
            &resource.group_resource(),
            &ObjectKey::namespaced(namespace, name),
        )
    }

    /// All objects of a kind (of one namespace), parsed.
    pub(crate) fn all(
        &self,
        resource: &Resource,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = Value> + use<'a> {
        self.cluster
            .list(&resource.group_resource(), namespace)
            .map(|object| object.to_value())
    }

    /// `pods "x" is forbidden: why`; an object without a name yet goes by its `generateName`.
    pub(crate) fn forbidden(&self, object: &Value, why: impl AsRef<str>) -> Status {
        let name = [
            self.key.name.as_str(),
            object.text("/metadata/name"),
            object.text("/metadata/generateName"),
        ]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or("Unknown");
        Status::forbidden(&self.resource, name, why.as_ref())
    }
}

/// Go's way to print several errors as one: `a`, or `[a, b]`.
pub(crate) fn aggregate(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// The annotation's value; empty when absent.
pub(crate) fn annotation<'v>(object: &'v Value, key: &str) -> &'v str {
    object
        .at("/metadata/annotations")
        .field(key)
        .as_str()
        .unwrap_or_default()
}

/// The default among classes that are marked by an annotation: the newest, then the first by name.
pub(crate) fn default_class(classes: impl Iterator<Item = Value>, annotations: &[&str]) -> Option<String> {
    classes
        .filter(|class| annotations.iter().any(|key| annotation(class, key) == "true"))
        .max_by(|a, b| {
            let (made, name) = ("/metadata/creationTimestamp", "/metadata/name");
            a.text(made)
                .cmp(b.text(made))
                .then_with(|| b.text(name).cmp(a.text(name)))
        })
        .map(|class| class.text("/metadata/name").to_owned())
}

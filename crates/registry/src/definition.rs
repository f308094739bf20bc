//! What is served: one `Definition` per resource, and the catalogue that finds it.

use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::resource::{GroupVersion, Scope};
use warren_apimachinery::{GroupResource, GroupVersionKind};
use warren_schema::Ref;

use crate::conversion::Conversion;
use crate::strategy::Strategy;

/// A served resource: its names, versions and verbs, and the strategy that knows its kind.
pub struct Definition {
    /// The API group; empty for the core group.
    pub group: SmolStr,
    /// The kind.
    pub kind: SmolStr,
    /// The plural name, as in paths.
    pub plural: SmolStr,
    /// The singular name.
    pub singular: SmolStr,
    /// Such as `po`.
    pub short_names: Box<[SmolStr]>,
    /// Such as `all`.
    pub categories: Box<[SmolStr]>,
    /// Namespaced or not.
    pub scope: Scope,
    /// Served versions, the preferred first.
    pub versions: Box<[Version]>,
    /// The version objects are kept in: one of `versions`, or of the definition whose `storage` this shares.
    pub storage_version: GroupVersionKind,
    /// Where objects are kept. Differs from group and plural only where two groups share objects (events).
    pub storage: GroupResource,
    /// What can be done, as discovery tells it: `create`, `delete`, `deletecollection`, `get`, `list`,
    /// `patch`, `update`, `watch`. Reviews have `create` alone and are never stored.
    pub verbs: Box<[SmolStr]>,
    /// The parts with paths of their own.
    pub subresources: Box<[Subresource]>,
    /// What a schema cannot say.
    pub strategy: Arc<dyn Strategy>,
    /// Custom resources of several versions alone: the resource as clients of each version see it, served or not. In
    /// a view `storage_version` is the version that it shows, so that everything between decoding and the store sees
    /// objects as the client does. Empty where all versions are alike, and in the views.
    pub views: Box<[Arc<Definition>]>,
    /// In a view: how objects come from the version that they are kept in, and go there.
    pub conversion: Option<Arc<Conversion>>,
}

/// A version of a resource.
#[derive(Clone)]
pub struct Version {
    /// Such as `v1`.
    pub name: SmolStr,
    /// The shape of its objects.
    pub schema: Ref,
    /// The warning that goes with each use of a deprecated version.
    pub deprecation: Option<String>,
    /// Whether defaults are filled in when objects are read, too: a custom resource's schema may have changed since
    /// they were written.
    pub defaults_on_read: bool,
}

/// A subresource, as discovery tells it.
pub struct Subresource {
    /// Such as `status`, `scale`, `binding`, `log`.
    pub name: SmolStr,
    /// The kind that is sent and answered; `None` for the resource's own.
    pub kind: Option<GroupVersionKind>,
    /// What can be done.
    pub verbs: Box<[SmolStr]>,
    /// For `scale`: where the numbers are.
    pub scale: Option<ScalePaths>,
}

/// Where a scalable kind keeps its numbers, as JSON pointers.
#[derive(Clone, Debug)]
pub struct ScalePaths {
    /// Such as `/spec/replicas`.
    pub spec_replicas: SmolStr,
    /// Such as `/status/replicas`.
    pub status_replicas: SmolStr,
    /// The selector: a `LabelSelector` object, a map, or its text form.
    pub selector: Option<SmolStr>,
}

impl Definition {
    /// Whether objects are kept in this group's `version`, so that the stored bytes are the answer.
    pub fn is_stored_as(&self, version: &str) -> bool {
        self.storage_version.version == version && self.storage_version.group == self.group
    }

    /// `apps/v1`: what objects of `version` say as `apiVersion`.
    pub fn api_version(&self, version: &str) -> String {
        GroupVersion::new(self.group.clone(), version).to_string()
    }

    /// Writes the `apiVersion` and `kind` of `version` into an object.
    pub fn stamp(&self, version: &str, object: &mut Value) {
        if let Some(object) = object.as_object_mut() {
            object.insert("apiVersion".to_owned(), self.api_version(version).into());
            object.insert("kind".to_owned(), self.kind.as_str().into());
        }
    }

    /// Whether objects are answered but never kept: its only verb is `create`.
    pub fn is_review(&self) -> bool {
        matches!(self.verbs.as_ref(), [only] if only == "create")
    }

    /// Whether objects live in namespaces.
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// Group and plural, as clients and messages name it.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource {
            group: self.group.clone(),
            resource: self.plural.clone(),
        }
    }

    /// The served version of that name.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// The resource as clients of a version see it: itself, where all see the same.
    pub fn view(self: &Arc<Self>, version: &str) -> &Arc<Self> {
        let mut views = self.views.iter();
        views
            .find(|view| view.storage_version.version == version)
            .unwrap_or(self)
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources
            .iter()
            .find(|subresource| subresource.name == name)
    }
}

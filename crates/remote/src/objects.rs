//! Objects of any kind on a host, for the commands that put things there, find them by label, and take them away.

use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PropagationPolicy,
};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersion, ObjectKey, Resource, Value};

use crate::error::RemoteError;
use crate::host::Host;

/// Field manager of what commands write.
const MANAGER: &str = "warren";

/// A kind of the host, as a path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostResource {
    /// Group and version.
    pub version: GroupVersion,
    /// The kind; empty where it is not known, which reading and deleting do not mind.
    pub kind: String,
    /// The plural name.
    pub plural: String,
}

impl HostResource {
    /// The one that our own code names.
    pub fn of(resource: &Resource) -> Self {
        Self {
            version: GroupVersion::new(resource.group, resource.version),
            kind: resource.kind.to_owned(),
            plural: resource.plural.to_owned(),
        }
    }

    fn api(&self) -> ApiResource {
        ApiResource {
            group: self.version.group.to_string(),
            version: self.version.version.to_string(),
            api_version: self.version.to_string(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }
}

impl Host {
    /// Makes an object as it is given, or brings it to that: server-side apply, in the name of `warren`, which takes
    /// over what others set.
    ///
    /// # Errors
    /// `Unreachable`, `NotWarren` where the host does not know the kind, or `Refused`.
    pub async fn apply(&self, resource: &HostResource, object: &Value) -> Result<(), RemoteError> {
        let api = self.objects(resource, Some(object.text("/metadata/namespace")));
        let parameters = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(object);
        let applied = api
            .patch(object.text("/metadata/name"), &parameters, &patch)
            .await;
        applied.map(|_| ()).map_err(|error| self.wrong(error))
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    pub async fn object(
        &self,
        resource: &HostResource,
        key: &ObjectKey,
    ) -> Result<Option<Value>, RemoteError> {
        let found = self
            .objects(resource, Some(&key.namespace))
            .get_opt(&key.name)
            .await;
        match found.map_err(|error| self.wrong(error)) {
            Ok(found) => found.map(value).transpose(),
            Err(RemoteError::NotWarren(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The objects with these labels, of one namespace or of all. A kind that the host does not know has none.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    pub async fn labelled(
        &self,
        resource: &HostResource,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>, RemoteError> {
        let parameters = ListParams::default().labels(selector);
        match self.objects(resource, namespace).list(&parameters).await {
            Ok(list) => list.items.into_iter().map(value).collect(),
            Err(error) => match self.wrong(error) {
                RemoteError::NotWarren(_) => Ok(Vec::new()),
                refused if refused.is_refused_as("NotFound") => Ok(Vec::new()),
                error => Err(error),
            },
        }
    }

    /// Deletes an object, and what it owns after it. Answers whether it was there.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    pub async fn remove(&self, resource: &HostResource, key: &ObjectKey) -> Result<bool, RemoteError> {
        let parameters = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let removed = self
            .objects(resource, Some(&key.namespace))
            .delete(&key.name, &parameters)
            .await;
        match removed.map_err(|error| self.wrong(error)) {
            Ok(_) => Ok(true),
            Err(RemoteError::NotWarren(_)) => Ok(false),
            Err(refused) if refused.is_refused_as("NotFound") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// JSON merge patch of an object.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    pub async fn merge(
        &self,
        resource: &HostResource,
        key: &ObjectKey,
        patch: &Value,
    ) -> Result<(), RemoteError> {
        let api = self.objects(resource, Some(&key.namespace));
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = api.patch(&key.name, &parameters, &Patch::Merge(patch)).await;
        patched
            .map(|_| ())
            .map_err(|error| self.about(error, "object", key))
    }

    /// Says whether a virtual cluster should rest.
    ///
    /// # Errors
    /// `NotFound`, `Unreachable` or `Refused`.
    pub async fn set_paused(&self, key: &ObjectKey, paused: bool) -> Result<(), RemoteError> {
        let patch = match paused {
            true => serde_json::json!({"spec": {"paused": true}}),
            false => serde_json::json!({"spec": {"paused": null}}),
        };
        let api = self.virtual_clusters(&key.namespace);
        let patched = api
            .patch(&key.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        patched
            .map(|_| ())
            .map_err(|error| self.about(error, "virtual cluster", key))
    }

    fn objects(&self, resource: &HostResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace.filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource.api()),
            None => Api::all_with(self.client.clone(), &resource.api()),
        }
    }
}

fn value(object: DynamicObject) -> Result<Value, RemoteError> {
    serde_json::to_value(object).map_err(|error| RemoteError::Unreadable(error.to_string()))
}

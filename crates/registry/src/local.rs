//! `LocalCluster`: the `Cluster` port over a registry of this process.
//!
//! Reads share the store's bytes; writes pass the registry like everyone's.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status, UserInfo};
use warren_reconciler::{Change, Cluster, DeleteOptions, Part, ServedResource};
use warren_storage::{Event, EventKind};

use crate::commit::draft;
use crate::convert;
use crate::definition::Definition;
use crate::{Keeps, Patch, Registry, Request, Warnings};

/// A cluster of this process, written to in the name of one actor.
pub struct LocalCluster {
    id: ClusterId,
    registry: Arc<Registry>,
    user: UserInfo,
    field_manager: &'static str,
}

impl LocalCluster {
    /// A port that writes as `system:{actor}` with `actor` as field manager.
    pub fn new(registry: Arc<Registry>, actor: &'static str) -> Self {
        let user = UserInfo::system(&format!("system:{actor}"));
        Self::as_user(registry, actor, user)
    }

    /// A port that writes as `user`.
    pub fn as_user(registry: Arc<Registry>, field_manager: &'static str, user: UserInfo) -> Self {
        Self {
            id: registry.store().cluster().clone(),
            registry,
            user,
            field_manager,
        }
    }

    /// The registry behind it.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    fn definition(&self, group: &str, plural: &str) -> Result<Arc<Definition>, Status> {
        self.registry
            .catalogue()
            .resource(group, plural)
            .map(Arc::clone)
            .ok_or_else(Status::path_not_found)
    }

    /// The resource as clients of a version see it.
    fn view(&self, resource: &Resource) -> Result<Arc<Definition>, Status> {
        let definition = self.definition(resource.group, resource.plural)?;
        Ok(Arc::clone(definition.view(resource.version)))
    }

    /// The resource as the object at `key` is kept, and the request that keeps it so.
    fn kept(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
    ) -> Result<(Arc<Definition>, SmolStr, Keeps), Status> {
        let definition = self.definition(&resource.group, &resource.resource)?;
        if definition.views.is_empty() {
            let version = kept_version(&definition).into();
            return Ok((definition, version, Keeps::StorageVersion));
        }
        let found = self.registry.find(&definition, key);
        let view = found.and_then(|object| convert::kept_as(&definition, &object).map(Arc::clone));
        let view = view.unwrap_or(definition);
        let version = view.storage_version.version.clone();
        Ok((view, version, Keeps::Version))
    }

    fn request<'a>(&'a self, version: &'a str, warnings: &'a Warnings) -> Request<'a> {
        Request::new(&self.user, self.field_manager, version, warnings)
    }
}

/// The object as `version` has it. Nearly always that is how it is kept; what only a webhook can convert is read as it is
/// kept, so that none of ours waits for a tenant's server.
fn converted(
    definition: &Arc<Definition>,
    version: &str,
    registry: &Registry,
    object: &Arc<Object>,
) -> Arc<Object> {
    let view = definition.view(version);
    if let Some(conversion) = &view.conversion {
        return registry
            .opened_by_name(view, conversion, object)
            .unwrap_or_else(|| Arc::clone(object));
    }
    if view.is_stored_as(version) {
        return Arc::clone(object);
    }
    let value = registry.in_version(version, view, &object.to_value());
    Arc::new(draft(view, value).at(object.meta().revision))
}

/// The version that our code reads resources in which it only knows at run time: the one they are kept in.
fn kept_version(definition: &Definition) -> &str {
    let storage = &definition.storage_version;
    let preferred = definition
        .versions
        .first()
        .map_or("", |version| version.name.as_str());
    if definition.is_stored_as(&storage.version) {
        &storage.version
    } else {
        preferred
    }
}

#[async_trait]
impl Cluster for LocalCluster {
    fn id(&self) -> &ClusterId {
        &self.id
    }

    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>> {
        let definition = self.definition(resource.group, resource.plural).ok()?;
        let found = self.registry.find(&definition, key)?;
        Some(converted(&definition, resource.version, &self.registry, &found))
    }

    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let Ok(definition) = self.definition(resource.group, resource.plural) else {
            return Vec::new();
        };
        self.registry
            .store()
            .snapshot()
            .list(&definition.storage, namespace)
            .map(|object| converted(&definition, resource.version, &self.registry, object))
            .collect()
    }

    fn dependents(&self, namespace: &str, owner_uid: &str) -> Vec<(GroupResource, Arc<Object>)> {
        let snapshot = self.registry.store().snapshot();
        let found = snapshot.dependents(namespace, owner_uid);
        found
            .map(|(resource, object)| (resource.clone(), Arc::clone(object)))
            .collect()
    }

    fn resources(&self) -> Vec<ServedResource> {
        let catalogue = self.registry.catalogue();
        catalogue
            .iter()
            .filter_map(|definition| served(definition))
            .collect()
    }

    fn served(&self, group: &str, kind: &str) -> Option<ServedResource> {
        served(self.registry.catalogue().kind(group, kind)?)
    }

    async fn create(&self, resource: &Resource, object: Value) -> Result<Arc<Object>, Status> {
        let definition = self.view(resource)?;
        let warnings = Warnings::default();
        let cx = self.request(resource.version, &warnings);
        let namespace = object.text("/metadata/namespace").to_owned();
        let made = self.registry.create(&cx, &definition, &namespace, object).await?;
        Ok(converted(&definition, resource.version, &self.registry, &made))
    }

    async fn update(&self, resource: &Resource, part: Part, object: Value) -> Result<Arc<Object>, Status> {
        let definition = self.view(resource)?;
        let warnings = Warnings::default();
        let cx = self.request(resource.version, &warnings);
        let key = ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"));
        let written = self.registry.update(&cx, &definition, part, &key, object).await?;
        Ok(answered(
            &definition,
            resource.version,
            &self.registry,
            part,
            written.object,
        ))
    }

    async fn merge_patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        let definition = self.view(resource)?;
        let warnings = Warnings::default();
        let cx = self.request(resource.version, &warnings);
        let patch = Patch::Merge(patch);
        let written = self.registry.patch(&cx, &definition, part, key, patch).await?;
        Ok(answered(
            &definition,
            resource.version,
            &self.registry,
            part,
            written.object,
        ))
    }

    async fn post(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        subresource: &str,
        body: Value,
    ) -> Result<Value, Status> {
        let definition = self.view(resource)?;
        let warnings = Warnings::default();
        let cx = self.request(resource.version, &warnings);
        self.registry.post(&cx, &definition, key, subresource, body).await
    }

    async fn delete(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.delete_any(&resource.group_resource(), key, options).await
    }

    async fn delete_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        let (definition, version, keeps) = self.kept(resource, key)?;
        let warnings = Warnings::default();
        let cx = Request {
            keeps,
            ..self.request(&version, &warnings)
        };
        self.registry.delete(&cx, &definition, key, options).await?;
        Ok(())
    }

    async fn patch_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        let (definition, version, keeps) = self.kept(resource, key)?;
        let warnings = Warnings::default();
        let cx = Request {
            keeps,
            ..self.request(&version, &warnings)
        };
        let patch = Patch::Merge(patch);
        let written = self
            .registry
            .patch(&cx, &definition, Part::Main, key, patch)
            .await?;
        Ok(written.object)
    }

    fn find_any(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>> {
        let definition = self.definition(&resource.group, &resource.resource).ok()?;
        self.registry.find(&definition, key)
    }

    fn list_any(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let Ok(definition) = self.definition(&resource.group, &resource.resource) else {
            return Vec::new();
        };
        self.registry
            .store()
            .snapshot()
            .list(&definition.storage, namespace)
            .map(Arc::clone)
            .collect()
    }
}

fn served(definition: &Definition) -> Option<ServedResource> {
    let preferred = definition.versions.first()?;
    Some(ServedResource {
        resource: definition.group_resource(),
        version: preferred.name.to_string(),
        kind: definition.kind.to_string(),
        scope: definition.scope,
        verbs: definition.verbs.iter().map(ToString::to_string).collect(),
    })
}

/// What a write to a part answers: a `Scale` is of no version of its object.
fn answered(
    definition: &Arc<Definition>,
    version: &str,
    registry: &Registry,
    part: Part,
    object: Arc<Object>,
) -> Arc<Object> {
    if part == Part::Sub("scale") {
        return object;
    }
    converted(definition, version, registry, &object)
}

/// What a committed event tells the queue.
pub fn change(cluster: &ClusterId, event: &Event) -> Change {
    Change {
        cluster: cluster.clone(),
        resource: event.resource.clone(),
        object: Arc::clone(&event.object),
        previous: event.previous.clone(),
        deleted: event.kind == EventKind::Deleted,
    }
}

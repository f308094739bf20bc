//! The `Cluster` port: what controllers, the syncer and the CLI see of a cluster, virtual or host.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status};

/// A part of an object that is written apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The object but its status.
    Main,
    /// `/status`.
    Status,
    /// Another subresource by name, such as `binding`, `eviction`, `ephemeralcontainers`, `resize`, `finalize`.
    Sub(&'static str),
}

/// How an object goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds until it is gone; `None` for the kind's default.
    pub grace_period_seconds: Option<i64>,
    /// What becomes of its dependents; `None` for the kind's default.
    pub propagation: Option<Propagation>,
    /// Only if the uid is this one.
    pub uid: Option<String>,
    /// Only if the `resourceVersion` is this one.
    pub resource_version: Option<String>,
}

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They stay and lose the owner reference.
    Orphan,
    /// The garbage collector removes them afterwards.
    Background,
    /// They go first.
    Foreground,
}

/// A cluster as its own clients see it. In-process it is the registry; remote it is kube's client with a cache.
///
/// Reads answer from a cache that may be behind the cluster but never goes back; writes go to the cluster and
/// fail with the `Status` a client would read. `get` after an own write sees at least that write.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// Which cluster this is.
    fn id(&self) -> &ClusterId;

    /// One object, from the cache.
    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>>;

    /// All objects of a resource (of one namespace), ordered by key, from the cache.
    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>>;

    /// Objects of any resource by owner uid (of one namespace; `""` for cluster-scoped), from the cache: what
    /// the garbage collector asks.
    fn dependents(&self, namespace: &str, owner_uid: &str) -> Vec<(GroupResource, Arc<Object>)>;

    /// The resources that are served now, preferred versions only.
    fn resources(&self) -> Vec<ServedResource>;

    /// The one of a group and kind. Asked for each owner of each object, so it should not make the whole list.
    fn served(&self, group: &str, kind: &str) -> Option<ServedResource> {
        let mut all = self.resources().into_iter();
        all.find(|served| served.kind == kind && served.resource.group == group)
    }

    /// Creates. `metadata.namespace` (or `generateName`) must be set in `object`.
    ///
    /// # Errors
    /// What the API answers.
    async fn create(&self, resource: &Resource, object: Value) -> Result<Arc<Object>, Status>;

    /// Replaces. With a `resourceVersion` in `object` the write is conditional.
    ///
    /// # Errors
    /// What the API answers; `Conflict` when the object changed meanwhile.
    async fn update(&self, resource: &Resource, part: Part, object: Value) -> Result<Arc<Object>, Status>;

    /// JSON merge patch.
    ///
    /// # Errors
    /// What the API answers.
    async fn merge_patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Result<Arc<Object>, Status>;

    /// Posts to a subresource (`binding`, `eviction`, `token`) and returns its answer.
    ///
    /// # Errors
    /// What the API answers.
    async fn post(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        subresource: &str,
        body: Value,
    ) -> Result<Value, Status>;

    /// Deletes.
    ///
    /// # Errors
    /// What the API answers.
    async fn delete(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status>;

    /// Deletes an object of a resource that is only known at run time.
    ///
    /// # Errors
    /// What the API answers.
    async fn delete_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status>;

    /// JSON merge patch of an object of a resource that is only known at run time.
    ///
    /// # Errors
    /// What the API answers.
    async fn patch_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Arc<Object>, Status>;

    /// One object of a resource that is only known at run time, from the cache.
    fn find_any(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>>;

    /// All objects of a resource that is only known at run time (of one namespace), from the cache.
    fn list_any(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>>;
}

/// A resource as discovery tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedResource {
    /// Group and plural name.
    pub resource: GroupResource,
    /// The preferred version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// Namespaced or not.
    pub scope: warren_apimachinery::resource::Scope,
    /// Such as `get`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
}

/// Finds a cluster by its id; the fleet implements it. `None` when it is gone.
pub trait Clusters: Send + Sync + 'static {
    /// A port to the cluster, which writes in the name of `actor` (a field manager and user, such as
    /// `kube-controller-manager`).
    fn cluster(&self, id: &ClusterId, actor: &'static str) -> Option<Arc<dyn Cluster>>;

    /// The clusters that are resident now.
    fn ids(&self) -> Vec<ClusterId>;
}

/// What a commit changed, as it is fed to the queue.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where.
    pub cluster: ClusterId,
    /// Of which resource.
    pub resource: GroupResource,
    /// The object now; when it was deleted, as it last was.
    pub object: Arc<Object>,
    /// The object before; `None` when it is new (or when the change tells of what already is there).
    pub previous: Option<Arc<Object>>,
    /// Whether the object is gone.
    pub deleted: bool,
}

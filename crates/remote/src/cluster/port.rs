//! The port itself: reads from the cache, writes to the host. What a write answers is in the cache before its caller
//! goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status, StatusReason};
use warren_reconciler::{Cluster, DeleteOptions, Part, Propagation, ServedResource};

use super::answer::Failure;
use super::limit::{Outcome, Permit, Priority};
use super::wire::{Call, JSON};
use super::{READ_TIMEOUT, RemoteCluster, envelope, paths};

/// Admission of a host may take its time: upstream's webhooks have up to 30 s.
const WRITE_TIMEOUT: Duration = Duration::from_secs(34);
const MERGE_PATCH: &str = "application/merge-patch+json";

/// One write.
struct Writing<'a> {
    method: Method,
    path: &'a str,
    content_type: &'static str,
    body: &'a Value,
}

#[async_trait]
impl Cluster for RemoteCluster {
    fn id(&self) -> &ClusterId {
        &self.inner.id
    }

    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>> {
        let kind = self.inner.kind(&resource.group_resource());
        let cached = kind.and_then(|kind| kind.read().get(key).cloned());
        cached.or_else(|| self.inner.passing.get(resource, key))
    }

    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.list_any(&resource.group_resource(), namespace)
    }

    fn dependents(&self, namespace: &str, owner_uid: &str) -> Vec<(GroupResource, Arc<Object>)> {
        let mut found = Vec::new();
        for (name, kind) in self.inner.kinds.load().iter() {
            let all = kind.read().list(Some(namespace)).into_iter();
            let owned = all.filter(|object| object.meta().owners.iter().any(|owner| owner.uid == owner_uid));
            found.extend(owned.map(|object| (name.clone(), object)));
        }
        found
    }

    /// As the host's discovery told last.
    fn resources(&self) -> Vec<ServedResource> {
        self.inner.discovery.served().to_vec()
    }

    async fn create(&self, resource: &Resource, object: Value) -> Result<Arc<Object>, Status> {
        let resource = &self.complete(resource).await?;
        let path = paths::collection(resource, Some(object.text("/metadata/namespace")));
        let path = format!("{path}{}", self.manager());
        let writing = Writing {
            method: Method::POST,
            path: &path,
            content_type: JSON,
            body: &object,
        };
        match self.write(writing).await {
            Err(Failure::Answered(status)) if status.is(StatusReason::AlreadyExists) => {
                self.meet(resource, &object).await;
                Err(status)
            }
            answer => self.keep(resource, &answer?.1)?.ok_or_else(strange),
        }
    }

    async fn update(&self, resource: &Resource, part: Part, object: Value) -> Result<Arc<Object>, Status> {
        let resource = &self.complete(resource).await?;
        let key = ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"));
        let path = format!("{}{}", paths::object(resource, &key, sub(part)), self.manager());
        let writing = Writing {
            method: Method::PUT,
            path: &path,
            content_type: JSON,
            body: &object,
        };
        let (_, body) = self.write(writing).await?;
        self.written(resource, &body)
    }

    async fn merge_patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        let resource = &self.complete(resource).await?;
        let path = format!("{}{}", paths::object(resource, key, sub(part)), self.manager());
        let writing = Writing {
            method: Method::PATCH,
            path: &path,
            content_type: MERGE_PATCH,
            body: &patch,
        };
        match self.write(writing).await {
            Err(failure) => Err(self.missing(resource, key, failure)),
            Ok((_, body)) => self.written(resource, &body),
        }
    }

    async fn post(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        subresource: &str,
        body: Value,
    ) -> Result<Value, Status> {
        let resource = &self.complete(resource).await?;
        let path = format!(
            "{}{}",
            paths::object(resource, key, Some(subresource)),
            self.manager()
        );
        let writing = Writing {
            method: Method::POST,
            path: &path,
            content_type: JSON,
            body: &body,
        };
        let (_, answer) = self.write(writing).await?;
        serde_json::from_slice(&answer).map_err(|_| strange())
    }

    async fn delete(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        let resource = &self.complete(resource).await?;
        let path = paths::object(resource, key, None);
        let body = delete_body(&options);
        let writing = Writing {
            method: Method::DELETE,
            path: &path,
            content_type: JSON,
            body: &body,
        };
        match self.write(writing).await {
            Ok((code, answer)) => {
                self.removed(resource, key, code, &answer);
                Ok(())
            }
            Err(failure) => Err(self.missing(resource, key, failure)),
        }
    }

    async fn delete_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.delete(&self.known(resource).await?, key, options).await
    }

    async fn patch_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        self.merge_patch(&self.known(resource).await?, key, Part::Main, patch)
            .await
    }

    fn find_any(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>> {
        self.inner.kind(resource)?.read().get(key).cloned()
    }

    fn list_any(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        match self.inner.kind(resource) {
            Some(kind) => kind.read().list(namespace),
            None => Vec::new(),
        }
    }
}

impl RemoteCluster {
    fn manager(&self) -> String {
        paths::query(&[("fieldManager", self.actor)])
    }

    /// Life of virtual clusters goes before what is in them.
    fn priority(&self) -> Priority {
        match self.actor {
            "warren" => Priority::Urgent,
            _ => Priority::Normal,
        }
    }

    async fn complete(&self, resource: &Resource) -> Result<Resource, Status> {
        Ok(self.inner.complete(resource).await?)
    }

    async fn known(&self, resource: &GroupResource) -> Result<Resource, Status> {
        if let Some(kind) = self.inner.kind(resource) {
            return self.complete(&kind.resource).await;
        }
        let named = Resource::interned(&resource.group, "", "", &resource.resource, Scope::Namespaced);
        self.complete(&named.ok_or_else(Status::path_not_found)?).await
    }

    async fn write(&self, writing: Writing<'_>) -> Result<(u16, Bytes), Failure> {
        let permit = self.inner.limiter.acquire(self.priority()).await;
        let call = Call {
            method: writing.method,
            path: writing.path,
            accept: JSON,
            content_type: writing.content_type,
            body: Bytes::from(warren_apimachinery::object::to_json(writing.body)),
            timeout: WRITE_TIMEOUT,
        };
        tracing::debug!(method = %call.method, path = call.path, "write");
        self.inner.written.fetch_add(1, Ordering::Relaxed);
        let answer = self.inner.wire.answer(call).await;
        tell(permit, &answer);
        answer
    }

    /// Puts the object that a write answered into the cache. `None` where the answer is of another kind.
    fn keep(&self, resource: &Resource, body: &[u8]) -> Result<Option<Arc<Object>>, Status> {
        let Some(object) = object(resource, body)? else {
            return Ok(None);
        };
        if self.inner.follows(resource, &object) {
            let kind = self.inner.kind_of(resource);
            let delta = kind.write().seen(Arc::clone(&object));
            self.inner.tell(&kind, delta.into_iter().collect());
        } else {
            self.inner.passing.note(resource, Arc::clone(&object));
        }
        Ok(Some(object))
    }

    /// The answer to a write of an object or a part of it: a `Scale` is handed on and not kept.
    fn written(&self, resource: &Resource, body: &[u8]) -> Result<Arc<Object>, Status> {
        match self.keep(resource, body)? {
            Some(object) => Ok(object),
            None => {
                let value: Value = serde_json::from_slice(body).map_err(|_| strange())?;
                Ok(Arc::new(Object::from_value(&value)))
            }
        }
    }

    /// Something is there already: it is looked at, so that the next pass sees what it is.
    async fn meet(&self, resource: &Resource, object: &Value) {
        let namespace = match resource.scope {
            Scope::Namespaced => object.text("/metadata/namespace"),
            Scope::Cluster => "",
        };
        let key = ObjectKey::namespaced(namespace, object.text("/metadata/name"));
        let path = paths::object(resource, &key, None);
        if let Ok(body) = self.inner.wire.call(Call::get(&path, READ_TIMEOUT)).await {
            // One that cannot be read is met again by the next create.
            let _ = self.keep(resource, &body);
        }
    }

    /// What a refused write tells of the cache: an object that is not found is gone.
    fn missing(&self, resource: &Resource, key: &ObjectKey, failure: Failure) -> Status {
        let status = Status::from(failure);
        let named = status
            .details()
            .is_some_and(|details| details.name == key.name.as_str());
        if status.is(StatusReason::NotFound) && named {
            self.inner.passing.forget(resource, key);
        }
        status
    }

    fn removed(&self, resource: &Resource, key: &ObjectKey, code: u16, answer: &[u8]) {
        self.inner.passing.forget(resource, key);
        let Some(kind) = self.inner.kind(&resource.group_resource()) else {
            return;
        };
        let delta = match object(resource, answer) {
            Ok(Some(object)) if is_on_its_way(&object) => kind.write().seen(object),
            Ok(Some(object)) => kind.write().deleted(key, &object.meta().uid),
            // A success without an object: it is gone at once, and its uid stands in the details.
            Ok(None) if code == 200 => {
                let status: Value = serde_json::from_slice(answer).unwrap_or_default();
                let uid = status.text("/details/uid");
                match uid.is_empty() {
                    true => None,
                    false => kind.write().deleted(key, uid),
                }
            }
            // Accepted, and done later: the watch will tell.
            _ => None,
        };
        self.inner.tell(&kind, delta.into_iter().collect());
    }
}

/// Whether a deleted object is still there: it waits for its grace period or for somebody's finalizer.
fn is_on_its_way(object: &Object) -> bool {
    let meta = object.meta();
    let graceful = object
        .to_value()
        .int("/metadata/deletionGracePeriodSeconds")
        .unwrap_or_default()
        > 0;
    meta.deleting && (graceful || !meta.finalizers.is_empty())
}

fn tell(permit: Permit, answer: &Result<(u16, Bytes), Failure>) {
    let outcome = match answer {
        Err(Failure::Silent(_)) => Outcome::Lost,
        Err(Failure::Answered(status)) if matches!(status.code(), 429 | 503) => {
            let after = status.details().map_or(0, |details| details.retry_after_seconds);
            Outcome::Overloaded((after > 0).then(|| Duration::from_secs(after.into())))
        }
        _ => Outcome::Answered,
    };
    permit.end(outcome);
}

/// An answer as an object of `resource`; `None` where it is of another kind.
pub(super) fn object(resource: &Resource, body: &[u8]) -> Result<Option<Arc<Object>>, Status> {
    let text = std::str::from_utf8(body).map_err(|_| strange())?;
    let object = envelope::read(resource, text).map_err(|_| strange())?;
    Ok(object.map(Arc::new))
}

pub(super) fn strange() -> Status {
    Status::internal("the host's answer cannot be read")
}

fn sub(part: Part) -> Option<&'static str> {
    match part {
        Part::Main => None,
        Part::Status => Some("status"),
        Part::Sub(name) => Some(name),
    }
}

fn delete_body(options: &DeleteOptions) -> Value {
    let mut body = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
    if let Some(seconds) = options.grace_period_seconds {
        body.set("/gracePeriodSeconds", seconds);
    }
    if let Some(propagation) = options.propagation {
        let policy = match propagation {
            Propagation::Orphan => "Orphan",
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
        };
        body.set("/propagationPolicy", policy);
    }
    if let Some(uid) = &options.uid {
        body.set("/preconditions/uid", uid.as_str());
    }
    if let Some(revision) = &options.resource_version {
        body.set("/preconditions/resourceVersion", revision.as_str());
    }
    body
}

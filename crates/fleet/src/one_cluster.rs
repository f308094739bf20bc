//! One virtual cluster that a file asks for, on a host where there are no `VirtualCluster` objects: such an object, kept
//! here and laid over the host, so that its life is driven as that of any other.
//!
//! It is as new at each start; what it must remember is in the data (`kept`).

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{EVENTS, VIRTUAL_CLUSTERS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status};
use warren_config::{GROUP, KIND, VERSION};
use warren_reconciler::{Change, Cluster, DeleteOptions, Part, Runtime, ServedResource};

use crate::host::host_id;
use crate::real_host::Overlay;

/// Where a virtual cluster that is alone listens unless its configuration says so: vCluster's port, and the one that
/// its Service and its pod are made for.
const PORT: u16 = 8443;

/// See the module.
pub struct OneCluster {
    key: ObjectKey,
    object: Mutex<Arc<Object>>,
}

impl OneCluster {
    /// The virtual cluster `name`, whose host objects are in `namespace`.
    pub fn new(namespace: &str, name: &str, spec: Value) -> Arc<Self> {
        let key = ObjectKey::namespaced(namespace, name);
        let object = json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
            "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}/{name}"), "generation": 1},
            "spec": with_port(spec)});
        Arc::new(Self {
            key,
            object: Mutex::new(Arc::new(Object::from_value(&object))),
        })
    }

    /// From now on it should be like this. Answers whether that is anything new.
    pub fn set_spec(&self, spec: Value, runtime: &Runtime) -> bool {
        let spec = with_port(spec);
        let previous = self.object();
        if *previous.to_value().at("/spec") == spec {
            return false;
        }
        let object = self.change(|object| {
            let generation = object.int("/metadata/generation").unwrap_or_default();
            object.set("/metadata/generation", generation + 1);
            object.set("/spec", spec);
        });
        runtime.observe([Change {
            cluster: host_id(),
            resource: VIRTUAL_CLUSTERS.group_resource(),
            object,
            previous: Some(previous),
            deleted: false,
        }]);
        true
    }

    /// What became of it, as the object's status would tell.
    pub fn status(&self) -> Value {
        self.object().to_value().at("/status").clone()
    }

    fn object(&self) -> Arc<Object> {
        Arc::clone(&self.object.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Value)) -> Arc<Object> {
        let mut kept = self.object.lock().unwrap_or_else(PoisonError::into_inner);
        let mut object = kept.to_value();
        change(&mut object);
        *kept = Arc::new(Object::from_value(&object));
        Arc::clone(&kept)
    }

    /// What the life of virtual clusters writes: finalizers, and the whole status.
    fn patch(&self, part: Part, patch: &Value) -> Arc<Object> {
        match part {
            Part::Status => {
                let status = patch.at("/status");
                tell(self.object().to_value().at("/status"), status);
                self.change(|object| object.set("/status", status.clone()))
            }
            _ => self.change(|object| {
                object.set("/metadata/finalizers", patch.at("/metadata/finalizers").clone());
            }),
        }
    }
}

/// There is no object whose conditions anybody could read: the log has them.
fn tell(before: &Value, now: &Value) {
    let said = |status: &Value, name: &str| -> Option<(String, String)> {
        let conditions = status.items("/conditions");
        let found = conditions
            .iter()
            .find(|condition| condition.text("/type") == name)?;
        Some((
            found.text("/status").to_owned(),
            found.text("/message").to_owned(),
        ))
    };
    for condition in now.items("/conditions") {
        let name = condition.text("/type");
        let (holds, message) = (condition.text("/status"), condition.text("/message"));
        if said(before, name).is_some_and(|before| before == (holds.to_owned(), message.to_owned())) {
            continue;
        }
        match holds {
            "False" => tracing::warn!(condition = name, message, "the virtual cluster's state changed"),
            _ => tracing::info!(condition = name, message, "the virtual cluster's state changed"),
        }
    }
}

fn with_port(mut spec: Value) -> Value {
    if !spec.is_object() {
        spec = json!({});
    }
    if spec.at("/controlPlane/proxy/port").is_null() {
        spec.set("/controlPlane/proxy/port", PORT);
    }
    spec
}

impl Overlay for Arc<OneCluster> {
    fn over(&self, host: Arc<dyn Cluster>) -> Arc<dyn Cluster> {
        let one = Self::clone(self);
        Arc::new(Laid { one, host })
    }
}

/// The host with the one object on it.
struct Laid {
    one: Arc<OneCluster>,
    host: Arc<dyn Cluster>,
}

impl Laid {
    fn has(&self, resource: &GroupResource, key: &ObjectKey) -> bool {
        VIRTUAL_CLUSTERS.is(resource) && *key == self.one.key
    }
}

#[async_trait]
impl Cluster for Laid {
    fn id(&self) -> &ClusterId {
        self.host.id()
    }

    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>> {
        if VIRTUAL_CLUSTERS.is(&resource.group_resource()) {
            return (*key == self.one.key).then(|| self.one.object());
        }
        self.host.get(resource, key)
    }

    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        if VIRTUAL_CLUSTERS.is(&resource.group_resource()) {
            let here = namespace.is_none_or(|namespace| namespace == self.one.key.namespace);
            return here.then(|| self.one.object()).into_iter().collect();
        }
        self.host.list(resource, namespace)
    }

    fn dependents(&self, namespace: &str, owner_uid: &str) -> Vec<(GroupResource, Arc<Object>)> {
        self.host.dependents(namespace, owner_uid)
    }

    fn resources(&self) -> Vec<ServedResource> {
        self.host.resources()
    }

    async fn create(&self, resource: &Resource, object: Value) -> Result<Arc<Object>, Status> {
        if EVENTS.is(&resource.group_resource()) && object.text("/involvedObject/kind") == KIND {
            let (reason, message) = (object.text("/reason"), object.text("/message"));
            tracing::warn!(reason, message, "the virtual cluster is told of");
            return Ok(Arc::new(Object::from_value(&object)));
        }
        self.host.create(resource, object).await
    }

    async fn update(&self, resource: &Resource, part: Part, object: Value) -> Result<Arc<Object>, Status> {
        self.host.update(resource, part, object).await
    }

    async fn merge_patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        if self.has(&resource.group_resource(), key) {
            return Ok(self.one.patch(part, &patch));
        }
        self.host.merge_patch(resource, key, part, patch).await
    }

    async fn post(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        subresource: &str,
        body: Value,
    ) -> Result<Value, Status> {
        self.host.post(resource, key, subresource, body).await
    }

    async fn delete(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.host.delete(resource, key, options).await
    }

    async fn delete_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.host.delete_any(resource, key, options).await
    }

    async fn patch_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        self.host.patch_any(resource, key, patch).await
    }

    fn find_any(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>> {
        match self.has(resource, key) {
            true => Some(self.one.object()),
            false => self.host.find_any(resource, key),
        }
    }

    fn list_any(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        match VIRTUAL_CLUSTERS.is(resource) {
            true => self.list(&VIRTUAL_CLUSTERS, namespace),
            false => self.host.list_any(resource, namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_written_to_here_and_not_on_the_host() {
        let one = OneCluster::new("team-a", "demo", Value::Null);
        let object = one.object().to_value();
        assert_eq!(object.int("/spec/controlPlane/proxy/port"), Some(8443));
        one.patch(Part::Main, &json!({"metadata": {"finalizers": ["f"]}}));
        one.patch(Part::Status, &json!({"status": {"phase": "Ready"}}));
        assert_eq!(one.status(), json!({"phase": "Ready"}));
        assert_eq!(one.object().meta().finalizers.len(), 1);
    }

    #[test]
    fn a_port_that_is_asked_for_is_kept() {
        let one = OneCluster::new(
            "team-a",
            "demo",
            json!({"controlPlane": {"proxy": {"port": 7443}}}),
        );
        assert_eq!(
            one.object().to_value().int("/spec/controlPlane/proxy/port"),
            Some(7443)
        );
    }
}

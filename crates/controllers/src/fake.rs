//! An in-memory `Cluster` for tests: a map of objects that records every write. Knows no validation and no defaults.

mod authority;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::resource::{EVENTS, NODES, PODS, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, GroupResource, Object, ObjectKey, Resource, Status};
use warren_reconciler::{
    Change, Cluster, Clusters, Context, DeleteOptions, Next, Part, Propagation, ReconcileError, Reconciler,
    ServedResource, Triggers,
};

pub(crate) use self::authority::FakeAuthority;

pub(crate) const NOW: &str = "2026-01-01T00:00:00Z";

pub(crate) struct FakeCluster {
    id: ClusterId,
    state: Mutex<State>,
    served: Mutex<Vec<ServedResource>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<(GroupResource, ObjectKey), Arc<Object>>,
    revision: u64,
    writes: Vec<String>,
    now: String,
    graceful: bool,
    refuse_creates: BTreeMap<String, Status>,
    refuse_deletes: BTreeMap<String, Status>,
}

struct Alone(Arc<FakeCluster>);

impl Clusters for Alone {
    fn cluster(&self, id: &ClusterId, _: &'static str) -> Option<Arc<dyn Cluster>> {
        (*id == self.0.id).then(|| self.0.clone() as Arc<dyn Cluster>)
    }

    fn ids(&self) -> Vec<ClusterId> {
        vec![self.0.id.clone()]
    }
}

impl FakeCluster {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            id: ClusterId::new("test"),
            state: Mutex::new(State {
                now: NOW.to_owned(),
                ..State::default()
            }),
            served: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A pass at `now`; objects that are made from here on are of that time.
    pub(crate) fn context(self: &Arc<Self>, now: &str) -> Context {
        self.state().now = now.to_owned();
        Context {
            cluster: self.clone(),
            clusters: Arc::new(Alone(self.clone())),
            now: now.parse().unwrap(),
        }
    }

    /// Puts an object as it is, uid and time added; not recorded.
    pub(crate) fn put(&self, resource: &Resource, value: Value) -> Arc<Object> {
        self.state()
            .insert(resource.group_resource(), complete(resource, value))
    }

    /// Changes an object in place, as another client would; not recorded.
    pub(crate) fn change(&self, resource: &Resource, key: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.value(resource, key);
        change(&mut value);
        self.state().insert(resource.group_resource(), value);
    }

    pub(crate) fn value(&self, resource: &Resource, key: &str) -> Value {
        self.find(resource, key)
            .unwrap_or_else(|| panic!("no {} {key}", resource.plural))
    }

    pub(crate) fn find(&self, resource: &Resource, key: &str) -> Option<Value> {
        let key = key_of(key);
        Cluster::get(self, resource, &key).map(|object| object.to_value())
    }

    pub(crate) fn values(&self, resource: &Resource) -> Vec<Value> {
        Cluster::list(self, resource, None)
            .iter()
            .map(|object| object.to_value())
            .collect()
    }

    pub(crate) fn names(&self, resource: &Resource) -> Vec<String> {
        Cluster::list(self, resource, None)
            .iter()
            .map(|object| object.meta().name.to_string())
            .collect()
    }

    pub(crate) fn remove(&self, resource: &Resource, key: &str) {
        self.state()
            .objects
            .remove(&(resource.group_resource(), key_of(key)));
    }

    /// The messages of all events, as `Reason message`.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut events: Vec<_> = self.values(&EVENTS);
        events.sort_by_key(|event| event.text("/metadata/uid").to_owned());
        events
            .iter()
            .map(|event| format!("{} {}", event.text("/reason"), event.text("/message")))
            .collect()
    }

    pub(crate) fn take_writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state().writes)
    }

    /// Deleted pods stay with a deletion timestamp until `remove`.
    pub(crate) fn delete_pods_gracefully(&self) {
        self.state().graceful = true;
    }

    pub(crate) fn refuse_creates(&self, resource: &Resource, status: Status) {
        self.state()
            .refuse_creates
            .insert(resource.plural.to_owned(), status);
    }

    pub(crate) fn refuse_deletes(&self, resource: &Resource, status: Status) {
        self.state()
            .refuse_deletes
            .insert(resource.plural.to_owned(), status);
    }

    pub(crate) fn allow_creates(&self, resource: &Resource) {
        self.state().refuse_creates.remove(resource.plural);
    }

    pub(crate) fn serve(&self, resource: &Resource) {
        self.served.lock().unwrap().push(ServedResource {
            resource: resource.group_resource(),
            version: resource.version.to_owned(),
            kind: resource.kind.to_owned(),
            scope: resource.scope,
            verbs: ["create", "delete", "deletecollection", "get", "list"]
                .map(str::to_owned)
                .to_vec(),
        });
    }

    /// Plays scheduler and kubelet: every pod that is not going and has no phase runs and is ready since `now`.
    pub(crate) fn run_pods(&self, now: &str) {
        for pod in self.values(&PODS) {
            let waiting = matches!(pod.text("/status/phase"), "" | "Pending");
            if waiting && pod.at("/metadata/deletionTimestamp").is_null() {
                let key = format!(
                    "{}/{}",
                    pod.text("/metadata/namespace"),
                    pod.text("/metadata/name")
                );
                self.change(&PODS, &key, |pod| run(pod, now));
            }
        }
    }

    /// Ends every running pod in `phase`.
    pub(crate) fn finish_pods(&self, phase: &str, now: &str) {
        for pod in self.values(&PODS) {
            if pod.text("/status/phase") == "Running" {
                let key = format!(
                    "{}/{}",
                    pod.text("/metadata/namespace"),
                    pod.text("/metadata/name")
                );
                self.change(&PODS, &key, |pod| {
                    pod.set("/status/phase", phase);
                    pod.set(
                        "/status/conditions",
                        json!([{"type": "Ready", "status": "False",
                        "lastTransitionTime": now}]),
                    );
                    pod.set(
                        "/status/containerStatuses",
                        json!([{"name": "c", "state": {"terminated":
                        {"exitCode": i32::from(phase == "Failed"), "finishedAt": now}}}]),
                    );
                });
            }
        }
    }

    /// Puts `count` ready nodes `node-0`…
    pub(crate) fn put_nodes(&self, count: usize) {
        for at in 0..count {
            self.put(
                &NODES,
                json!({"metadata": {"name": format!("node-{at}")},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
            );
        }
    }

    /// Lets the controllers work until a whole round writes nothing, so that what they leave is also idempotent.
    /// Answers with the shortest time any of them asked to be called again after.
    pub(crate) async fn settle(self: &Arc<Self>, controllers: &[&dyn Reconciler], now: &str) -> Next {
        let cx = self.context(now);
        for _ in 0..60 {
            self.take_writes();
            let mut next = Next::Wait;
            for controller in controllers {
                for key in self.keys(*controller) {
                    next = sooner(next, pass(*controller, &cx, &key).await);
                }
            }
            if self.take_writes().is_empty() {
                return next;
            }
        }
        panic!("the controllers do not settle; events: {:#?}", self.events());
    }

    fn keys(&self, controller: &dyn Reconciler) -> Vec<ObjectKey> {
        let mut keys = Vec::new();
        let named = controller.watches().iter().map(Resource::group_resource);
        let served = self.resources().into_iter().map(|served| served.resource);
        let resources: Vec<_> = if controller.watches_everything() {
            served.collect()
        } else {
            named.collect()
        };
        for resource in &resources {
            for object in self.list_any(resource, None) {
                let change = Change {
                    cluster: self.id.clone(),
                    resource: resource.clone(),
                    object,
                    previous: None,
                    deleted: false,
                };
                let mut add = |_, key| keys.push(key);
                controller.triggers(&change, self, &mut Triggers::new(self.id.clone(), &mut add));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

async fn pass(controller: &dyn Reconciler, cx: &Context, key: &ObjectKey) -> Next {
    match controller.reconcile(cx, key).await {
        Ok(next) => next,
        Err(ReconcileError::Api(_) | ReconcileError::Never(_)) => Next::Wait,
        Err(ReconcileError::Retry(_)) => Next::After(std::time::Duration::from_secs(1)),
    }
}

fn sooner(a: Next, b: Next) -> Next {
    match (a, b) {
        (Next::After(a), Next::After(b)) => Next::After(a.min(b)),
        (Next::Wait, other) | (other, Next::Wait) => other,
    }
}

fn run(pod: &mut Value, now: &str) {
    if pod.text("/spec/nodeName").is_empty() {
        pod.set("/spec/nodeName", "node-0");
    }
    pod.set("/status/phase", "Running");
    pod.set("/status/startTime", now);
    pod.set("/status/podIP", "10.0.0.9");
    pod.set("/status/podIPs", json!([{"ip": "10.0.0.9"}]));
    pod.set(
        "/status/conditions",
        json!([{"type": "Ready", "status": "True", "lastTransitionTime": now}]),
    );
}

fn key_of(text: &str) -> ObjectKey {
    match text.split_once('/') {
        Some((namespace, name)) => ObjectKey::namespaced(namespace, name),
        None => ObjectKey::cluster(text),
    }
}

fn complete(resource: &Resource, mut value: Value) -> Value {
    value.set("/apiVersion", resource.api_version());
    value.set("/kind", resource.kind);
    if value.text("/metadata/namespace").is_empty() && resource.scope == Scope::Namespaced {
        value.set("/metadata/namespace", "default");
    }
    value
}

impl State {
    fn insert(&mut self, resource: GroupResource, mut value: Value) -> Arc<Object> {
        self.revision += 1;
        value.set("/metadata/resourceVersion", self.revision.to_string());
        if value.text("/metadata/uid").is_empty() {
            value.set("/metadata/uid", format!("uid-{:06}", self.revision));
        }
        if value.text("/metadata/creationTimestamp").is_empty() {
            value.set("/metadata/creationTimestamp", self.now.as_str());
        }
        if value.int("/metadata/generation").is_none() {
            value.set("/metadata/generation", 1);
        }
        let object = Arc::new(Object::from_value(&value));
        self.objects.insert((resource, object.key()), object.clone());
        object
    }

    fn current(&self, resource: &GroupResource, key: &ObjectKey) -> Result<Value, Status> {
        self.objects
            .get(&(resource.clone(), key.clone()))
            .map(|object| object.to_value())
            .ok_or_else(|| Status::not_found(resource, &key.name))
    }

    fn write(&mut self, resource: &GroupResource, part: Part, mut new: Value) -> Result<Arc<Object>, Status> {
        let key = Object::from_value(&new).key();
        self.writes.push(format!("write {part:?} {resource} {key}"));
        let old = self.current(resource, &key)?;
        let expected = new.text("/metadata/resourceVersion");
        if !expected.is_empty() && expected != old.text("/metadata/resourceVersion") {
            return Err(Status::modified(resource, &key.name));
        }
        let uid = new.text("/metadata/uid");
        if !uid.is_empty() && uid != old.text("/metadata/uid") {
            return Err(Status::conflict(
                resource,
                &key.name,
                "Precondition failed: UID in precondition",
            ));
        }
        match part {
            Part::Status => {
                // As the server does for most kinds: the annotations are written along with the status.
                let written = new;
                new = old.clone();
                for part in ["/status", "/metadata/annotations"] {
                    let value = written.at(part);
                    if !value.is_null() {
                        new.set(part, value.clone());
                    }
                }
            }
            Part::Main => {
                new.set("/status", old.at("/status").clone());
                if new.at("/status").is_null() {
                    new.take_at("/status");
                }
                let generation = old.int("/metadata/generation").unwrap_or(1);
                let changed = i64::from(new.at("/spec") != old.at("/spec"));
                new.set("/metadata/generation", generation + changed);
            }
            Part::Sub(_) => {}
        }
        let pending =
            !new.items("/metadata/finalizers").is_empty() || !new.items("/spec/finalizers").is_empty();
        let going = !new.at("/metadata/deletionTimestamp").is_null();
        let graceful = new
            .int("/metadata/deletionGracePeriodSeconds")
            .unwrap_or_default()
            > 0;
        if going && !pending && !graceful {
            self.objects.remove(&(resource.clone(), key));
            return Ok(Arc::new(Object::from_value(&new)));
        }
        Ok(self.insert(resource.clone(), new))
    }

    fn delete(
        &mut self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        self.writes.push(format!("delete {resource} {key}"));
        let mut value = self.current(resource, key)?;
        if options
            .uid
            .as_deref()
            .is_some_and(|uid| uid != value.text("/metadata/uid"))
        {
            return Err(Status::conflict(
                resource,
                &key.name,
                "Precondition failed: UID in precondition",
            ));
        }
        let mut finalizers = value.items("/metadata/finalizers").to_vec();
        match options.propagation {
            Some(Propagation::Foreground) => finalizers.push("foregroundDeletion".into()),
            Some(Propagation::Orphan) => finalizers.push("orphan".into()),
            _ => {}
        }
        finalizers.dedup();
        let graceful =
            self.graceful && resource.resource == "pods" && options.grace_period_seconds != Some(0);
        if finalizers.is_empty() && value.items("/spec/finalizers").is_empty() && !graceful {
            self.objects.remove(&(resource.clone(), key.clone()));
            return Ok(());
        }
        if value.at("/metadata/deletionTimestamp").is_null() {
            value.set("/metadata/deletionTimestamp", self.now.as_str());
            value.set(
                "/metadata/deletionGracePeriodSeconds",
                if graceful { 30 } else { 0 },
            );
        }
        if !finalizers.is_empty() {
            value.set("/metadata/finalizers", finalizers);
        }
        self.insert(resource.clone(), value);
        Ok(())
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    fn id(&self) -> &ClusterId {
        &self.id
    }

    fn get(&self, resource: &Resource, key: &ObjectKey) -> Option<Arc<Object>> {
        self.find_any(&resource.group_resource(), key)
    }

    fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.list_any(&resource.group_resource(), namespace)
    }

    fn dependents(&self, namespace: &str, owner_uid: &str) -> Vec<(GroupResource, Arc<Object>)> {
        let state = self.state();
        let owned = state.objects.iter().filter(|(_, object)| {
            object.meta().namespace == namespace
                && object.meta().owners.iter().any(|owner| owner.uid == owner_uid)
        });
        owned
            .map(|((resource, _), object)| (resource.clone(), object.clone()))
            .collect()
    }

    fn resources(&self) -> Vec<ServedResource> {
        self.served.lock().unwrap().clone()
    }

    async fn create(&self, resource: &Resource, object: Value) -> Result<Arc<Object>, Status> {
        let mut state = self.state();
        let mut object = complete(resource, object);
        if object.text("/metadata/name").is_empty() {
            let name = format!("{}{:05}", object.text("/metadata/generateName"), state.revision);
            object.set("/metadata/name", name);
        }
        let key = Object::from_value(&object).key();
        state.writes.push(format!("create {} {key}", resource.plural));
        if let Some(status) = state.refuse_creates.get(resource.plural) {
            return Err(status.clone());
        }
        if state.current(&resource.group_resource(), &key).is_ok() {
            return Err(Status::already_exists(&resource.group_resource(), &key.name));
        }
        Ok(state.insert(resource.group_resource(), object))
    }

    async fn update(&self, resource: &Resource, part: Part, object: Value) -> Result<Arc<Object>, Status> {
        self.state().write(&resource.group_resource(), part, object)
    }

    async fn merge_patch(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        part: Part,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        let mut state = self.state();
        let mut value = state.current(&resource.group_resource(), key)?;
        value.take_at("/metadata/resourceVersion");
        merge(&mut value, &patch);
        state.write(&resource.group_resource(), part, value)
    }

    async fn post(
        &self,
        _: &Resource,
        key: &ObjectKey,
        subresource: &str,
        _: Value,
    ) -> Result<Value, Status> {
        self.state().writes.push(format!("post {subresource} {key}"));
        Ok(Value::Null)
    }

    async fn delete(
        &self,
        resource: &Resource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        self.state().delete(&resource.group_resource(), key, &options)
    }

    async fn delete_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        let mut state = self.state();
        if let Some(status) = state.refuse_deletes.get(resource.resource.as_str()) {
            return Err(status.clone());
        }
        state.delete(resource, key, &options)
    }

    async fn patch_any(
        &self,
        resource: &GroupResource,
        key: &ObjectKey,
        patch: Value,
    ) -> Result<Arc<Object>, Status> {
        let mut state = self.state();
        let mut value = state.current(resource, key)?;
        value.take_at("/metadata/resourceVersion");
        merge(&mut value, &patch);
        state.write(resource, Part::Main, value)
    }

    fn find_any(&self, resource: &GroupResource, key: &ObjectKey) -> Option<Arc<Object>> {
        self.state()
            .objects
            .get(&(resource.clone(), key.clone()))
            .cloned()
    }

    fn list_any(&self, resource: &GroupResource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let state = self.state();
        let of_kind = state.objects.iter().filter(|((kind, _), _)| kind == resource);
        of_kind
            .filter(|((_, key), _)| namespace.is_none_or(|namespace| key.namespace == namespace))
            .map(|(_, object)| object.clone())
            .collect()
    }
}

/// `now` plus seconds, as text.
pub(crate) fn later(seconds: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    crate::timestamp::text(crate::timestamp::after_seconds(now, seconds))
}

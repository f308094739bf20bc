//! Both sides of one pass: the virtual cluster, its host, and what of the host is ours. Owns the rule that a foreign
//! host object is never touched.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::resource::{NAMESPACES, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, Status, StatusReason, time};
use warren_reconciler::event::Recorder;
use warren_reconciler::{Change, Cluster, Context, DeleteOptions, ReconcileError, Triggers};
use warren_translate::{Host, Identity, MANAGED_BY, Ownership, Virtual, policy};

use crate::binding::{Binding, Bindings};
use crate::limits::limits;
use crate::namespace;
use crate::refusal::{Told, refusal};
use crate::wording::Wording;

/// The user and field manager that every rule writes as.
pub(crate) const ACTOR: &str = "warren-syncer";

/// Writes events in the name of the rules.
pub(crate) const EVENTS: Recorder = Recorder { component: ACTOR };

/// How long a host may keep an object waiting before its tenant hears of it.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// Stands for all objects where a key is wanted; no object has it.
pub(crate) const EVERYTHING: ObjectKey = ObjectKey {
    namespace: SmolStr::new_static("*"),
    name: SmolStr::new_static("*"),
};

/// Whether a change of a virtual cluster tells that all of it is looked at again: one namespace that every cluster has
/// stands for the pass. What comes from the host is looked at then, too, as the host's own pass may have come before
/// the virtual cluster was bound.
pub(crate) fn is_full_pass(change: &Change) -> bool {
    let first = change.previous.is_none() && !change.deleted;
    first && NAMESPACES.is(&change.resource) && change.object.meta().name == "kube-system"
}

/// See the module.
pub(crate) struct Sides<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) binding: Arc<Binding>,
    pub(crate) virtual_cluster: &'a dyn Cluster,
    pub(crate) host: Arc<dyn Cluster>,
}

/// What stands on the host where the host object of a virtual one belongs.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// Nothing.
    Absent,
    /// Something that is not ours, or stands for another object: never touched.
    Foreign,
    /// Ours, for the virtual object of this uid.
    Ours { object: Arc<Object>, uid: SmolStr },
}

impl<'a> Sides<'a> {
    /// `None` when the cluster of the pass is not bound, or its host is gone.
    pub(crate) fn of(cx: &'a Context, bindings: &dyn Bindings) -> Option<Self> {
        let binding = bindings.of_virtual(cx.cluster.id())?;
        let host = cx.clusters.cluster(&binding.host_cluster, ACTOR)?;
        Some(Self {
            cx,
            binding,
            virtual_cluster: cx.cluster.as_ref(),
            host,
        })
    }

    /// Where the host object of a virtual object is.
    pub(crate) fn host_key(&self, resource: &Resource, key: &ObjectKey) -> ObjectKey {
        host_key(&self.binding, resource, key)
    }

    /// What stands where the host object of a virtual object belongs.
    pub(crate) fn claim(&self, resource: &Resource, key: &ObjectKey) -> Claim {
        let host_key = self.host_key(resource, key);
        let Some(object) = self.host.get(resource, &host_key) else {
            return Claim::Absent;
        };
        match ours(&self.binding, &object) {
            Some(identity) if identity.kind == resource.kind && identity.key.0 == *key => Claim::Ours {
                object,
                uid: identity.uid.0,
            },
            _ => Claim::Foreign,
        }
    }

    /// The host objects of a kind that are ours, with what they stand for.
    pub(crate) fn carried(&self, resource: &Resource) -> Vec<(Arc<Object>, Identity)> {
        let tenant = &self.binding.tenant;
        let in_one =
            resource.scope == Scope::Namespaced && !self.binding.spec.sync.to_host.namespaces.enabled;
        let namespace = in_one.then(|| tenant.host_namespace().0.as_str());
        let all = self.host.list(resource, namespace).into_iter();
        let labelled = all.filter(|object| object.meta().label(MANAGED_BY) == Some(tenant.cluster()));
        labelled
            .filter_map(|object| {
                let identity = ours(&self.binding, &object)?;
                Some((object, identity))
            })
            .collect()
    }

    /// Deletes a host object of ours; one that is gone or another by now is no failure.
    pub(crate) async fn delete_host(
        &self,
        resource: &Resource,
        object: &Object,
        grace: Option<i64>,
    ) -> Result<(), ReconcileError> {
        delete(self.host.as_ref(), resource, object, grace).await
    }

    /// Deletes a virtual object; one that is gone or another by now is no failure.
    pub(crate) async fn delete_virtual(
        &self,
        resource: &Resource,
        object: &Object,
        grace: Option<i64>,
    ) -> Result<(), ReconcileError> {
        delete(self.virtual_cluster, resource, object, grace).await
    }

    /// Creates a host object. One that is there already is left to the next pass, which looks whose it is.
    pub(crate) async fn create_host(
        &self,
        resource: &Resource,
        virtual_object: &Object,
        object: Value,
    ) -> Result<Option<Arc<Object>>, ReconcileError> {
        if let Some(message) = self.unlawful(resource, &object) {
            self.warn(resource, virtual_object, &message).await;
            return Err(ReconcileError::Never(message));
        }
        match self.host.create(resource, object).await {
            Ok(made) => Ok(Some(made)),
            Err(status) if status.is(StatusReason::AlreadyExists) => {
                let why = format!("the host object of {} is there already", virtual_object.key());
                Err(ReconcileError::Retry(why))
            }
            Err(status) if is_unknown_kind(&status) => {
                let message = format!("The host cluster does not know {}s", resource.kind);
                self.warn(resource, virtual_object, &message).await;
                Err(ReconcileError::Never(message))
            }
            // The host namespace is new, and its service account is about to be made.
            Err(status) if status.message().contains("error looking up service account") => {
                Err(ReconcileError::Api(status))
            }
            Err(status) => Err(self.refused(resource, virtual_object, status).await),
        }
    }

    /// Why a host object may not be sent, in words for the tenant. Whatever a rule made of the tenant's wishes, this is
    /// asked last.
    pub(crate) fn unlawful(&self, resource: &Resource, object: &Value) -> Option<String> {
        let binding = &self.binding;
        if namespace::is_left_out(
            binding,
            object.at("/metadata/labels").text("/warren.dev~1namespace"),
        ) {
            return Some("The namespace has no place on the host cluster".to_owned());
        }
        let fields = policy::forbidden(&binding.tenant, &limits(&binding.spec), resource, object);
        let fields = fields.join(", ");
        (!fields.is_empty()).then(|| format!("Not allowed on the host cluster: {fields}"))
    }

    /// Tells the tenant that the host refuses an object, in words of the virtual cluster.
    pub(crate) async fn refused(
        &self,
        resource: &Resource,
        object: &Object,
        status: Status,
    ) -> ReconcileError {
        let wording = self.wording(resource, object);
        if let Some((told, message)) = refusal(&status, &wording)
            && (told == Told::AtOnce || is_old(object, self.cx.now))
        {
            self.warn(resource, object, &message).await;
        }
        ReconcileError::Api(status)
    }

    /// The event that tells a tenant why an object is not in step with the host.
    pub(crate) async fn warn(&self, resource: &Resource, object: &Object, message: &str) {
        self.tell(resource, object, "SyncError", message).await;
    }

    /// A warning with a reason of its own.
    pub(crate) async fn tell(&self, resource: &Resource, object: &Object, reason: &str, message: &str) {
        let about = EVENTS.about(self.cx, resource, object);
        about.warning(reason, message).await;
    }

    /// Tells the tenant that the place on the host is taken.
    pub(crate) async fn taken(&self, resource: &Resource, object: &Object) {
        let message =
            "The name of its object on the host cluster is taken by another object, which is left alone";
        self.warn(resource, object, message).await;
    }

    /// How to speak of an object: its host name and namespace replaced.
    pub(crate) fn wording(&self, resource: &Resource, object: &Object) -> Wording {
        let mut wording = Wording::of(&self.binding, &object.meta().namespace);
        let host_key = self.host_key(resource, &object.key());
        wording.replace(&host_key.name, &object.meta().name);
        wording
    }
}

/// Where the host object of a virtual object is.
pub(crate) fn host_key(binding: &Binding, resource: &Resource, key: &ObjectKey) -> ObjectKey {
    match resource.scope {
        Scope::Namespaced => binding.tenant.host_key(resource, &Virtual(key.clone())).0,
        Scope::Cluster if *resource == NAMESPACES => {
            ObjectKey::cluster(binding.tenant.host_namespace_of(Virtual(&key.name)).0)
        }
        Scope::Cluster => ObjectKey::cluster(binding.tenant.host_cluster_name(Virtual(&key.name)).0),
    }
}

/// Whether the host does not serve a kind at all; a namespace that is missing is another matter.
fn is_unknown_kind(status: &Status) -> bool {
    let of_namespace = status
        .details()
        .is_some_and(|details| details.kind == "namespaces");
    status.is(StatusReason::NotFound) && !of_namespace
}

/// Whether an object was made some time ago.
fn is_old(object: &Object, now: Timestamp) -> bool {
    /// As much as says when.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Made {
        metadata: When,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct When {
        creation_timestamp: String,
    }
    let made: Made = object.view().unwrap_or_default();
    let made = time::parse(&made.metadata.creation_timestamp);
    made.is_ok_and(|made| now.duration_since(made) > PATIENCE)
}

/// Deletes an object if it still is this one.
pub(crate) async fn delete(
    cluster: &dyn Cluster,
    resource: &Resource,
    object: &Object,
    grace: Option<i64>,
) -> Result<(), ReconcileError> {
    let options = DeleteOptions {
        grace_period_seconds: grace,
        uid: Some(object.meta().uid.to_string()),
        ..DeleteOptions::default()
    };
    match cluster.delete(resource, &object.key(), options).await {
        Err(status) if status.is(StatusReason::NotFound) => Ok(()),
        // Another one is in its place; while the cache does not say so, it is not known.
        Err(status) if status.is(StatusReason::Conflict) => {
            let there = cluster.get(resource, &object.key());
            match there.is_some_and(|there| there.meta().uid == object.meta().uid) {
                true => Err(ReconcileError::Api(status)),
                false => Ok(()),
            }
        }
        other => other.map_err(ReconcileError::Api),
    }
}

/// The identity of a host object if it is ours: label, annotations, owner and name agree.
pub(crate) fn ours(binding: &Binding, object: &Object) -> Option<Identity> {
    let identity = identity(binding, object)?;
    let owned = binding.owner.as_ref().is_none_or(|owner| {
        let owners = &object.meta().owners;
        // What has an owner is in one namespace with it.
        object.meta().namespace != binding.tenant.host_namespace().0
            || owners.iter().any(|found| found.uid == owner.text("/uid"))
    });
    owned.then_some(identity)
}

/// What label and annotations say, without a look at the rest of the object.
fn identity(binding: &Binding, object: &Object) -> Option<Identity> {
    /// As much as says whose it is.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Envelope {
        metadata: Metadata,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metadata {
        labels: Value,
        annotations: Value,
    }
    object.meta().label(MANAGED_BY)?;
    let Envelope { metadata } = object.view().ok()?;
    let value = json!({"metadata": {"labels": metadata.labels, "annotations": metadata.annotations}});
    let Ownership::Ours(identity) = binding.tenant.identify(&value) else {
        return None;
    };
    // Two tenants of one name, in two host namespaces, are told apart by the places alone.
    let (meta, tenant, key) = (object.meta(), &binding.tenant, &identity.key.0);
    let is_placed = if !meta.namespace.is_empty() {
        let own = || tenant.host_namespace_of(Virtual(&key.namespace)).0;
        meta.namespace == tenant.host_namespace().0
            || (tenant.has_namespaces() && (key.namespace.is_empty() || own() == meta.namespace))
    } else if identity.kind == NAMESPACES.kind {
        let own = tenant.own_namespace_of(Virtual(&key.name));
        own.is_some_and(|own| own.0 == meta.name)
    } else {
        tenant.host_cluster_name(Virtual(&key.name)).0 == meta.name
    };
    is_placed.then_some(identity)
}

/// The binding and the virtual object that a changed host object stands for.
pub(crate) fn of_host_change(bindings: &dyn Bindings, change: &Change) -> Option<(Arc<Binding>, Identity)> {
    let meta = change.object.meta();
    let managed_by = meta.label(MANAGED_BY)?;
    if meta.namespace.is_empty() {
        let all = bindings.on_host(&change.cluster).into_iter();
        let mut named = all.filter(|binding| binding.tenant.cluster() == managed_by);
        return named.find_map(|binding| {
            let identity = identity(&binding, &change.object)?;
            Some((binding, identity))
        });
    }
    let binding = bindings.of_host(&change.cluster, &meta.namespace, managed_by)?;
    let identity = identity(&binding, &change.object)?;
    Some((binding, identity))
}

/// Queues the virtual object that a change on either side concerns.
pub(crate) fn trigger(bindings: &dyn Bindings, resource: &Resource, change: &Change, out: &mut Triggers<'_>) {
    if !resource.is(&change.resource) {
        return;
    }
    if bindings.of_virtual(&change.cluster).is_some() {
        out.add(change.object.key());
    }
    if let Some((binding, identity)) = of_host_change(bindings, change)
        && identity.kind == resource.kind
    {
        out.add_to(binding.virtual_cluster.clone(), identity.key.0);
    }
}

/// The metadata of the host object of `virtual_object`: name, labels, annotations, marks, owner. `spec` and the rest
/// are the kind's.
pub(crate) fn host_metadata(binding: &Binding, resource: &Resource, virtual_object: &Value) -> Value {
    let tenant = &binding.tenant;
    let key = Virtual(ObjectKey::namespaced(
        virtual_object.text("/metadata/namespace"),
        virtual_object.text("/metadata/name"),
    ));
    let host = Host(host_key(binding, resource, &key.0));
    let mut object = json!({"metadata": {"name": host.0.name,
        "labels": tenant.host_labels(pairs(virtual_object.at("/metadata/labels"))),
        "annotations": tenant.host_annotations(annotations(virtual_object.at("/metadata/annotations")))}});
    if resource.scope == Scope::Namespaced {
        object.set("/metadata/namespace", host.0.namespace.as_str());
        // No owner reaches into another namespace.
        let is_beside = host.0.namespace == binding.tenant.host_namespace().0;
        if let Some(owner) = binding.owner.as_ref().filter(|_| is_beside) {
            object.set("/metadata/ownerReferences", json!([owner]));
        }
    }
    let uid = Virtual(SmolStr::new(virtual_object.text("/metadata/uid")));
    let identity = Identity {
        kind: resource.kind.into(),
        key,
        uid,
    };
    tenant.mark(&mut object, &identity);
    object.take_at("/metadata").unwrap_or_default()
}

/// The entries of a map of strings.
pub(crate) fn pairs(map: &Value) -> impl Iterator<Item = (&str, &str)> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// The tenant's annotations, but for what only concerns the virtual object.
pub(crate) fn annotations(map: &Value) -> impl Iterator<Item = (&str, &str)> {
    pairs(map).filter(|(key, _)| *key != "kubectl.kubernetes.io/last-applied-configuration")
}

//! Kinds whose host object is the virtual one with its references translated. A kind supplies the translation; this
//! holds what they share: creation, changes, status, removal.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_config::VirtualClusterSpec;
use warren_reconciler::{Part, ReconcileError};

use crate::applied::{APPLIED, Applied, Parts, metadata_parts, metadata_patch};
use crate::difference::difference;
use crate::sides::{Claim, Sides, host_metadata};

/// What one kind supplies.
pub(crate) trait Kind {
    /// The kind.
    const RESOURCE: Resource;
    /// Whether the host's status is the virtual object's.
    const STATUS: bool;

    /// Whether it is synced.
    fn is_on(spec: &VirtualClusterSpec) -> bool;

    /// The fields of the host object beside its metadata; `None` when this one is not synced.
    fn content(sides: &Sides<'_>, value: &Value) -> Option<Map<String, Value>>;

    /// Changes what the host object's metadata would be.
    fn metadata(_sides: &Sides<'_>, _metadata: &mut Value) {}

    /// The fields of `content` that the API lets change later, each under the path of its part.
    fn mutable(content: &Map<String, Value>) -> Parts {
        content
            .iter()
            .map(|(field, value)| (format!("/{field}"), value.clone()))
            .collect()
    }
}

/// Brings one object in step.
pub(crate) async fn reconcile<K: Kind>(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    if !K::is_on(&sides.binding.spec) {
        return Ok(());
    }
    let object = sides
        .virtual_cluster
        .get(&K::RESOURCE, key)
        .filter(|object| !object.meta().deleting);
    let value = object
        .as_ref()
        .map(|object| object.to_value())
        .unwrap_or_default();
    let content = object.as_ref().and_then(|_| K::content(sides, &value));
    match (object, content, sides.claim(&K::RESOURCE, key)) {
        (Some(object), Some(_), Claim::Foreign) => sides.taken(&K::RESOURCE, &object).await,
        (Some(object), Some(content), Claim::Absent) => create::<K>(sides, &object, &value, content).await?,
        (Some(object), Some(content), Claim::Ours { object: host, uid }) => {
            if uid != object.meta().uid {
                return sides.delete_host(&K::RESOURCE, &host, None).await;
            }
            follow::<K>(sides, &object, &value, &content, &host).await?;
            if K::STATUS {
                report::<K>(sides, &object, &value, &host).await?;
            }
        }
        (_, _, Claim::Ours { object: host, .. }) if !host.meta().deleting => {
            sides.delete_host(&K::RESOURCE, &host, None).await?;
        }
        _ => {}
    }
    Ok(())
}

fn wanted<K: Kind>(sides: &Sides<'_>, value: &Value, content: &Map<String, Value>) -> (Value, Parts) {
    let mut metadata = host_metadata(&sides.binding, &K::RESOURCE, value);
    K::metadata(sides, &mut metadata);
    let mut parts = K::mutable(content);
    metadata_parts(&metadata, &mut parts);
    (metadata, parts)
}

async fn create<K: Kind>(
    sides: &Sides<'_>,
    object: &Object,
    value: &Value,
    content: Map<String, Value>,
) -> Result<(), ReconcileError> {
    let (metadata, parts) = wanted::<K>(sides, value, &content);
    let mut host = Value::Object(content);
    host.set("/apiVersion", K::RESOURCE.api_version());
    host.set("/kind", K::RESOURCE.kind);
    host.set("/metadata", metadata);
    set_base(&mut host, &parts);
    sides.create_host(&K::RESOURCE, object, host).await?;
    Ok(())
}

/// Virtual → host: what the tenant changed since the last time.
async fn follow<K: Kind>(
    sides: &Sides<'_>,
    object: &Object,
    value: &Value,
    content: &Map<String, Value>,
    host: &Object,
) -> Result<(), ReconcileError> {
    let there = host.to_value();
    let (_, parts) = wanted::<K>(sides, value, content);
    let base = Applied::read(&there);
    if base == Applied::of(&parts) {
        return Ok(());
    }
    let mut patch = json!({});
    let metadata = metadata_patch(&there, &base, &parts);
    if !metadata.is_null() {
        patch.set("/metadata", metadata);
    }
    for (place, part) in parts.iter().filter(|(place, _)| place.starts_with('/')) {
        if !base.has(place, part)
            && let Some(change) = difference(there.at(place), part)
        {
            patch.set(place, change);
        }
    }
    for gone in base.dropped("/", &parts) {
        patch.set(&format!("/{gone}"), Value::Null);
    }
    set_base(&mut patch, &parts);
    match sides
        .host
        .merge_patch(&K::RESOURCE, &host.key(), Part::Main, patch)
        .await
    {
        Ok(_) => Ok(()),
        Err(status) => Err(sides.refused(&K::RESOURCE, object, status).await),
    }
}

/// Host → virtual.
async fn report<K: Kind>(
    sides: &Sides<'_>,
    object: &Object,
    value: &Value,
    host: &Object,
) -> Result<(), ReconcileError> {
    let mut status = host.to_value().at("/status").clone();
    if status.is_null() {
        return Ok(());
    }
    sides.wording(&K::RESOURCE, object).of_messages(&mut status);
    let Some(patch) = difference(value.at("/status"), &status) else {
        return Ok(());
    };
    let patch = json!({"status": patch});
    sides
        .virtual_cluster
        .merge_patch(&K::RESOURCE, &object.key(), Part::Status, patch)
        .await?;
    Ok(())
}

fn set_base(host: &mut Value, parts: &Parts) {
    if let Some(annotations) = host.object_at("/metadata/annotations") {
        annotations.insert(APPLIED.to_owned(), Applied::of(parts).to_text().into());
    }
}

/// Implements `Reconciler` for a kind that needs nothing but what is shared; `also` names another resource of the
/// virtual cluster whose changes concern it, and the function that queues the keys.
macro_rules! rule {
    ($rule:ident, $name:literal) => {
        $crate::mirrored::rule!($rule, $name, [<$rule as $crate::mirrored::Kind>::RESOURCE], |_, _, _| {});
    };
    ($rule:ident, $name:literal, also $other:expr => $queue:expr) => {
        $crate::mirrored::rule!($rule, $name, [<$rule as $crate::mirrored::Kind>::RESOURCE, $other], $queue);
    };
    ($rule:ident, $name:literal, [$($watched:expr),+], $queue:expr) => {
        #[async_trait::async_trait]
        impl warren_reconciler::Reconciler for $rule {
            fn name(&self) -> &'static str {
                $name
            }

            fn actor(&self) -> &'static str {
                $crate::sides::ACTOR
            }

            fn watches(&self) -> &'static [warren_apimachinery::Resource] {
                const WATCHES: &[warren_apimachinery::Resource] = &[$($watched),+];
                WATCHES
            }

            fn triggers(
                &self,
                change: &warren_reconciler::Change,
                cluster: &dyn warren_reconciler::Cluster,
                out: &mut warren_reconciler::Triggers<'_>,
            ) {
                let resource = <Self as $crate::mirrored::Kind>::RESOURCE;
                $crate::sides::trigger(self.bindings.as_ref(), &resource, change, out);
                let queue: fn(
                    &warren_reconciler::Change,
                    &dyn warren_reconciler::Cluster,
                    &mut warren_reconciler::Triggers<'_>,
                ) = $queue;
                if !resource.is(&change.resource) && self.bindings.of_virtual(&change.cluster).is_some() {
                    queue(change, cluster, out);
                }
            }

            async fn reconcile(
                &self,
                cx: &warren_reconciler::Context,
                key: &warren_apimachinery::ObjectKey,
            ) -> Result<warren_reconciler::Next, warren_reconciler::ReconcileError> {
                if let Some(sides) = $crate::sides::Sides::of(cx, self.bindings.as_ref()) {
                    $crate::mirrored::reconcile::<Self>(&sides, key).await?;
                }
                Ok(warren_reconciler::Next::Wait)
            }
        }
    };
}
pub(crate) use rule;

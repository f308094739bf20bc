//! Storage classes: a virtual cluster shows the host's, as claims name them; a tenant's own are carried to the host if
//! the configuration says so.

pub(crate) mod to_host;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, resource};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::MANAGED_BY;

use crate::binding::Bindings;
use crate::from_host::{Shown, is_ours, show};
use crate::sides::{ACTOR, EVERYTHING, Sides, annotations, is_full_pass};

const STORAGE_CLASSES: Resource = resource::STORAGE_CLASSES;
const FIXED: &[&str] = &[
    "/provisioner",
    "/parameters",
    "/reclaimPolicy",
    "/volumeBindingMode",
];
const FOLLOWS: &[&str] = &[
    "/metadata/annotations",
    "/allowVolumeExpansion",
    "/mountOptions",
    "/allowedTopologies",
];

/// The rule.
pub(crate) struct StorageClasses {
    pub(crate) bindings: Arc<dyn Bindings>,
}

#[async_trait]
impl Reconciler for StorageClasses {
    fn name(&self) -> &'static str {
        "sync-storage-classes"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[STORAGE_CLASSES, resource::NAMESPACES]
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let is_class = STORAGE_CLASSES.is(&change.resource);
        if self.bindings.of_virtual(&change.cluster).is_some() {
            if is_class {
                out.add(change.object.key());
            } else if is_full_pass(change) {
                out.add(EVERYTHING);
            }
        }
        if is_class {
            for binding in self.bindings.on_host(&change.cluster) {
                let own = to_host::virtual_name(&binding, &change.object).map(ObjectKey::cluster);
                let key = own.unwrap_or_else(|| change.object.key());
                out.add_to(binding.virtual_cluster.clone(), key);
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if *key != EVERYTHING {
            one(&sides, &key.name).await?;
            return Ok(Next::Wait);
        }
        let shown = cx.cluster.list(&STORAGE_CLASSES, None).into_iter();
        let hosts = sides.host.list(&STORAGE_CLASSES, None);
        let mut all: Vec<_> = shown
            .chain(hosts)
            .map(|class| class.meta().name.clone())
            .chain(to_host::carried(&sides))
            .collect();
        all.sort_unstable();
        all.dedup();
        for name in all {
            one(&sides, &name).await?;
        }
        Ok(Next::Wait)
    }
}

async fn one(sides: &Sides<'_>, name: &str) -> Result<(), ReconcileError> {
    let there = sides
        .virtual_cluster
        .get(&STORAGE_CLASSES, &ObjectKey::cluster(name));
    let own = there.filter(|class| !is_ours(class) && !class.meta().deleting);
    let carries = sides.binding.spec.sync.to_host.storage_classes.enabled;
    to_host::carry(sides, name, own.as_deref().filter(|_| carries)).await?;
    let on = sides.binding.spec.sync.from_host.storage_classes.is_on(true);
    let host = sides
        .host
        .get(&STORAGE_CLASSES, &ObjectKey::cluster(name))
        // Other tenants' classes are not the host's.
        .filter(|class| on && class.meta().label(MANAGED_BY).is_none());
    let shown = host.map(|class| Shown {
        object: view(&class.to_value()),
        fixed: FIXED,
        follows: FOLLOWS,
    });
    show(sides, &STORAGE_CLASSES, name, shown).await
}

/// Without the parameters that name secrets of the host.
fn view(class: &Value) -> Value {
    let mut out = class.clone();
    let annotations: Map<String, Value> = annotations(class.at("/metadata/annotations"))
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    out.set(
        "/metadata",
        json!({"name": class.text("/metadata/name"), "annotations": annotations}),
    );
    if let Some(Value::Object(parameters)) = out.get_mut("parameters") {
        parameters.retain(|key, _| !key.contains("secret"));
        if parameters.is_empty() {
            out.take_at("/parameters");
        }
    }
    out
}

//! Classes of the host, one engine: what the selector selects is shown under its own name, less what a tenant may not
//! know. Which kinds, and what of them: `classes`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource::{self, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_config::{Patch, Selector, VirtualClusterSpec};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::MANAGED_BY;

use crate::binding::Bindings;
use crate::from_host::{Shown, show};
use crate::patches;
use crate::sides::{ACTOR, EVERYTHING, Sides, annotations, is_full_pass, pairs};

/// Where namespaced kinds are shown: what they say concerns the whole cluster.
const NAMESPACE: &str = "kube-system";

/// One kind of class.
pub(crate) struct Class {
    /// The rule's name, for queues and logs.
    pub(crate) rule: &'static str,
    /// The kind.
    pub(crate) resource: Resource,
    /// What it looks at: the kind itself, the namespaces (for the full pass), and others that it depends on.
    pub(crate) watches: &'static [Resource],
    /// What the configuration says of it.
    pub(crate) setting: fn(&VirtualClusterSpec) -> Setting<'_>,
    /// Fields that the API does not let change, as pointers.
    pub(crate) fixed: &'static [&'static str],
    /// Takes out what the tenant may not know; `false`: it does not see the object at all. (sides, host object, virtual
    /// object so far, which has no status)
    pub(crate) view: fn(&Sides<'_>, &Value, &mut Value) -> bool,
}

/// What the configuration says of a kind of class.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) enabled: bool,
    /// Which objects; `None` for all.
    pub(crate) selector: Option<&'a Selector>,
    pub(crate) patches: &'a [Patch],
}

impl Setting<'_> {
    fn selects(&self, object: &Object) -> bool {
        let Some(selector) = self.selector.filter(|selector| !selector.is_everything()) else {
            return true;
        };
        // A checked configuration has no selector that cannot be read.
        selector
            .compiled()
            .is_ok_and(|selector| selector.matches(object.meta()))
    }
}

/// The rule of one kind.
pub(crate) struct ShownClasses {
    pub(crate) bindings: Arc<dyn Bindings>,
    pub(crate) class: &'static Class,
}

#[async_trait]
impl Reconciler for ShownClasses {
    fn name(&self) -> &'static str {
        self.class.rule
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        self.class.watches
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let is_class = self.class.resource.is(&change.resource);
        if let Some(binding) = self.bindings.of_virtual(&change.cluster) {
            if !(self.class.setting)(&binding.spec).enabled && !is_class {
                return;
            }
            if is_class {
                out.add(change.object.key());
            } else if is_full_pass(change) || !resource::NAMESPACES.is(&change.resource) {
                out.add(EVERYTHING);
            }
            return;
        }
        if is_class {
            let key = self.key_of(change.object.meta().name.as_str());
            for binding in self.bindings.on_host(&change.cluster) {
                out.add_to(binding.virtual_cluster.clone(), key.clone());
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if *key != EVERYTHING {
            self.one(&sides, key).await?;
            return Ok(Next::Wait);
        }
        let resource = &self.class.resource;
        let shown = cx.cluster.list(resource, None).into_iter();
        let hosts = sides.host.list(resource, None).into_iter();
        let names = shown.chain(hosts).map(|class| class.meta().name.clone());
        let mut keys: Vec<ObjectKey> = names.map(|name| self.key_of(&name)).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            self.one(&sides, &key).await?;
        }
        Ok(Next::Wait)
    }
}

impl ShownClasses {
    /// Where the class of a name is in the virtual cluster.
    fn key_of(&self, name: &str) -> ObjectKey {
        match self.class.resource.scope {
            Scope::Cluster => ObjectKey::cluster(name),
            Scope::Namespaced => ObjectKey::namespaced(NAMESPACE, name),
        }
    }

    async fn one(&self, sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
        let setting = (self.class.setting)(&sides.binding.spec);
        let host = self.on_host(sides, key).filter(|class| {
            // Other tenants' classes are not the host's.
            setting.enabled && class.meta().label(MANAGED_BY).is_none() && setting.selects(class)
        });
        let mut view = None;
        if let Some(host) = host {
            view = self.view(sides, key, &host.to_value(), setting.patches)?;
        }
        let shown = view.map(|object| Shown {
            object,
            fixed: self.class.fixed,
            follows: &[],
        });
        show(sides, &self.class.resource, key, shown).await
    }

    /// Names of namespaced classes are generated, so one is enough to find it; the first of a name is shown.
    fn on_host(&self, sides: &Sides<'_>, key: &ObjectKey) -> Option<Arc<Object>> {
        let resource = &self.class.resource;
        match resource.scope {
            Scope::Cluster => sides.host.get(resource, key),
            Scope::Namespaced => {
                let mut all = sides.host.list(resource, None).into_iter();
                all.find(|class| class.meta().name == key.name)
            }
        }
    }

    fn view(
        &self,
        sides: &Sides<'_>,
        key: &ObjectKey,
        host: &Value,
        patches: &[Patch],
    ) -> Result<Option<Value>, ReconcileError> {
        let mut view = host.clone();
        view.set("/metadata", plain_metadata(key, host));
        view.take_at("/status");
        if !(self.class.view)(sides, host, &mut view) {
            return Ok(None);
        }
        patches::from_host(patches, &sides.binding, host, &mut view).map_err(ReconcileError::Never)?;
        Ok(Some(view))
    }
}

/// Name, labels and annotations: nothing of the host's bookkeeping.
pub(super) fn plain_metadata(key: &ObjectKey, host: &Value) -> Value {
    let map = |entries: Vec<(&str, &str)>| -> Value {
        let kept = entries
            .into_iter()
            .filter(|(key, _)| !key.starts_with("warren.dev/"));
        kept.map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut metadata = json!({"name": key.name,
        "labels": map(pairs(host.at("/metadata/labels")).collect()),
        "annotations": map(annotations(host.at("/metadata/annotations")).collect())});
    if !key.namespace.is_empty() {
        metadata.set("/namespace", key.namespace.as_str());
    }
    metadata
}

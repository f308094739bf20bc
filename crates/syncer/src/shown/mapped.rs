//! Objects of the host's namespaces that mappings show in the virtual cluster: config maps, secrets, and whatever custom
//! resources the configuration names.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use warren_apimachinery::resource;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason};
use warren_config::{Mappings, Patch, VirtualClusterSpec};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::MANAGED_BY;

use super::class::plain_metadata;
use super::gateway;
use super::mapping::Mapping;
use crate::binding::{Binding, Bindings};
use crate::custom_resource;
use crate::from_host::{Shown, is_ours, show};
use crate::patches;
use crate::sides::{ACTOR, EVERYTHING, Sides, is_full_pass};

/// Every namespace has one of its own.
const ROOT_CA: &str = "kube-root-ca.crt";

/// A kind that is shown by mapping.
pub(crate) struct Kind {
    rule: &'static str,
    resource: Resource,
    watches: &'static [Resource],
    setting: fn(&VirtualClusterSpec) -> Setting<'_>,
    /// Takes out what the tenant may not know; `false`: it does not see the object at all.
    view: View,
}

/// See `Kind::view`: (sides, host object, virtual object so far).
type View = fn(&Sides<'_>, &Object, &mut Value) -> bool;

/// What the configuration says of a kind.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) enabled: bool,
    pub(crate) mappings: &'a Mappings,
    pub(crate) patches: &'a [Patch],
}

fn said(mapped: &warren_config::Mapped) -> Setting<'_> {
    Setting {
        enabled: mapped.enabled,
        mappings: &mapped.mappings,
        patches: &mapped.patches,
    }
}

/// The built-in kinds.
pub(crate) static MAPPED: &[Kind] = &[
    Kind {
        rule: "sync-shown-config-maps",
        resource: resource::CONFIG_MAPS,
        watches: &[resource::CONFIG_MAPS, resource::NAMESPACES],
        setting: |spec| said(&spec.sync.from_host.config_maps),
        view: |_, _, _| true,
    },
    Kind {
        rule: "sync-shown-secrets",
        resource: resource::SECRETS,
        watches: &[resource::SECRETS, resource::NAMESPACES],
        setting: |spec| said(&spec.sync.from_host.secrets),
        view: |_, _, secret| {
            // The virtual cluster would fill, or remove, a service account's token.
            if secret.text("/type") == "kubernetes.io/service-account-token" {
                secret.set("/type", "Opaque");
            }
            true
        },
    },
    Kind {
        rule: "sync-shown-gateways",
        resource: resource::GATEWAYS,
        watches: &[resource::GATEWAYS, resource::NAMESPACES],
        setting: |spec| {
            let gateways = &spec.sync.from_host.gateways;
            Setting {
                enabled: gateways.enabled,
                mappings: &gateways.mappings,
                patches: &gateways.patches,
            }
        },
        view: gateway::view,
    },
];

/// What a configuration shows by mapping: kinds and mappings.
pub(crate) fn mapped(spec: &VirtualClusterSpec) -> Vec<(Resource, &Mappings)> {
    let built_in = MAPPED.iter().map(|kind| (kind.resource, (kind.setting)(spec)));
    let built_in = built_in.filter(|(_, setting)| setting.enabled);
    let mut all: Vec<_> = built_in
        .map(|(resource, setting)| (resource, setting.mappings))
        .collect();
    all.extend(custom_resource::shown(spec));
    all
}

/// The rule of one built-in kind. Its keys are the virtual objects'.
pub(crate) struct Mapped {
    pub(crate) bindings: Arc<dyn Bindings>,
    pub(crate) kind: &'static Kind,
}

#[async_trait]
impl Reconciler for Mapped {
    fn name(&self) -> &'static str {
        self.kind.rule
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        self.kind.watches
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let of_kind = self.kind.resource.is(&change.resource);
        if let Some(binding) = self.bindings.of_virtual(&change.cluster) {
            let setting = (self.kind.setting)(&binding.spec);
            if of_kind
                && (is_ours(&change.object)
                    || is_place(&binding, &self.kind.resource, setting, &change.object))
            {
                out.add(change.object.key());
            } else if setting.enabled && is_full_pass(change) {
                out.add(EVERYTHING);
            }
        } else if of_kind && may_be_shown(&change.object) {
            for binding in self.bindings.on_host(&change.cluster) {
                let setting = (self.kind.setting)(&binding.spec);
                if let Some(key) = shown_at(&binding, &self.kind.resource, setting, &change.object) {
                    out.add_to(binding.virtual_cluster.clone(), key);
                }
            }
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        let setting = (self.kind.setting)(&sides.binding.spec);
        let keys = match *key == EVERYTHING {
            true => virtual_keys(&sides, &self.kind.resource, setting),
            false => vec![key.clone()],
        };
        for key in keys {
            reconcile_as(&sides, (&self.kind.resource, self.kind.view), setting, &key).await?;
        }
        Ok(Next::Wait)
    }
}

/// Whether a host object may be shown to anybody: it is no virtual cluster's, and nothing of ours.
pub(crate) fn may_be_shown(object: &Object) -> bool {
    let meta = object.meta();
    let of_warren = meta
        .owners
        .iter()
        .any(|owner| owner.api_version.starts_with("warren.dev/"));
    meta.label(MANAGED_BY).is_none() && !of_warren && meta.name != ROOT_CA
}

/// Where a host object is shown.
pub(crate) fn shown_at(
    binding: &Binding,
    resource: &Resource,
    setting: Setting<'_>,
    object: &Object,
) -> Option<ObjectKey> {
    let mapping = Mapping::new(binding, setting.mappings, resource.scope);
    setting.enabled.then(|| mapping.to_virtual(&object.key()))?
}

/// Whether a virtual object stands where one of the host's is to be shown.
pub(crate) fn is_place(
    binding: &Binding,
    resource: &Resource,
    setting: Setting<'_>,
    object: &Object,
) -> bool {
    let mapping = Mapping::new(binding, setting.mappings, resource.scope);
    setting.enabled && mapping.to_host(&object.key()).is_some()
}

/// Every key that is shown, or should be.
pub(crate) fn virtual_keys(sides: &Sides<'_>, resource: &Resource, setting: Setting<'_>) -> Vec<ObjectKey> {
    let there = sides.virtual_cluster.list(resource, None);
    let there = there
        .iter()
        .filter(|object| is_ours(object))
        .map(|object| object.key());
    let hosts = sides.host.list(resource, None);
    let wanted = hosts
        .iter()
        .filter(|object| may_be_shown(object))
        .filter_map(|object| shown_at(&sides.binding, resource, setting, object));
    let mut keys: Vec<ObjectKey> = there.chain(wanted).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Brings one virtual object in step with what it shows, all of it.
pub(crate) async fn reconcile(
    sides: &Sides<'_>,
    resource: &Resource,
    setting: Setting<'_>,
    key: &ObjectKey,
) -> Result<(), ReconcileError> {
    reconcile_as(sides, (resource, |_, _, _| true), setting, key).await
}

async fn reconcile_as(
    sides: &Sides<'_>,
    (resource, as_seen): (&Resource, View),
    setting: Setting<'_>,
    key: &ObjectKey,
) -> Result<(), ReconcileError> {
    let mapping = Mapping::new(&sides.binding, setting.mappings, resource.scope);
    let host = setting.enabled.then(|| mapping.to_host(key)).flatten();
    let host = host.and_then(|key| sides.host.get(resource, &key));
    let mut shown = None;
    if let Some(host) = host.filter(|host| may_be_shown(host))
        && let Some(object) = view(sides, (resource, as_seen), setting.patches, key, &host)?
    {
        shown = Some(Shown {
            object,
            fixed: &["/type"],
            follows: &[],
        });
        if !key.namespace.is_empty() && sides.virtual_cluster.get(resource, key).is_none() {
            provide_namespace(sides, key).await?;
        }
    }
    show(sides, resource, key, shown).await
}

fn view(
    sides: &Sides<'_>,
    (resource, as_seen): (&Resource, View),
    patches: &[Patch],
    key: &ObjectKey,
    object: &Object,
) -> Result<Option<Value>, ReconcileError> {
    let host = &object.to_value();
    let mut view = host.clone();
    view.set("/apiVersion", resource.api_version());
    view.set("/kind", resource.kind);
    view.set("/metadata", plain_metadata(key, host));
    if !as_seen(sides, object, &mut view) {
        return Ok(None);
    }
    patches::from_host(patches, &sides.binding, host, &mut view).map_err(ReconcileError::Never)?;
    Ok(Some(view))
}

/// The namespace that a mapping shows objects in is made with the first of them.
async fn provide_namespace(sides: &Sides<'_>, key: &ObjectKey) -> Result<(), ReconcileError> {
    let name = &key.namespace;
    let there = sides
        .virtual_cluster
        .get(&resource::NAMESPACES, &ObjectKey::cluster(name.clone()));
    if there.is_some() {
        return Ok(());
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    match sides
        .virtual_cluster
        .create(&resource::NAMESPACES, namespace)
        .await
    {
        Err(status) if status.is(StatusReason::AlreadyExists) => Ok(()),
        made => made.map(drop).map_err(ReconcileError::Api),
    }
}

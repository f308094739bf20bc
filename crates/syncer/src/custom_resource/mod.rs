//! Custom resources that the configuration names, either way: to the host by the engine of `mirrored`, from it by that
//! of `shown`. Their kinds are known only at run time, so one rule serves them all and its keys say which kind they mean:
//! `<plural>.<group>/<namespace>` stands where a namespace does.

mod kinds;

use std::sync::Arc;

use async_trait::async_trait;
use smol_str::{SmolStr, format_smolstr};
use warren_apimachinery::resource::CUSTOM_RESOURCE_DEFINITIONS;
use warren_apimachinery::{GroupResource, ObjectKey, Resource};
use warren_config::{FromHostCustomResource, Mappings, ToHostCustomResource, VirtualClusterSpec};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};
use warren_translate::MANAGED_BY;

use self::kinds::Kinds;
use crate::binding::Bindings;
use crate::host_kinds::{named, scope};
use crate::mirrored::{self, Row, status};
use crate::shown;
use crate::sides::{ACTOR, EVERYTHING, Sides, is_full_pass, of_host_change};

/// The rule.
pub(crate) struct CustomResources {
    pub(crate) bindings: Arc<dyn Bindings>,
    kinds: Kinds,
}

impl CustomResources {
    pub(crate) fn new(bindings: Arc<dyn Bindings>) -> Self {
        Self {
            bindings,
            kinds: Kinds::default(),
        }
    }
}

/// The groups of Kubernetes itself: nothing in them is a custom resource.
const BUILT_IN: [&str; 21] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// The names of the definitions that the configuration asks for, without versions.
pub(crate) fn names(spec: &VirtualClusterSpec) -> impl Iterator<Item = String> {
    let to_host = spec.sync.to_host.custom_resources.iter();
    let to_host = to_host.filter(|(_, custom)| custom.enabled).map(|(name, _)| name);
    let from_host = spec.sync.from_host.custom_resources.iter();
    let from_host = from_host
        .filter(|(_, custom)| custom.enabled)
        .map(|(name, _)| name);
    to_host.chain(from_host).map(|name| bare(name).to_owned())
}

/// What is shown of the host: kinds and mappings.
pub(crate) fn shown(spec: &VirtualClusterSpec) -> impl Iterator<Item = (Resource, &Mappings)> {
    let custom = spec.sync.from_host.custom_resources.iter();
    custom
        .filter(|(_, custom)| custom.enabled)
        .filter_map(|(name, custom)| Some((named(name, custom.scope)?, &custom.mappings)))
}

fn bare(name: &str) -> &str {
    name.split_once('/').map_or(name, |(name, _)| name)
}

/// The entry of a configuration for a kind, and the version that it asks for (empty: the one that is kept).
fn entry<'a, T>(
    all: impl IntoIterator<Item = (&'a String, &'a T)>,
    resource: &GroupResource,
) -> Option<(&'a str, &'a T)> {
    let mut of_kind = all.into_iter().filter(|(name, _)| {
        let name = bare(name);
        name.strip_prefix(resource.resource.as_str())
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|group| group == resource.group)
    });
    let (name, custom) = of_kind.next()?;
    Some((name.split_once('/').map_or("", |(_, version)| version), custom))
}

fn to_host<'a>(
    spec: &'a VirtualClusterSpec,
    resource: &GroupResource,
) -> Option<(&'a str, &'a ToHostCustomResource)> {
    entry(&spec.sync.to_host.custom_resources, resource)
}

fn from_host<'a>(
    spec: &'a VirtualClusterSpec,
    resource: &GroupResource,
) -> Option<(&'a str, &'a FromHostCustomResource)> {
    entry(&spec.sync.from_host.custom_resources, resource)
}

/// A key that says its kind.
fn encode(resource: &GroupResource, key: &ObjectKey) -> ObjectKey {
    ObjectKey {
        namespace: format_smolstr!("{resource}/{}", key.namespace),
        name: key.name.clone(),
    }
}

fn decode(key: &ObjectKey) -> Option<(GroupResource, ObjectKey)> {
    let (resource, namespace) = key.namespace.split_once('/')?;
    let key = ObjectKey {
        namespace: SmolStr::new(namespace),
        name: key.name.clone(),
    };
    Some((GroupResource::parse(resource), key))
}

#[async_trait]
impl Reconciler for CustomResources {
    fn name(&self) -> &'static str {
        "sync-custom-resources"
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        &[CUSTOM_RESOURCE_DEFINITIONS]
    }

    /// Which kinds they are only the configurations say.
    fn watches_everything(&self) -> bool {
        true
    }

    fn triggers(&self, change: &Change, _: &dyn Cluster, out: &mut Triggers<'_>) {
        let has_definition = CUSTOM_RESOURCE_DEFINITIONS.is(&change.resource) && !change.deleted;
        let all = has_definition || is_full_pass(change);
        // Nearly every change ends here.
        if !all && BUILT_IN.contains(&change.resource.group.as_str()) {
            return;
        }
        let virtual_binding = self.bindings.of_virtual(&change.cluster);
        if all {
            if virtual_binding.is_some() {
                out.add(EVERYTHING);
            }
            return;
        }
        if let Some(binding) = virtual_binding {
            let spec = &binding.spec;
            let known =
                to_host(spec, &change.resource).is_some() || from_host(spec, &change.resource).is_some();
            if known {
                out.add(encode(&change.resource, &change.object.key()));
            }
        } else if change.object.meta().label(MANAGED_BY).is_some() {
            self.of_host(change, out);
        } else {
            self.to_be_shown(change, out);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let Some(sides) = Sides::of(cx, self.bindings.as_ref()) else {
            return Ok(Next::Wait);
        };
        if *key == EVERYTHING {
            self.everything(&sides).await?;
        } else if let Some((resource, key)) = decode(key) {
            self.one(&sides, &resource, &key).await?;
        }
        Ok(Next::Wait)
    }
}

impl CustomResources {
    /// A host object of ours.
    fn of_host(&self, change: &Change, out: &mut Triggers<'_>) {
        if let Some((binding, identity)) = of_host_change(self.bindings.as_ref(), change)
            && to_host(&binding.spec, &change.resource).is_some()
        {
            out.add_to(
                binding.virtual_cluster.clone(),
                encode(&change.resource, &identity.key.0),
            );
        }
    }

    /// A host object that may be shown.
    fn to_be_shown(&self, change: &Change, out: &mut Triggers<'_>) {
        for binding in self.bindings.on_host(&change.cluster) {
            let Some((_, custom)) = from_host(&binding.spec, &change.resource) else {
                continue;
            };
            let shape = named(&change.resource.to_string(), custom.scope);
            let at = shape.and_then(|shape| {
                let setting = setting(custom);
                shown::shown_at(&binding, &shape, setting, &change.object)
            });
            if let Some(key) = at {
                out.add_to(binding.virtual_cluster.clone(), encode(&change.resource, &key));
            }
        }
    }
}

fn setting(custom: &FromHostCustomResource) -> shown::MappedSetting<'_> {
    shown::MappedSetting {
        enabled: custom.enabled,
        mappings: &custom.mappings,
        patches: &custom.patches,
    }
}

impl CustomResources {
    /// Every object of every kind that the configuration names, on either side.
    async fn everything(&self, sides: &Sides<'_>) -> Result<(), ReconcileError> {
        let spec = &sides.binding.spec;
        for (name, custom) in &spec.sync.to_host.custom_resources {
            let group_resource = GroupResource::parse(bare(name));
            let Some(resource) = self.kinds.served(sides, name, scope(custom.scope)) else {
                continue;
            };
            let mut keys: Vec<ObjectKey> = sides
                .virtual_cluster
                .list(&resource, None)
                .iter()
                .map(|object| object.key())
                .collect();
            keys.extend(
                sides
                    .carried(&resource)
                    .into_iter()
                    .map(|(_, identity)| identity.key.0),
            );
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                self.one(sides, &group_resource, &key).await?;
            }
        }
        for (name, custom) in &spec.sync.from_host.custom_resources {
            let group_resource = GroupResource::parse(bare(name));
            if let Some(resource) = self.kinds.served(sides, name, scope(custom.scope)) {
                for key in shown::virtual_keys(sides, &resource, setting(custom)) {
                    self.one(sides, &group_resource, &key).await?;
                }
            }
        }
        Ok(())
    }

    async fn one(
        &self,
        sides: &Sides<'_>,
        resource: &GroupResource,
        key: &ObjectKey,
    ) -> Result<(), ReconcileError> {
        let spec = &sides.binding.spec;
        let name = |version: &str| match version {
            "" => resource.to_string(),
            version => format!("{resource}/{version}"),
        };
        if let Some((version, custom)) = to_host(spec, resource)
            && let Some(resource) = self.kinds.served(sides, &name(version), scope(custom.scope))
        {
            let setting = mirrored::Setting {
                enabled: custom.enabled,
                patches: &custom.patches,
            };
            mirrored::reconcile(&row(resource), setting, sides, key).await?;
        }
        if let Some((version, custom)) = from_host(spec, resource)
            && let Some(resource) = self.kinds.served(sides, &name(version), scope(custom.scope))
        {
            shown::reconcile_mapped(sides, &resource, setting(custom), key).await?;
        }
        Ok(())
    }
}

/// Everything but the status follows the tenant; the status comes back.
fn row(resource: Resource) -> Row {
    Row {
        fields: mirrored::ALL,
        follows: &["/spec/*", "/*"],
        report: Some(status),
        ..Row::new("sync-custom-resources", resource, |_| mirrored::Setting {
            enabled: true,
            patches: &[],
        })
    }
}

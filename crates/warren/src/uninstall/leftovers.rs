//! What is taken away: what an installation made, and what carries the label of virtual clusters.

use anyhow::Context;
use warren_apimachinery::resource::{self, Scope};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, Value};
use warren_remote::{Host, HostResource, RemoteError};

use crate::install::{INSTALLED_BY, Names};
use crate::terminal::say;

/// Everything that any virtual cluster has on a host carries this label.
pub(super) const ALL_CLUSTERS: &str = "warren.dev/managed-by";

/// Tells of each object that is removed, and counts them.
#[derive(Debug, Default)]
pub(super) struct Removed(usize);

impl Removed {
    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.0
    }

    /// One more.
    pub(super) fn tell(&mut self, kind: &str, key: &ObjectKey) {
        self.0 += 1;
        match key.namespace.as_str() {
            "" => say(&format!("{kind} {} removed", key.name)),
            namespace => say(&format!("{kind} {} removed (namespace {namespace})", key.name)),
        }
    }

    /// Removes the objects of `kinds` with these labels.
    pub(super) async fn labelled(
        &mut self,
        host: &Host,
        selector: &str,
        namespace: Option<&str>,
        kinds: &[Resource],
    ) -> anyhow::Result<()> {
        for kind in kinds {
            if namespace.is_some() && kind.scope == Scope::Cluster {
                continue;
            }
            for object in host
                .labelled(&HostResource::of(kind), namespace, selector)
                .await?
            {
                self.remove(host, kind, &key_of(&object)).await?;
            }
        }
        Ok(())
    }

    /// Removes what virtual clusters have on the host: namespaced kinds, and those of the host, by label. A kind that we
    /// may not list, nobody of us wrote.
    pub(super) async fn leftovers(
        &mut self,
        host: &Host,
        namespace: Option<&str>,
        selector: &str,
    ) -> anyhow::Result<()> {
        for kind in crossing() {
            if namespace.is_some() && kind.scope == Scope::Cluster {
                continue;
            }
            let found = match host.labelled(&HostResource::of(&kind), namespace, selector).await {
                Err(RemoteError::Refused { .. }) => continue,
                found => found?,
            };
            for object in found {
                self.remove(host, &kind, &key_of(&object)).await?;
            }
        }
        Ok(())
    }

    /// The claims of a stateful set stay behind when it goes.
    pub(super) async fn claims(&mut self, host: &Host, names: &Names) -> anyhow::Result<()> {
        let claims = resource::PERSISTENT_VOLUME_CLAIMS;
        let selector = format!(
            "app.kubernetes.io/name=warren,app.kubernetes.io/instance={}",
            names.instance()
        );
        self.labelled(host, &selector, Some(names.namespace()), &[claims])
            .await
    }

    /// The namespace, if an installation made it.
    pub(super) async fn namespace(&mut self, host: &Host, names: &Names) -> anyhow::Result<()> {
        let kind = resource::NAMESPACES;
        let key = ObjectKey::cluster(names.namespace());
        let there = match host.object(&HostResource::of(&kind), &key).await {
            Err(RemoteError::Refused { .. }) => None,
            there => there?,
        };
        let Some(there) = there else { return Ok(()) };
        if there.at("/metadata/labels").field(INSTALLED_BY.0) == INSTALLED_BY.1 {
            return self.remove(host, &kind, &key).await;
        }
        say(&format!(
            "namespace {} stays: it was there before",
            names.namespace()
        ));
        Ok(())
    }

    async fn remove(&mut self, host: &Host, kind: &Resource, key: &ObjectKey) -> anyhow::Result<()> {
        let what = format!("{} {}", kind.plural, key.name);
        let removed = host.remove(&HostResource::of(kind), key).await;
        if removed.with_context(|| format!("cannot remove {what}"))? {
            self.tell(kind.kind.to_lowercase().as_str(), key);
        }
        Ok(())
    }
}

fn key_of(object: &Value) -> ObjectKey {
    ObjectKey::namespaced(object.text("/metadata/namespace"), object.text("/metadata/name"))
}

/// The kinds of an installation, but for the workload and the namespace.
pub(super) const INSTALLED: &[Resource] = &[
    resource::SERVICES,
    resource::SECRETS,
    resource::ROLE_BINDINGS,
    resource::ROLES,
    resource::CLUSTER_ROLE_BINDINGS,
    resource::CLUSTER_ROLES,
    resource::SERVICE_ACCOUNTS,
    resource::CUSTOM_RESOURCE_DEFINITIONS,
];

/// The kinds that virtual clusters may have on a host, what owns others last.
fn crossing() -> Vec<Resource> {
    let mut kinds = warren_fleet::crossing_kinds();
    kinds.sort_by_key(|kind| *kind == resource::NAMESPACES || *kind == resource::CONFIG_MAPS);
    kinds
}

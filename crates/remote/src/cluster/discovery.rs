//! What the host serves: asked at first need, and again when something was not found or definitions changed.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::{GroupResource, Resource};
use warren_reconciler::ServedResource;

use super::answer::Failure;
use super::wire::{Call, Wire};

const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const TIMEOUT: Duration = Duration::from_secs(30);
/// What was asked just now is not asked again.
const FRESH: Duration = Duration::from_secs(2);

/// See the module. Bound: the resources of the host.
#[derive(Default)]
pub(super) struct Discovery {
    served: ArcSwap<Vec<ServedResource>>,
    asked: Mutex<Option<Instant>>,
}

impl Discovery {
    /// As it was when it was last asked; empty before.
    pub(super) fn served(&self) -> Arc<Vec<ServedResource>> {
        self.served.load_full()
    }

    /// Asks the host, unless that was done just now.
    pub(super) async fn refresh(&self, wire: &Wire) -> Result<(), Failure> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let mut served = Vec::new();
        for path in ["/api", "/apis"] {
            let body = wire
                .call(Call {
                    accept: ACCEPT,
                    ..Call::get(path, TIMEOUT)
                })
                .await?;
            let groups: Groups = serde_json::from_slice(&body)
                .map_err(|error| Failure::Silent(format!("what the host serves cannot be read: {error}")))?;
            served.extend(groups.items.into_iter().flat_map(Group::served));
        }
        self.served.store(Arc::new(served));
        *asked = Some(Instant::now());
        Ok(())
    }

    /// A resource with its version and kind, which configuration may leave out.
    pub(super) fn complete(&self, resource: &Resource) -> Option<Resource> {
        if !resource.version.is_empty() && !resource.kind.is_empty() {
            return Some(*resource);
        }
        let served = self.served.load();
        let found = served.iter().find(|served| resource.is(&served.resource))?;
        let version = match resource.version {
            "" => found.version.as_str(),
            version => version,
        };
        Resource::interned(resource.group, version, &found.kind, resource.plural, found.scope)
    }
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Metadata,
    /// The preferred one first.
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Discovered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered {
    resource: String,
    #[serde(default)]
    response_kind: Option<Kind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

impl Group {
    /// Each resource in the first version that has it.
    fn served(self) -> Vec<ServedResource> {
        let group = self.metadata.name;
        let mut served: Vec<ServedResource> = Vec::new();
        for Version { version, resources } in self.versions {
            for found in resources {
                if served
                    .iter()
                    .any(|known| known.resource.resource == found.resource)
                {
                    continue;
                }
                served.push(ServedResource {
                    resource: GroupResource::new(group.as_str(), found.resource),
                    version: version.clone(),
                    kind: found.response_kind.map(|kind| kind.kind).unwrap_or_default(),
                    scope: match found.scope.as_str() {
                        "Cluster" => Scope::Cluster,
                        _ => Scope::Namespaced,
                    },
                    verbs: found.verbs,
                });
            }
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_is_told_in_the_first_version_that_has_it() {
        let told = json!({"items": [{"metadata": {"name": "example.com"}, "versions": [
            {"version": "v2", "resources": [{"resource": "a", "responseKind": {"kind": "A"}, "scope": "Cluster", "verbs": ["get"]}]},
            {"version": "v1", "resources": [{"resource": "a", "responseKind": {"kind": "A"}, "scope": "Cluster"},
                {"resource": "b", "responseKind": {"kind": "B"}, "scope": "Namespaced"}]}]}]});
        let groups: Groups = serde_json::from_value(told).unwrap();
        let discovery = Discovery::default();
        discovery.served.store(Arc::new(
            groups.items.into_iter().flat_map(Group::served).collect(),
        ));
        let ask = |plural, scope| Resource::interned("example.com", "", "", plural, scope).unwrap();
        let a = discovery.complete(&ask("a", Scope::Namespaced)).unwrap();
        assert_eq!((a.version, a.kind, a.scope), ("v2", "A", Scope::Cluster));
        let b = discovery.complete(&ask("b", Scope::Namespaced)).unwrap();
        assert_eq!((b.version, b.kind, b.scope), ("v1", "B", Scope::Namespaced));
        assert!(discovery.complete(&ask("c", Scope::Namespaced)).is_none());
    }
}

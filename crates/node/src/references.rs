//! What a pod refers to and cannot start without: volumes' and environments' config maps, secrets and claims.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};
use warren_apimachinery::{Object, ObjectKey, Resource, resource};
use warren_reconciler::Cluster;

/// What is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Volumes that cannot be mounted: name and message.
    pub(crate) volumes: Vec<(String, String)>,
    /// Containers whose environment cannot be made: name to message.
    pub(crate) environments: BTreeMap<String, String>,
}

/// Looks up every reference that is not optional.
pub(crate) fn missing(cluster: &dyn Cluster, namespace: &str, spec: &PodSpec) -> Missing {
    let look = Look { cluster, namespace };
    let volumes = spec
        .volumes
        .iter()
        .flatten()
        .filter_map(|volume| look.volume(volume).map(|why| (volume.name.clone(), why)))
        .collect();
    let environments = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
        .filter_map(|container| {
            look.environment(container)
                .map(|why| (container.name.clone(), why))
        })
        .collect();
    Missing {
        volumes,
        environments,
    }
}

struct Look<'a> {
    cluster: &'a dyn Cluster,
    namespace: &'a str,
}

const CONFIG_MAP: (&Resource, &str, &[&str]) =
    (&resource::CONFIG_MAPS, "configmap", &["/data", "/binaryData"]);
const SECRET: (&Resource, &str, &[&str]) = (&resource::SECRETS, "secret", &["/data"]);

impl Look<'_> {
    fn find(&self, resource: &Resource, name: &str) -> Option<std::sync::Arc<Object>> {
        self.cluster
            .get(resource, &ObjectKey::namespaced(self.namespace, name))
    }

    /// Why a named object (and, if given, a key in it) is not there.
    fn lacks(&self, kind: (&Resource, &str, &[&str]), name: &str, key: Option<&str>) -> Option<String> {
        let (resource, word, places) = kind;
        let Some(object) = self.find(resource, name) else {
            return Some(format!("{word} \"{name}\" not found"));
        };
        let key = key?;
        let value = object.to_value();
        let has = places.iter().any(|place| {
            value
                .pointer(place)
                .and_then(serde_json::Value::as_object)
                .is_some_and(|map| map.contains_key(key))
        });
        let title = resource.kind;
        (!has).then(|| format!("couldn't find key {key} in {title} {}/{name}", self.namespace))
    }

    fn volume(&self, volume: &Volume) -> Option<String> {
        if let Some(source) = volume
            .config_map
            .as_ref()
            .filter(|source| source.optional != Some(true))
        {
            return self.lacks(CONFIG_MAP, &source.name, None);
        }
        if let Some(source) = volume
            .secret
            .as_ref()
            .filter(|source| source.optional != Some(true))
        {
            return self.lacks(SECRET, source.secret_name.as_deref()?, None);
        }
        if let Some(source) = &volume.persistent_volume_claim {
            let found = self.find(&resource::PERSISTENT_VOLUME_CLAIMS, &source.claim_name);
            return found
                .is_none()
                .then(|| format!("persistentvolumeclaim \"{}\" not found", source.claim_name));
        }
        volume
            .projected
            .as_ref()?
            .sources
            .iter()
            .flatten()
            .find_map(|source| {
                let config_map = source
                    .config_map
                    .as_ref()
                    .filter(|source| source.optional != Some(true));
                let secret = source
                    .secret
                    .as_ref()
                    .filter(|source| source.optional != Some(true));
                config_map
                    .and_then(|source| self.lacks(CONFIG_MAP, &source.name, None))
                    .or_else(|| secret.and_then(|source| self.lacks(SECRET, &source.name, None)))
            })
    }

    fn environment(&self, container: &Container) -> Option<String> {
        let from = container.env_from.iter().flatten().find_map(|source| {
            let config_map = source
                .config_map_ref
                .as_ref()
                .filter(|source| source.optional != Some(true));
            let secret = source
                .secret_ref
                .as_ref()
                .filter(|source| source.optional != Some(true));
            config_map
                .and_then(|source| self.lacks(CONFIG_MAP, &source.name, None))
                .or_else(|| secret.and_then(|source| self.lacks(SECRET, &source.name, None)))
        });
        from.or_else(|| {
            container
                .env
                .iter()
                .flatten()
                .filter_map(|env| env.value_from.as_ref())
                .find_map(|source| {
                    let config_map = source
                        .config_map_key_ref
                        .as_ref()
                        .filter(|s| s.optional != Some(true));
                    let secret = source
                        .secret_key_ref
                        .as_ref()
                        .filter(|s| s.optional != Some(true));
                    config_map
                        .and_then(|source| self.lacks(CONFIG_MAP, &source.name, Some(&source.key)))
                        .or_else(|| {
                            secret.and_then(|source| self.lacks(SECRET, &source.name, Some(&source.key)))
                        })
                })
        })
    }
}

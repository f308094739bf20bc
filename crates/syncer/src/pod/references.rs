//! Where a pod's spec names other objects of its namespace. One table for all uses: to translate the names, to find what
//! has to be on the host, and what has to be in the virtual cluster first.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Resource, resource};

/// The lists of containers of a pod's spec.
pub(crate) const CONTAINERS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

const CONFIG_MAP: &Resource = &resource::CONFIG_MAPS;
const SECRET: &Resource = &resource::SECRETS;
const CLAIM: &Resource = &resource::PERSISTENT_VOLUME_CLAIMS;

/// Places below an element of a list, and the kinds that are named there.
pub(super) type Places = &'static [(&'static str, &'static Resource)];

/// Below an element of `volumes`.
pub(super) const IN_VOLUME: Places = &[
    ("/configMap/name", CONFIG_MAP),
    ("/secret/secretName", SECRET),
    ("/persistentVolumeClaim/claimName", CLAIM),
    ("/azureFile/secretName", SECRET),
    ("/cephfs/secretRef/name", SECRET),
    ("/cinder/secretRef/name", SECRET),
    ("/csi/nodePublishSecretRef/name", SECRET),
    ("/flexVolume/secretRef/name", SECRET),
    ("/iscsi/secretRef/name", SECRET),
    ("/rbd/secretRef/name", SECRET),
    ("/scaleIO/secretRef/name", SECRET),
    ("/storageos/secretRef/name", SECRET),
];
/// Below an element of `projected.sources`.
pub(super) const IN_SOURCE: Places = &[("/configMap/name", CONFIG_MAP), ("/secret/name", SECRET)];
/// Below an element of `env`.
pub(super) const IN_ENV: Places = &[
    ("/valueFrom/configMapKeyRef/name", CONFIG_MAP),
    ("/valueFrom/secretKeyRef/name", SECRET),
];
/// Below an element of `envFrom`.
pub(super) const IN_ENV_FROM: Places = &[("/configMapRef/name", CONFIG_MAP), ("/secretRef/name", SECRET)];
/// Below an element of `imagePullSecrets`.
const IN_PULL_SECRET: Places = &[("/name", SECRET)];
/// Below an element of `resourceClaims`.
const IN_RESOURCE_CLAIM: Places = &[
    ("/resourceClaimName", &resource::RESOURCE_CLAIMS),
    ("/resourceClaimTemplateName", &resource::RESOURCE_CLAIM_TEMPLATES),
];

/// Shows every reference in a pod's spec to `seen`, which may change it.
pub(crate) fn visit(spec: &mut Value, seen: &mut dyn FnMut(&'static Resource, &mut String)) {
    for volume in elements(spec, "volumes") {
        at(volume, IN_VOLUME, seen);
        if let Some(projected) = volume.get_mut("projected") {
            for source in elements(projected, "sources") {
                at(source, IN_SOURCE, seen);
            }
        }
    }
    for list in CONTAINERS {
        for container in elements(spec, list) {
            visit_container(container, seen);
        }
    }
    for secret in elements(spec, "imagePullSecrets") {
        at(secret, IN_PULL_SECRET, seen);
    }
    for claim in elements(spec, "resourceClaims") {
        at(claim, IN_RESOURCE_CLAIM, seen);
    }
}

/// The same for one container.
pub(crate) fn visit_container(container: &mut Value, seen: &mut dyn FnMut(&'static Resource, &mut String)) {
    for env in elements(container, "env") {
        at(env, IN_ENV, seen);
    }
    for env_from in elements(container, "envFrom") {
        at(env_from, IN_ENV_FROM, seen);
    }
}

/// The references of a pod's spec, each once.
pub(crate) fn references(spec: &Value) -> Vec<(&'static Resource, String)> {
    let mut found: Vec<(&'static Resource, String)> = Vec::new();
    visit(&mut spec.clone(), &mut |resource, name| {
        if !name.is_empty() && !found.iter().any(|(r, n)| *r == resource && n == name) {
            found.push((resource, name.clone()));
        }
    });
    found
}

/// What `env` and `envFrom` of a container take in whole: `envFrom` only.
pub(crate) fn env_from(container: &Value) -> impl Iterator<Item = (&'static Resource, &str, &str)> {
    container.items("/envFrom").iter().filter_map(|source| {
        let found = IN_ENV_FROM.iter().find(|(place, _)| source.at(place).is_string());
        found.map(|(place, resource)| (*resource, source.text(place), source.text("/prefix")))
    })
}

/// What is named below `value`, and must be there: references that may dangle say so beside the name.
pub(super) fn required(value: &Value, places: Places) -> impl Iterator<Item = (&'static Resource, &str)> {
    places.iter().filter_map(|(place, resource)| {
        let name = value.at(place).as_str().filter(|name| !name.is_empty())?;
        let (parent, _) = place.rsplit_once('/')?;
        let optional = value.at(parent).field("optional").as_bool().unwrap_or_default();
        (!optional).then_some((*resource, name))
    })
}

/// The elements of a list field, to be changed.
pub(crate) fn elements<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .get_mut(field)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn at(value: &mut Value, places: Places, seen: &mut dyn FnMut(&'static Resource, &mut String)) {
    for (place, resource) in places {
        if let Some(Value::String(name)) = value.pointer_mut(place) {
            seen(resource, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reference_is_found() {
        let secret_ref = json!({"secretRef": {"name": "in-tree"}});
        let spec = json!({
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [
                {"configMap": {"name": "c1"}}, {"secret": {"secretName": "s1"}}, {"persistentVolumeClaim": {"claimName": "p1"}},
                {"projected": {"sources": [{"configMap": {"name": "c2"}}, {"secret": {"name": "s2"}}]}},
                {"csi": {"nodePublishSecretRef": {"name": "s3"}}}, {"azureFile": {"secretName": "s4"}},
                {"rbd": secret_ref}, {"cephfs": secret_ref}],
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "r1"}, {"name": "t", "resourceClaimTemplateName": "r2"}],
            "initContainers": [{"envFrom": [{"configMapRef": {"name": "c3"}}]}],
            "containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "s5", "key": "k"}}}]}],
            "ephemeralContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "c4", "key": "k"}}}]}]});
        let names: Vec<String> = references(&spec).into_iter().map(|(_, name)| name).collect();
        let expect = [
            "c1", "s1", "p1", "c2", "s2", "s3", "s4", "in-tree", "c3", "s5", "c4", "pull", "r1", "r2",
        ];
        assert_eq!(names, expect);
    }
}

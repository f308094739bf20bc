//! How many replicas a custom resource asks for and which pods are its own, where its definition says that it can be
//! scaled. Kinds that are built in are not told here.

use serde_json::{Map, Value, json};
use warren_apimachinery::resource::CUSTOM_RESOURCE_DEFINITIONS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, ObjectKey};
use warren_reconciler::Cluster;

/// Where the objects of a definition keep their scale.
pub(crate) struct CustomScale {
    /// Whose objects are scaled.
    pub(crate) resource: GroupResource,
    /// As the definition writes it: `.spec.replicas`.
    pub(crate) replicas_path: String,
    selector_path: String,
}

impl CustomScale {
    /// The scale of a group's kind, as the stored version has it. `Err` is what a client reads who asks for the scale.
    pub(crate) fn of(cluster: &dyn Cluster, group: &str, kind: &str) -> Result<Self, String> {
        let resource = cluster
            .served(group, kind)
            .map(|served| served.resource)
            .ok_or_else(|| format!("no matches for kind {kind:?} in group {group:?}"))?;
        let key = ObjectKey::cluster(format!("{}.{}", resource.resource, resource.group));
        let definition = cluster.get(&CUSTOM_RESOURCE_DEFINITIONS, &key);
        let definition = definition.map(|object| object.to_value()).unwrap_or_default();
        let mut versions = definition.items("/spec/versions").iter();
        let stored = versions.find(|version| *version.at("/storage") == json!(true));
        let scale = stored.map(|version| version.at("/subresources/scale"));
        let scale = scale.filter(|scale| scale.is_object());
        let scale = scale.ok_or("the server could not find the requested resource")?;
        Ok(Self {
            resource,
            replicas_path: scale.text("/specReplicasPath").to_owned(),
            selector_path: scale.text("/labelSelectorPath").to_owned(),
        })
    }

    /// How many are asked for; `None` where the object does not say.
    pub(crate) fn replicas(&self, object: &Value) -> Option<i64> {
        object.int(&pointer(&self.replicas_path))
    }

    /// Which pods are its own, as a selector in text; empty where the object does not say.
    pub(crate) fn selector<'a>(&self, object: &'a Value) -> &'a str {
        if self.selector_path.is_empty() {
            return "";
        }
        object.text(&pointer(&self.selector_path))
    }

    /// The merge patch that asks for so many.
    pub(crate) fn patch(&self, replicas: i64) -> Value {
        let names = self.replicas_path.split('.').filter(|name| !name.is_empty());
        names.rev().fold(json!(replicas), |inner, name| {
            Value::Object(Map::from_iter([(name.to_owned(), inner)]))
        })
    }
}

/// Definitions allow nothing but fields in these paths.
fn pointer(path: &str) -> String {
    path.replace('.', "/")
}

//! What another server says it serves, in the form of aggregated discovery.

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;

/// The `resources` of aggregated discovery that an `APIResourceList` tells; entries with a slash are parts of others.
pub fn resources(list: &Value) -> Value {
    let (parts, wholes): (Vec<&Value>, Vec<&Value>) = list
        .items("/resources")
        .iter()
        .partition(|entry| entry.text("/name").contains('/'));
    let all = wholes.iter().map(|whole| {
        let mut resource = resource(whole);
        let own: Vec<Value> = parts
            .iter()
            .filter_map(|part| Some((part.text("/name").split_once('/')?, part)))
            .filter(|((of, _), _)| *of == whole.text("/name"))
            .map(|((_, name), part)| {
                json!({"subresource": name, "responseKind": kind(part), "verbs": part.items("/verbs")})
            })
            .collect();
        if !own.is_empty() {
            resource.insert("subresources".into(), own.into());
        }
        Value::Object(resource)
    });
    all.collect()
}

fn resource(entry: &Value) -> Map<String, Value> {
    let scope = match entry.at("/namespaced").as_bool() {
        Some(true) => "Namespaced",
        _ => "Cluster",
    };
    let mut resource = Map::new();
    resource.insert("resource".into(), entry.text("/name").into());
    resource.insert("responseKind".into(), kind(entry));
    resource.insert("scope".into(), scope.into());
    resource.insert("singularResource".into(), entry.text("/singularName").into());
    resource.insert("verbs".into(), entry.items("/verbs").into());
    for field in ["shortNames", "categories"] {
        let names = entry.field(field);
        if !names.is_null() {
            resource.insert(field.into(), names.clone());
        }
    }
    resource
}

fn kind(entry: &Value) -> Value {
    json!({"group": entry.text("/group"), "version": entry.text("/version"), "kind": entry.text("/kind")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_below_their_resource() {
        let list = json!({"resources": [
            {"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"]},
            {"name": "pods/status", "namespaced": true, "kind": "PodMetrics", "verbs": ["get"]},
            {"name": "nodes", "singularName": "node", "namespaced": false, "kind": "NodeMetrics", "verbs": ["get"],
                "shortNames": ["nm"]}]});
        let kind = |kind: &str| json!({"group": "", "version": "", "kind": kind});
        let expected = json!([
            {"resource": "pods", "responseKind": kind("PodMetrics"), "scope": "Namespaced", "singularResource": "",
                "verbs": ["get", "list"],
                "subresources": [{"subresource": "status", "responseKind": kind("PodMetrics"), "verbs": ["get"]}]},
            {"resource": "nodes", "responseKind": kind("NodeMetrics"), "scope": "Cluster", "singularResource": "node",
                "verbs": ["get"], "shortNames": ["nm"]}]);
        assert_eq!(resources(&list), expected);
    }
}

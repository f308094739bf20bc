//! Schemas for tests, written as OpenAPI.

use std::sync::Arc;

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_schema::{ListType, MapType, PatchStrategy, Ref, Schema, Type};

/// The schema that an OpenAPI document describes, as far as patches read it.
pub(crate) fn schema(openapi: &Value) -> Schema {
    let kind = match openapi.text("/type") {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "boolean" => Type::Boolean,
        "int-or-string" => Type::IntOrString,
        _ => Type::Any,
    };
    let texts = |value: &Value| -> Vec<SmolStr> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(SmolStr::new)
            .collect()
    };
    let below = |name: &str| {
        openapi
            .get(name)
            .map(|value| Ref::Inline(Arc::new(schema(value))))
    };
    let strategy = openapi.text("/x-kubernetes-patch-strategy");
    Schema {
        kind,
        properties: openapi
            .at("/properties")
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (SmolStr::new(name), Ref::Inline(Arc::new(schema(value)))))
            .collect(),
        additional: below("additionalProperties"),
        items: below("items"),
        required: texts(openapi.at("/required")).into(),
        list: match openapi.text("/x-kubernetes-list-type") {
            "set" => ListType::Set,
            "map" => ListType::Map(texts(openapi.at("/x-kubernetes-list-map-keys")).into()),
            _ => ListType::Atomic,
        },
        map: match openapi.text("/x-kubernetes-map-type") {
            "atomic" => MapType::Atomic,
            _ => MapType::Granular,
        },
        patch: PatchStrategy {
            merge: strategy.contains("merge"),
            retain_keys: strategy.contains("retainKeys"),
            merge_key: openapi
                .get("x-kubernetes-patch-merge-key")
                .and_then(Value::as_str)
                .map(SmolStr::new),
        },
        default: openapi.get("default").cloned(),
        nullable: openapi.at("/nullable") == &json!(true),
        preserve_unknown: openapi.at("/x-kubernetes-preserve-unknown-fields") == &json!(true),
        ..Schema::of(kind)
    }
}

/// A schema with a list of every kind, not unlike a Deployment's.
pub(crate) fn deployment() -> Schema {
    let port = json!({"type": "object", "properties": {
        "containerPort": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"},
        "name": {"type": "string"}, "hostPort": {"type": "integer"}}});
    let container = json!({"type": "object", "properties": {
        "name": {"type": "string"},
        "image": {"type": "string"},
        "args": {"type": "array", "items": {"type": "string"}},
        "env": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name",
            "items": {"type": "object", "properties": {
                "name": {"type": "string"}, "value": {"type": "string"}}}},
        "ports": {"type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
            "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "containerPort",
            "items": port}}});
    let labels = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let pod = json!({"type": "object", "properties": {
        "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"},
            "x-kubernetes-map-type": "atomic"},
        "containers": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name",
            "items": container}}});
    schema(&json!({"type": "object", "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "data": labels,
        "metadata": {"type": "object", "properties": {
            "name": {"type": "string"}, "namespace": {"type": "string"}, "uid": {"type": "string"},
            "generation": {"type": "integer"}, "resourceVersion": {"type": "string"},
            "labels": labels, "annotations": labels,
            "managedFields": {"type": "array"},
            "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"},
                "x-kubernetes-patch-strategy": "merge"}}},
        "spec": {"type": "object", "properties": {
            "replicas": {"type": "integer"},
            "paused": {"type": "boolean"},
            "selector": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                "matchLabels": labels}},
            "strategy": {"type": "object", "x-kubernetes-patch-strategy": "retainKeys", "properties": {
                "type": {"type": "string"},
                "rollingUpdate": {"type": "object", "properties": {
                    "maxSurge": {"type": "int-or-string"}}}}},
            "template": {"type": "object", "properties": {
                "metadata": {"type": "object", "properties": {"labels": labels}},
                "spec": pod}}}},
        "status": {"type": "object", "properties": {
            "replicas": {"type": "integer"},
            "conditions": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"], "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "type", "items": {"type": "object", "properties": {
                    "type": {"type": "string"}, "status": {"type": "string"}}}}}}}}))
}

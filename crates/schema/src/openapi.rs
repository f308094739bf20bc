//! OpenAPI documents: v3 per group and version, and v2 as a whole, as bytes made on request.
//!
//! Definitions and paths are written one after another, so that a document costs its own size and not that of
//! a tree of it. They say what upstream's say, path by path and definition by definition. Of OpenAPI v2 there is a
//! protobuf form, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use smol_str::SmolStr;
use warren_apimachinery::GroupVersionKind;

use crate::source::Source;

mod definitions;
mod fixed;
mod operation;
mod parameters;
mod paths;
mod protobuf;

use definitions::Definitions;
pub use protobuf::v2_protobuf;

/// A resource to be described in one version.
#[derive(Clone, Debug)]
pub struct ResourceDoc {
    /// Group, version and kind of its objects.
    pub kind: GroupVersionKind,
    /// The plural name, as in paths.
    pub plural: SmolStr,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// As discovery tells them.
    pub verbs: Vec<SmolStr>,
    /// The parts with paths of their own.
    pub subresources: Vec<SubresourceDoc>,
    /// The shape of its objects.
    pub shape: Shape,
    /// The paths of the fields that lists of custom resources may be selected by, such as `spec.colour`.
    pub selectable: Vec<SmolStr>,
}

impl ResourceDoc {
    fn is_builtin(&self) -> bool {
        matches!(self.shape, Shape::Builtin(_))
    }
}

/// A subresource to be described.
#[derive(Clone, Debug)]
pub struct SubresourceDoc {
    /// Such as `status`.
    pub name: SmolStr,
    /// The kind that is sent and answered; `None` for the resource's own.
    pub kind: Option<GroupVersionKind>,
    /// As discovery tells them.
    pub verbs: Vec<SmolStr>,
}

/// Where the shape of objects is described.
#[derive(Clone, Debug)]
pub enum Shape {
    /// By a built-in definition, such as `io.k8s.api.core.v1.Pod`.
    Builtin(SmolStr),
    /// By the `openAPIV3Schema` of a CustomResourceDefinition.
    Custom(Arc<Source>),
}

/// The two dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// Where definitions stand.
    fn reference(self, name: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{name}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }
}

/// Part of every hash: to be changed when the same input is written differently.
const FORMAT: &str = "3";

/// The document `/openapi/v3/apis/GROUP/VERSION` (or `/openapi/v3/api/v1`): all resources of one group and
/// version. `server_version` is such as `1.36`.
pub fn v3(docs: &[ResourceDoc], server_version: &str) -> Vec<u8> {
    let builtin = docs.first().filter(|doc| doc.is_builtin());
    let mut definitions = Definitions::new(Dialect::V3, builtin.map(|doc| doc.kind.clone()));
    let mut items = Vec::new();
    if let Some(first) = builtin {
        items.push(fixed::resources(&first.kind, Dialect::V3, &mut definitions));
    }
    for doc in docs {
        items.extend(paths::of(doc, Dialect::V3, &mut definitions));
    }
    match builtin {
        Some(_) => v3_of(items, definitions, server_version),
        None => v3_custom(items, definitions),
    }
}

/// The document `/openapi/v3/apis/GROUP` of a built-in group.
pub fn v3_group(group: &str, server_version: &str) -> Vec<u8> {
    let mut definitions = Definitions::new(Dialect::V3, None);
    let item = fixed::group(group, Dialect::V3, &mut definitions);
    v3_of(vec![item], definitions, server_version)
}

/// A document of [`V3_OTHERS`].
pub fn v3_other(document: &str, server_version: &str) -> Option<Vec<u8>> {
    let mut definitions = Definitions::new(Dialect::V3, None);
    let item = fixed::other(document, Dialect::V3, &mut definitions)?;
    Some(v3_of(vec![item], definitions, server_version))
}

/// The documents of OpenAPI v3 that are about no group.
pub const V3_OTHERS: [&str; 5] = fixed::OTHERS;

/// Documents of custom resources are made by another part of upstream, which titles them otherwise and says nothing of
/// security.
fn v3_custom(items: Vec<(String, Value)>, definitions: Definitions) -> Vec<u8> {
    let mut out = Writer::new();
    v3_start(
        &mut out,
        &json!({"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}),
        items,
    );
    definitions.write(&mut out);
    out.text("}}");
    out.bytes
}

fn v3_of(items: Vec<(String, Value)>, definitions: Definitions, server_version: &str) -> Vec<u8> {
    let mut out = Writer::new();
    v3_start(
        &mut out,
        &json!({"title": "Kubernetes", "version": server_version}),
        items,
    );
    definitions.write(&mut out);
    out.text(",\"securitySchemes\":");
    out.value(&bearer_token());
    out.text("}}");
    out.bytes
}

fn v3_start(out: &mut Writer, info: &Value, items: Vec<(String, Value)>) {
    out.text("{\"openapi\":\"3.0.0\",\"info\":");
    out.value(info);
    out.text(",\"paths\":");
    out.members(items);
    out.text(",\"components\":{\"schemas\":");
}

/// The document `/openapi/v2`: all resources.
pub fn v2(docs: &[ResourceDoc], server_version: &str) -> Vec<u8> {
    let mut definitions = Definitions::new(Dialect::V2, None);
    let mut out = Writer::new();
    out.text("{\"swagger\":\"2.0\",\"info\":");
    out.value(&json!({"title": "Kubernetes", "version": server_version}));
    out.text(",\"paths\":{");
    let mut is_first = true;
    let mut items = Vec::new();
    for other in fixed::OTHERS {
        items.extend(fixed::other(other, Dialect::V2, &mut definitions));
    }
    let mut known = BTreeSet::new();
    for doc in docs {
        let kind = &doc.kind;
        if doc.is_builtin() && known.insert((kind.group.clone(), kind.version.clone())) {
            items.push(fixed::resources(kind, Dialect::V2, &mut definitions));
            if !kind.group.is_empty() && known.insert((kind.group.clone(), SmolStr::default())) {
                items.push(fixed::group(&kind.group, Dialect::V2, &mut definitions));
            }
        }
        items.extend(paths::of(doc, Dialect::V2, &mut definitions));
        // Not all of them at a time: there may be hundreds of resources.
        out.more_members(std::mem::take(&mut items), &mut is_first);
    }
    out.text("},\"definitions\":");
    definitions.write(&mut out);
    out.text(",\"parameters\":");
    out.value(&parameters::shared());
    out.text(",\"securityDefinitions\":");
    out.value(&bearer_token());
    out.text(",\"security\":[{\"BearerToken\":[]}]}");
    out.bytes
}

/// The document `/openapi/v3`: the path of each group and version (such as `apis/apps/v1`) and the hash of its
/// document.
pub fn index<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let paths: BTreeMap<&str, Value> = documents
        .into_iter()
        .map(|(path, hash)| {
            (
                path,
                json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}),
            )
        })
        .collect();
    json!({"paths": paths}).to_string().into_bytes()
}

/// The hash of the document that these resources make, without making it: for `ETag`s and for the index.
pub fn hash(docs: &[ResourceDoc]) -> String {
    let mut hasher = Sha512::new();
    hasher.update(FORMAT);
    hasher.update(env!("CARGO_PKG_VERSION"));
    for doc in docs {
        hasher.update(format!(
            "{:?}{:?}{:?}{:?}{:?}{:?}",
            doc.kind, doc.plural, doc.namespaced, doc.verbs, doc.subresources, doc.selectable
        ));
        match &doc.shape {
            Shape::Builtin(name) => hasher.update(name.as_bytes()),
            Shape::Custom(source) => hasher.update(source.hash()),
        }
    }
    hexadecimal(hasher)
}

/// The hash of a document that is the same for everybody, by its name.
pub fn hash_of(document: &str) -> String {
    let mut hasher = Sha512::new();
    hasher.update(FORMAT);
    hasher.update(env!("CARGO_PKG_VERSION"));
    hasher.update(document);
    hexadecimal(hasher)
}

fn hexadecimal(hasher: Sha512) -> String {
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

fn bearer_token() -> Value {
    json!({"BearerToken": {"type": "apiKey", "description": "Bearer Token authentication", "name": "authorization",
        "in": "header"}})
}

/// Bytes of JSON in the making.
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(64 * 1024),
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        // Writing to a `Vec` cannot fail.
        let _ = serde_json::to_writer(&mut self.bytes, value);
    }

    fn members(&mut self, members: Vec<(String, Value)>) {
        self.text("{");
        self.more_members(members, &mut true);
        self.text("}");
    }

    fn more_members(&mut self, members: Vec<(String, Value)>, is_first: &mut bool) {
        for (key, value) in members {
            self.member(&key, &value, is_first);
        }
    }

    fn member(&mut self, key: &str, value: &Value, is_first: &mut bool) {
        self.key(key, is_first);
        self.value(value);
    }

    /// A member whose value is JSON already.
    fn json(&mut self, key: &str, json: &str, is_first: &mut bool) {
        self.key(key, is_first);
        self.text(json);
    }

    fn key(&mut self, key: &str, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.text(",");
        }
        let _ = serde_json::to_writer(&mut self.bytes, key);
        self.text(":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gvk(group: &str, version: &str, kind: &str) -> GroupVersionKind {
        GroupVersionKind {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    fn verbs(text: &str) -> Vec<SmolStr> {
        text.split(' ').map(SmolStr::new).collect()
    }

    fn deployments() -> ResourceDoc {
        ResourceDoc {
            kind: gvk("apps", "v1", "Deployment"),
            plural: "deployments".into(),
            namespaced: true,
            verbs: verbs("create delete deletecollection get list patch update watch"),
            subresources: vec![
                SubresourceDoc {
                    name: "status".into(),
                    kind: None,
                    verbs: verbs("get patch update"),
                },
                SubresourceDoc {
                    name: "scale".into(),
                    kind: Some(gvk("autoscaling", "v1", "Scale")),
                    verbs: verbs("get patch update"),
                },
            ],
            shape: Shape::Builtin("io.k8s.api.apps.v1.Deployment".into()),
            selectable: Vec::new(),
        }
    }

    fn foos() -> ResourceDoc {
        let schema = json!({"type": "object", "description": "A Foo.", "properties": {"spec": {"type": "object",
            "properties": {"n": {"type": "integer", "nullable": true}, "p": {"x-kubernetes-int-or-string": true,
                "anyOf": [{"type": "integer"}, {"type": "string"}]}}}}});
        ResourceDoc {
            kind: gvk("ex.io", "v1", "Foo"),
            plural: "foos".into(),
            namespaced: false,
            verbs: verbs("create get list patch"),
            subresources: Vec::new(),
            shape: Shape::Custom(Source::of(&schema)),
            selectable: Vec::new(),
        }
    }

    /// A custom resource's definition of v2, which kubectl validates with.
    fn published(schema: Value) -> Value {
        let doc = ResourceDoc {
            shape: Shape::Custom(Source::of(&schema)),
            ..foos()
        };
        let document: Value = serde_json::from_slice(&v2(&[doc], "v1.36.2")).unwrap();
        document["definitions"]["io.ex.v1.Foo"].clone()
    }

    #[test]
    fn v2_leaves_out_what_would_make_kubectl_refuse_good_objects() {
        let kinds = json!([{"group": "ex.io", "version": "v1", "kind": "Foo"}]);
        let open =
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": "Any."});
        assert_eq!(
            published(open.clone()),
            json!({"type": "object", "x-kubernetes-group-version-kind": kinds})
        );
        let check = |property: Value, expect: Value| {
            let schema = json!({"type": "object", "required": ["a"], "properties": {"a": property}});
            assert_eq!(published(schema)["properties"]["a"], expect);
        };
        check(
            open,
            json!({"x-kubernetes-preserve-unknown-fields": true, "description": "Any."}),
        );
        check(
            json!({"type": "array", "nullable": true, "items": {"type": "string"}}),
            json!({}),
        );
        check(
            json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "string", "nullable": true}}}),
            json!({"type": "object", "properties": {"n": {}}}),
        );
        let embedded = json!({"type": "object", "x-kubernetes-embedded-resource": true, "properties": {}});
        let schema = json!({"type": "object", "properties": {"a": embedded}});
        let required = &published(schema)["properties"]["a"]["required"];
        assert_eq!(required, &json!(["kind", "apiVersion"]));
    }

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, child) in map {
                    match child.as_str() {
                        Some(target) if key == "$ref" => found.push(target.to_owned()),
                        _ => references(child, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[track_caller]
    fn check_references(document: &Value) {
        let mut found = Vec::new();
        references(document, &mut found);
        assert!(!found.is_empty());
        for target in found {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn v3_has_what_kubectl_looks_for() {
        let document: Value = serde_json::from_slice(&v3(&[deployments()], "v1.36.2")).unwrap();
        check_references(&document);
        let one = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
        assert_eq!(
            one["patch"]["x-kubernetes-group-version-kind"],
            json!({"group": "apps", "version": "v1", "kind": "Deployment"})
        );
        assert_eq!(one["patch"]["x-kubernetes-action"], "patch");
        assert_eq!(one["patch"]["operationId"], "patchAppsV1NamespacedDeployment");
        let names = one["patch"]["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| &p["name"]);
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["dryRun", "fieldManager", "fieldValidation", "force"]
        );
        let all = &document["paths"]["/apis/apps/v1/deployments"]["get"];
        assert_eq!(all["operationId"], "listAppsV1DeploymentForAllNamespaces");
        let scale =
            &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"];
        assert_eq!(scale["x-kubernetes-group-version-kind"]["group"], "autoscaling");
        let schemas = &document["components"]["schemas"];
        assert_eq!(
            schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"],
            json!({"allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}], "default": {},
                "description": "The deployment strategy to use to replace existing pods with new ones.",
                "x-kubernetes-patch-strategy": "retainKeys"})
        );
        assert_eq!(
            schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]["oneOf"],
            json!([{"type": "string"}, {"type": "number"}])
        );
        assert!(schemas["io.k8s.api.apps.v1.DeploymentSpec"].get("x-go").is_none());
        assert!(
            schemas.get("io.k8s.api.core.v1.Node").is_none(),
            "only what is reachable"
        );
    }

    #[test]
    fn v2_and_v3_describe_custom_resources() {
        let document: Value = serde_json::from_slice(&v3(&[foos()], "v1.36.2")).unwrap();
        check_references(&document);
        let foo = &document["components"]["schemas"]["io.ex.v1.Foo"];
        assert_eq!(foo["properties"]["spec"]["properties"]["n"]["nullable"], true);
        assert_eq!(
            foo["x-kubernetes-group-version-kind"],
            json!([{"group": "ex.io", "version": "v1", "kind": "Foo"}])
        );
        assert!(document["components"]["schemas"]["io.ex.v1.FooList"]["properties"]["items"].is_object());
        // kubectl reads here which patch it may send.
        let patch = &document["paths"]["/apis/ex.io/v1/foos/{name}"]["patch"];
        assert_eq!(
            patch["requestBody"]["content"]
                .as_object()
                .unwrap()
                .keys()
                .collect::<Vec<_>>(),
            [
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json"
            ]
        );
        assert!(document["paths"]["/apis/ex.io/v1/foos/{name}"]["delete"].is_null());

        let document: Value = serde_json::from_slice(&v2(&[deployments(), foos()], "v1.36.2")).unwrap();
        check_references(&document);
        let foo = &document["definitions"]["io.ex.v1.Foo"]["properties"]["spec"]["properties"];
        assert!(foo["n"].get("type").is_none() && foo["p"].get("anyOf").is_none());
        assert_eq!(
            document["definitions"]["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]["$ref"],
            "#/definitions/io.k8s.api.apps.v1.DeploymentStrategy"
        );
    }

    #[test]
    fn custom_resources_are_described_in_upstreams_words() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "colour": {"type": "string", "default": "red"}, "default": {"type": "string"}}}}});
        let doc = ResourceDoc {
            kind: gvk("cert-things.ex.io", "v1", "Foo"),
            verbs: verbs("create delete deletecollection get list patch update watch"),
            shape: Shape::Custom(Source::of(&schema)),
            selectable: vec!["spec.colour".into()],
            ..foos()
        };
        let v3: Value = serde_json::from_slice(&v3(std::slice::from_ref(&doc), "v1.36.2")).unwrap();
        let v2: Value = serde_json::from_slice(&v2(&[doc], "v1.36.2")).unwrap();
        let (one, all) = (
            "/paths/~1apis~1cert-things.ex.io~1v1~1foos~1{name}",
            "/paths/~1apis~1cert-things.ex.io~1v1~1foos",
        );
        let names = |document: &Value, pointer: &str| -> Vec<String> {
            let parameters = document.pointer(pointer).unwrap().as_array().unwrap().iter();
            parameters
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect()
        };
        check_references(&v3);
        check_references(&v2);
        assert_eq!(
            v3["info"],
            json!({"title": "Kubernetes CRD Swagger", "version": "v0.1.0"})
        );
        assert!(v3["components"].get("securitySchemes").is_none());
        assert_eq!(names(&v3, &format!("{one}/get/parameters")), ["resourceVersion"]);
        assert_eq!(
            names(&v3, &format!("{all}/delete/parameters")),
            names(&v3, &format!("{all}/get/parameters"))
        );
        let put = v3.pointer(&format!("{one}/put")).unwrap();
        assert_eq!(put["operationId"], "replaceCertThingsExIoV1Foo");
        assert_eq!(put["tags"], json!(["certThingsExIo_v1"]));
        assert_eq!(
            v2.pointer(&format!("{one}/patch/consumes")).unwrap(),
            &json!([
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/apply-patch+yaml"
            ])
        );
        let list = &v2["definitions"]["io.ex.cert-things.v1.FooList"];
        assert_eq!(
            list["properties"]["items"]["description"],
            format!(
                "List of foos. {}",
                "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
            )
        );
        assert!(list["properties"]["metadata"]["description"].is_string());
        for schema in [
            list,
            &v2["definitions"]["io.ex.cert-things.v1.Foo"],
            &v3["components"]["schemas"]["io.ex.cert-things.v1.Foo"],
        ] {
            assert_eq!(
                schema["x-kubernetes-selectable-fields"],
                json!([{"fieldPath": "spec.colour"}])
            );
        }
        let spec = |document: &Value| document["properties"]["spec"]["properties"].clone();
        assert_eq!(
            spec(&v2["definitions"]["io.ex.cert-things.v1.Foo"]),
            json!({"colour": {"type": "string"}, "default": {"type": "string"}})
        );
        assert_eq!(
            spec(&v3["components"]["schemas"]["io.ex.cert-things.v1.Foo"])["colour"]["default"],
            "red"
        );
        let options = &v3["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"];
        assert!(
            options["x-kubernetes-group-version-kind"]
                .as_array()
                .unwrap()
                .len()
                == 53
        );
    }

    #[test]
    fn v3_says_that_a_number_or_text_is_one_of_both() {
        let either = json!([{"type": "integer"}, {"type": "string"}]);
        let check = |schema: Value, expect: Value| {
            let mut schema = schema;
            schema["x-kubernetes-int-or-string"] = true.into();
            let properties = json!({"type": "object", "properties": {"port": schema}});
            let doc = ResourceDoc {
                shape: Shape::Custom(Source::of(&properties)),
                ..foos()
            };
            let document: Value = serde_json::from_slice(&v3(&[doc], "v1.36.2")).unwrap();
            let mut port = document["components"]["schemas"]["io.ex.v1.Foo"]["properties"]["port"].clone();
            port.as_object_mut().unwrap().remove("x-kubernetes-int-or-string");
            assert_eq!(port, expect);
        };
        check(json!({}), json!({"anyOf": either}));
        check(json!({"anyOf": either}), json!({"anyOf": either}));
        let pattern = json!({"pattern": "^a"});
        let said = json!({"allOf": [{"anyOf": either}, pattern]});
        check(said.clone(), said);
        check(
            json!({"anyOf": [pattern], "allOf": [pattern]}),
            json!({"anyOf": [pattern], "allOf": [{"anyOf": either}, pattern]}),
        );
    }

    #[test]
    fn the_hash_follows_the_content() {
        assert_eq!(hash(&[deployments()]), hash(&[deployments()]));
        assert_ne!(hash(&[deployments()]), hash(&[foos()]));
        let index: Value = serde_json::from_slice(&index([("apis/apps/v1", "AB")])).unwrap();
        assert_eq!(
            index,
            json!({"paths": {"apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=AB"}}})
        );
    }
}

//! The paths of a resource: which operations there are, of which kind, with which parameters.

use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use warren_apimachinery::GroupVersionKind;
use warren_apimachinery::value::ValueExt;

use super::definitions::{Definitions, gvk};
use super::{Dialect, ResourceDoc, Shape, SubresourceDoc, parameters};

const ANSWERS: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
const STREAMS: [&str; 2] = [
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
/// Custom resources know neither protobuf nor strategic merge; kubectl reads here which patch it may send.
const CUSTOM: [&str; 2] = ["application/json", "application/yaml"];
const CUSTOM_PATCHES: [&str; 3] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

/// What an operation does, and to what.
struct Operation<'a> {
    method: &'static str,
    action: &'static str,
    /// The first part of the operation's id, such as `list` or `deleteCollection`.
    id: String,
    kind: &'a GroupVersionKind,
    /// What is sent.
    body: Option<Value>,
    /// What is answered.
    answer: Value,
}

/// All paths of a resource with their items.
pub(super) fn of(doc: &ResourceDoc, dialect: Dialect, definitions: &mut Definitions) -> Vec<(String, Value)> {
    let maker = Maker { doc, dialect };
    let root = match doc.kind.group.as_str() {
        "" => format!("/api/{}", doc.kind.version),
        group => format!("/apis/{group}/{}", doc.kind.version),
    };
    let collection = match doc.namespaced {
        true => format!("{root}/namespaces/{{namespace}}/{}", doc.plural),
        false => format!("{root}/{}", doc.plural),
    };
    let mut paths = vec![
        (collection.clone(), maker.collection(definitions)),
        (format!("{collection}/{{name}}"), maker.one(definitions)),
    ];
    if doc.namespaced {
        paths.push((format!("{root}/{}", doc.plural), maker.everywhere(definitions)));
    }
    for subresource in &doc.subresources {
        let path = format!("{collection}/{{name}}/{}", subresource.name);
        paths.push((path, maker.subresource(subresource, definitions)));
    }
    let mut items = Vec::new();
    for (path, operations) in paths {
        if operations.is_empty() {
            continue;
        }
        let mut item = Map::new();
        for operation in operations {
            item.insert(operation.method.to_owned(), maker.written(operation));
        }
        item.insert(
            "parameters".to_owned(),
            parameters::shared(&path, &doc.kind.kind, dialect).into(),
        );
        items.push((path, Value::Object(item)));
    }
    items
}

struct Maker<'a> {
    doc: &'a ResourceDoc,
    dialect: Dialect,
}

impl<'a> Maker<'a> {
    fn has(&self, verb: &str) -> bool {
        self.doc.verbs.iter().any(|v| v == verb)
    }

    /// `listAppsV1NamespacedDeployment`
    fn id(&self, verb: &str, middle: &str, end: &str) -> String {
        let kind = &self.doc.kind;
        let scope = if self.doc.namespaced { "Namespaced" } else { "" };
        let (group, version) = (group_name(&kind.group), capital(&kind.version));
        format!(
            "{verb}{}{version}{middle}{scope}{}{end}",
            capital(&group),
            kind.kind
        )
    }

    fn operation(
        &self,
        method: &'static str,
        action: &'static str,
        id: String,
        answer: Value,
    ) -> Operation<'a> {
        Operation {
            method,
            action,
            id,
            kind: &self.doc.kind,
            body: None,
            answer,
        }
    }

    fn collection(&self, definitions: &mut Definitions) -> Vec<Operation<'a>> {
        let mut all = Vec::new();
        if self.has("list") {
            all.push(self.operation("get", "list", self.id("list", "", ""), definitions.list(self.doc)));
        }
        if self.has("create") {
            let object = definitions.object(self.doc);
            all.push(Operation {
                body: Some(object.clone()),
                ..self.operation("post", "post", self.id("create", "", ""), object)
            });
        }
        if self.has("deletecollection") {
            let id = self.id("delete", "Collection", "");
            let options = definitions.meta("DeleteOptions");
            all.push(Operation {
                body: Some(options).filter(|_| !self.is_custom()),
                ..self.operation("delete", "deletecollection", id, definitions.meta("Status"))
            });
        }
        all
    }

    fn one(&self, definitions: &mut Definitions) -> Vec<Operation<'a>> {
        let object = definitions.object(self.doc);
        let mut all = self.reads_and_writes(&self.doc.verbs, "", &object, definitions);
        if self.has("delete") {
            all.push(Operation {
                body: Some(definitions.meta("DeleteOptions")),
                ..self.operation(
                    "delete",
                    "delete",
                    self.id("delete", "", ""),
                    definitions.meta("Status"),
                )
            });
        }
        all
    }

    fn everywhere(&self, definitions: &mut Definitions) -> Vec<Operation<'a>> {
        if !self.has("list") {
            return Vec::new();
        }
        let kind = &self.doc.kind;
        let (group, version) = (group_name(&kind.group), capital(&kind.version));
        let id = format!("list{}{version}{}ForAllNamespaces", capital(&group), kind.kind);
        vec![self.operation("get", "list", id, definitions.list(self.doc))]
    }

    fn subresource(
        &self,
        subresource: &'a SubresourceDoc,
        definitions: &mut Definitions,
    ) -> Vec<Operation<'a>> {
        let end = capital(&subresource.name);
        let shape = match &subresource.kind {
            Some(kind) => definitions.kind(kind),
            None => definitions.object(self.doc),
        };
        let mut all = self.reads_and_writes(&subresource.verbs, &end, &shape, definitions);
        if subresource.verbs.iter().any(|verb| verb == "create") {
            all.push(Operation {
                body: Some(shape.clone()),
                ..self.operation("post", "post", self.id("create", "", &end), shape)
            });
        }
        let is_tunnel = matches!(
            subresource.name.as_str(),
            "exec" | "attach" | "portforward" | "proxy"
        );
        for operation in &mut all {
            if !self.is_custom() {
                operation.kind = subresource.kind.as_ref().unwrap_or(&self.doc.kind);
            }
            if is_tunnel {
                operation.action = "connect";
                operation.body = None;
            }
        }
        all
    }

    fn reads_and_writes(
        &self,
        verbs: &[SmolStr],
        end: &str,
        shape: &Value,
        definitions: &mut Definitions,
    ) -> Vec<Operation<'a>> {
        let has = |verb: &str| verbs.iter().any(|v| v == verb);
        let mut all = Vec::new();
        if has("get") {
            all.push(self.operation("get", "get", self.id("read", "", end), shape.clone()));
        }
        if has("update") {
            all.push(Operation {
                body: Some(shape.clone()),
                ..self.operation("put", "put", self.id("replace", "", end), shape.clone())
            });
        }
        if has("patch") {
            all.push(Operation {
                body: Some(definitions.meta("Patch")),
                ..self.operation("patch", "patch", self.id("patch", "", end), shape.clone())
            });
        }
        all
    }

    /// An operation as the document has it.
    fn written(&self, operation: Operation<'_>) -> Value {
        let kind = &self.doc.kind;
        let mut item = json!({
            "tags": [format!("{}_{}", group_name(&kind.group), kind.version)],
            "description": format!("{} {}", described(operation.action), operation.kind.kind),
            "operationId": operation.id,
            "responses": self.responses(&operation),
            "x-kubernetes-action": operation.action,
            "x-kubernetes-group-version-kind": gvk(operation.kind),
        });
        let mut parameters = parameters::of(operation.action, self.dialect);
        let sends: &[&str] = match (operation.method, self.is_custom()) {
            ("patch", true) => &CUSTOM_PATCHES,
            ("patch", false) => &PATCHES,
            (_, true) => &CUSTOM,
            (_, false) => &["*/*"],
        };
        let is_required = !matches!(operation.action, "delete" | "deletecollection");
        match (self.dialect, operation.body) {
            (Dialect::V2, body) => {
                let body = body.map(
                    |schema| json!({"name": "body", "in": "body", "required": is_required, "schema": schema}),
                );
                parameters.extend(body);
                item.set("/consumes", json!(sends));
                item.set("/produces", json!(self.answers(operation.action)));
                item.set("/schemes", json!(["https"]));
            }
            (Dialect::V3, Some(schema)) => {
                item.set("/requestBody/content", content(sends, &schema));
                if is_required {
                    item.set("/requestBody/required", true);
                }
            }
            (Dialect::V3, None) => {}
        }
        if !parameters.is_empty() {
            item.set("/parameters", parameters);
        }
        item
    }

    fn responses(&self, operation: &Operation<'_>) -> Value {
        let codes: &[(&str, &str)] = match operation.action {
            "post" => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
            "patch" if self.is_custom() => &[("200", "OK")],
            "put" | "patch" => &[("200", "OK"), ("201", "Created")],
            "delete" => &[("200", "OK"), ("202", "Accepted")],
            _ => &[("200", "OK")],
        };
        let mut responses = json!({"401": {"description": "Unauthorized"}});
        for (code, meaning) in codes {
            let response = match self.dialect {
                Dialect::V2 => json!({"description": meaning, "schema": operation.answer}),
                Dialect::V3 => json!({"description": meaning,
                    "content": content(&self.answers(operation.action), &operation.answer)}),
            };
            responses.set(&format!("/{code}"), response);
        }
        responses
    }

    fn is_custom(&self) -> bool {
        matches!(self.doc.shape, Shape::Custom(_))
    }

    /// The media types of an answer.
    fn answers(&self, action: &str) -> Vec<&'static str> {
        match action {
            _ if self.is_custom() => CUSTOM.to_vec(),
            "list" => [&ANSWERS[..], &STREAMS[..]].concat(),
            "connect" => vec!["*/*"],
            _ => ANSWERS.to_vec(),
        }
    }
}

/// The same schema for each media type.
fn content(media_types: &[&str], schema: &Value) -> Value {
    let each = media_types
        .iter()
        .map(|media| ((*media).to_owned(), json!({"schema": schema})));
    Value::Object(each.collect())
}

fn described(action: &str) -> &'static str {
    match action {
        "list" => "list or watch objects of kind",
        "post" => "create a",
        "put" => "replace the specified",
        "patch" => "partially update the specified",
        "delete" => "delete a",
        "deletecollection" => "delete collection of",
        "connect" => "connect requests to",
        _ => "read the specified",
    }
}

/// `core`, `apps`, `rbacAuthorization`
fn group_name(group: &str) -> String {
    if group.is_empty() {
        return "core".to_owned();
    }
    let short = group.strip_suffix(".k8s.io").unwrap_or(group);
    let mut parts = short.split('.');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capital(part))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

//! One operation of a path, as both dialects write it.

use serde_json::{Map, Value, json};
use warren_apimachinery::GroupVersionKind;

use super::Dialect;
use super::definitions::gvk;
use super::parameters::{self, Sorted};

/// What every built-in kind is answered as.
pub(super) const ANSWERS: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
pub(super) const ANY: [&str; 1] = ["*/*"];

/// What an operation does, and to what.
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// `x-kubernetes-action`; empty for what is about no kind.
    pub(super) action: &'static str,
    /// The action whose parameters it has: of custom resources not always its own.
    pub(super) parameters: &'static str,
    /// What else tells which parameters it has.
    pub(super) also: Vec<&'static str>,
    pub(super) tag: String,
    pub(super) id: String,
    pub(super) description: String,
    pub(super) kind: Option<GroupVersionKind>,
    /// What is sent.
    pub(super) body: Option<Value>,
    /// What is answered.
    pub(super) answer: Value,
    pub(super) consumes: Vec<&'static str>,
    pub(super) produces: Vec<&'static str>,
}

impl Operation {
    /// An operation that is about no kind of objects.
    pub(super) fn plain(tag: &str, id: &str, description: &str, answer: Value) -> Self {
        Self {
            method: "get",
            action: "",
            parameters: "",
            also: Vec::new(),
            tag: tag.to_owned(),
            id: id.to_owned(),
            description: description.to_owned(),
            kind: None,
            body: None,
            answer,
            consumes: ANSWERS.to_vec(),
            produces: ANSWERS.to_vec(),
        }
    }

    fn sorted(&self, path: &str, named: &str, dialect: Dialect) -> Vec<Sorted> {
        let mut actions = vec![self.parameters];
        actions.extend(&self.also);
        if !matches!(self.action, "connect" | "") {
            actions.push("any");
        }
        if path.contains("{namespace}") {
            actions.push("namespaced");
        }
        let mut all = parameters::of(&actions, path, named, dialect);
        if let (Dialect::V2, Some(body)) = (dialect, &self.body) {
            all.push(Sorted::body(parameters::body(body, self.requires_body())));
        }
        parameters::sort(&mut all);
        all
    }

    fn requires_body(&self) -> bool {
        self.method != "delete"
    }

    fn written(&self, dialect: Dialect, own: Vec<Value>) -> Value {
        let mut item = Map::new();
        let mut put = |name: &str, value: Value| drop(item.insert(name.to_owned(), value));
        put("tags", json!([self.tag]));
        put("description", self.description.as_str().into());
        put("operationId", self.id.as_str().into());
        put("responses", self.responses(dialect));
        if !self.action.is_empty() {
            put("x-kubernetes-action", self.action.into());
        }
        if let Some(kind) = &self.kind {
            put("x-kubernetes-group-version-kind", gvk(kind));
        }
        match (dialect, &self.body) {
            (Dialect::V2, _) => {
                if !self.consumes.is_empty() {
                    put("consumes", json!(self.consumes));
                }
                put("produces", json!(self.produces));
                put("schemes", json!(["https"]));
            }
            (Dialect::V3, Some(schema)) => {
                let mut body = json!({"content": content(&self.consumes, schema)});
                if let (true, Some(body)) = (self.requires_body(), body.as_object_mut()) {
                    body.insert("required".to_owned(), true.into());
                }
                put("requestBody", body);
            }
            (Dialect::V3, None) => {}
        }
        if !own.is_empty() {
            put("parameters", own.into());
        }
        Value::Object(item)
    }

    fn responses(&self, dialect: Dialect) -> Value {
        let is_custom = self.consumes.iter().all(|media| ANSWERS.contains(media)) && !self.action.is_empty();
        let codes: &[(&str, &str)] = match self.action {
            "post" => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
            "patch" if is_custom || self.consumes.len() == 3 => &[("200", "OK")],
            "put" | "patch" => &[("200", "OK"), ("201", "Created")],
            "delete" => &[("200", "OK"), ("202", "Accepted")],
            _ => &[("200", "OK")],
        };
        let mut responses = Map::new();
        responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        for (code, meaning) in codes {
            let response = match dialect {
                Dialect::V2 => json!({"description": meaning, "schema": self.answer}),
                Dialect::V3 => {
                    json!({"description": meaning, "content": content(&self.produces, &self.answer)})
                }
            };
            responses.insert((*code).to_owned(), response);
        }
        Value::Object(responses)
    }
}

/// A path with its operations; what all of them take stands once. `named` is the kind that `{name}` names.
pub(super) fn item(path: &str, named: &str, operations: &[Operation], dialect: Dialect) -> Value {
    let all: Vec<Vec<Sorted>> = operations
        .iter()
        .map(|operation| operation.sorted(path, named, dialect))
        .collect();
    let in_all = |parameter: &Sorted| {
        !parameter.is_body()
            && all
                .iter()
                .all(|each| each.iter().any(|other| other.written == parameter.written))
    };
    let mut common: Vec<Value> = Vec::new();
    for parameter in all
        .first()
        .into_iter()
        .flatten()
        .filter(|parameter| in_all(parameter))
    {
        common.push(parameter.written.clone());
    }
    let mut item = Map::new();
    for (operation, parameters) in operations.iter().zip(all) {
        let own = parameters.into_iter().map(|parameter| parameter.written);
        let own = own.filter(|parameter| !common.contains(parameter)).collect();
        item.insert(operation.method.to_owned(), operation.written(dialect, own));
    }
    if !common.is_empty() {
        item.insert("parameters".to_owned(), common.into());
    }
    Value::Object(item)
}

/// The same schema for each media type.
fn content(media_types: &[&str], schema: &Value) -> Value {
    let each = media_types
        .iter()
        .map(|media| ((*media).to_owned(), json!({"schema": schema})));
    Value::Object(each.collect())
}

//! The parameters of operations: a table of what upstream publishes, and which of them an operation has.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::Dialect;

static TABLE: &str = include_str!("../../data/parameters.tsv");

static PARAMETERS: LazyLock<Vec<Parameter>> =
    LazyLock::new(|| TABLE.lines().filter_map(Parameter::read).collect());

/// A line of the table.
struct Parameter {
    name: &'static str,
    /// The actions of operations that have it.
    actions: Vec<&'static str>,
    place: &'static str,
    kind: &'static str,
    /// What v2 calls it among the document's parameters; empty where each operation repeats it.
    shared: &'static str,
    description: String,
}

impl Parameter {
    fn read(line: &'static str) -> Option<Self> {
        let mut cells = line.splitn(6, '\t');
        Some(Self {
            name: cells.next()?,
            actions: cells.next()?.split(',').collect(),
            place: cells.next()?,
            kind: cells.next()?,
            shared: cells.next()?,
            description: serde_json::from_str(cells.next()?).ok()?,
        })
    }

    fn written(&self, dialect: Dialect) -> Value {
        if dialect == Dialect::V2 && !self.shared.is_empty() {
            return json!({"$ref": format!("#/parameters/{}", self.shared)});
        }
        parameter(self.name, self.place, self.kind, &self.description, dialect)
    }
}

fn parameter(name: &str, place: &str, kind: &str, description: &str, dialect: Dialect) -> Value {
    let mut all = json!({"name": name, "in": place, "description": description});
    let schema = json!({"type": kind, "uniqueItems": true});
    if let Some(map) = all.as_object_mut() {
        if place == "path" {
            map.insert("required".to_owned(), true.into());
        }
        match (dialect, schema) {
            (Dialect::V2, Value::Object(schema)) => map.extend(schema),
            (_, schema) => drop(map.insert("schema".to_owned(), schema)),
        }
    }
    all
}

/// What v2 calls the bodies that many operations share.
const BODIES: [(&str, &str, bool); 2] = [
    ("body-2Y1dVQaQ", "DeleteOptions", false),
    ("body-78PwaGsr", "Patch", true),
];

/// The `parameters` of a v2 document.
pub(super) fn shared() -> Value {
    let mut all = Map::new();
    for parameter in PARAMETERS.iter().filter(|parameter| !parameter.shared.is_empty()) {
        let Parameter {
            name,
            place,
            kind,
            description,
            ..
        } = parameter;
        let written = self::parameter(name, place, kind, description, Dialect::V2);
        all.insert(parameter.shared.to_owned(), written);
    }
    for (name, kind, is_required) in BODIES {
        let reference = format!("#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.{kind}");
        let mut body = json!({"name": "body", "in": "body", "schema": {"$ref": reference}});
        if let (true, Some(map)) = (is_required, body.as_object_mut()) {
            map.insert("required".to_owned(), true.into());
        }
        all.insert(name.to_owned(), body);
    }
    Value::Object(all)
}

/// The body of a v2 operation.
pub(super) fn body(schema: &Value, is_required: bool) -> Value {
    let target = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    for (name, kind, _) in BODIES {
        if target.ends_with(&format!("meta.v1.{kind}")) {
            return json!({"$ref": format!("#/parameters/{name}")});
        }
    }
    let mut body = json!({"name": "body", "in": "body", "schema": schema});
    if let (true, Some(map)) = (is_required, body.as_object_mut()) {
        map.insert("required".to_owned(), true.into());
    }
    body
}

/// A parameter of an operation, with what it is sorted by.
pub(super) struct Sorted {
    key: (String, &'static str),
    pub(super) written: Value,
}

impl Sorted {
    /// The body stands among the parameters by its name.
    pub(super) fn body(written: Value) -> Self {
        Self {
            key: ("body".to_owned(), "body"),
            written,
        }
    }

    pub(super) fn is_body(&self) -> bool {
        self.key.1 == "body"
    }
}

/// The parameters of one operation, in order; `action` is as in the table, `kind` is what the path names.
pub(super) fn of(actions: &[&str], path: &str, kind: &str, dialect: Dialect) -> Vec<Sorted> {
    let has = |parameter: &&Parameter| actions.iter().any(|action| parameter.actions.contains(action));
    let mut all: Vec<Sorted> = PARAMETERS
        .iter()
        .filter(has)
        .map(|parameter| Sorted {
            key: (parameter.name.to_owned(), parameter.place),
            written: parameter.written(dialect),
        })
        .collect();
    if path.contains("{name}") {
        let description = format!("name of the {kind}");
        all.push(Sorted {
            key: ("name".to_owned(), "path"),
            written: parameter("name", "path", "string", &description, dialect),
        });
    }
    all
}

/// Puts parameters into upstream's order.
pub(super) fn sort(all: &mut [Sorted]) {
    all.sort_by(|one, other| one.key.cmp(&other.key));
}

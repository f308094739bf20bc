//! The parameters of operations.

use serde_json::{Value, json};

use super::Dialect;

/// Name, type and meaning of a query parameter.
type Parameter = (&'static str, &'static str, &'static str);

const LIST: [Parameter; 10] = [
    (
        "allowWatchBookmarks",
        "boolean",
        "Ask for events of type BOOKMARK, which carry nothing but a resource version.",
    ),
    (
        "continue",
        "string",
        "The token of the page before, to be given the next one.",
    ),
    (
        "fieldSelector",
        "string",
        "Restrict the answer to objects whose fields match. Defaults to everything.",
    ),
    (
        "labelSelector",
        "string",
        "Restrict the answer to objects whose labels match. Defaults to everything.",
    ),
    ("limit", "integer", "The greatest number of objects in one page."),
    (
        "resourceVersion",
        "string",
        "Constrain which version of the data may be answered. Defaults to unset.",
    ),
    (
        "resourceVersionMatch",
        "string",
        "How resourceVersion is applied to lists: Exact or NotOlderThan.",
    ),
    (
        "sendInitialEvents",
        "boolean",
        "Begin a watch with the objects that exist already.",
    ),
    ("timeoutSeconds", "integer", "How long a list or watch may last."),
    ("watch", "boolean", "Watch for changes rather than list once."),
];
const WRITE: [Parameter; 3] = [
    (
        "dryRun",
        "string",
        "All: go through every step but do not keep the result.",
    ),
    (
        "fieldManager",
        "string",
        "The name of whoever makes this change, for managedFields.",
    ),
    (
        "fieldValidation",
        "string",
        "What happens to unknown and duplicate fields: Ignore, Warn or Strict.",
    ),
];
const FORCE: Parameter = (
    "force",
    "boolean",
    "Take over fields that another manager owns. Only for apply.",
);
const DELETE: [Parameter; 5] = [
    (
        "dryRun",
        "string",
        "All: go through every step but do not keep the result.",
    ),
    (
        "gracePeriodSeconds",
        "integer",
        "How many seconds the object may live on. Zero deletes at once.",
    ),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
        "Delete an object even when its stored form cannot be read.",
    ),
    (
        "orphanDependents",
        "boolean",
        "Deprecated: use propagationPolicy.",
    ),
    (
        "propagationPolicy",
        "string",
        "What becomes of dependents: Orphan, Background or Foreground.",
    ),
];
const PRETTY: Parameter = (
    "pretty",
    "string",
    "If 'true', then the output is pretty printed.",
);

/// The query parameters of an operation's action.
pub(super) fn of(action: &str, dialect: Dialect) -> Vec<Value> {
    let query = |all: &[Parameter]| all.iter().map(|p| query(p, dialect)).collect::<Vec<_>>();
    match action {
        "list" => query(&LIST),
        "post" | "put" => query(&WRITE),
        "patch" => [query(&WRITE), query(&[FORCE])].concat(),
        "delete" => query(&DELETE),
        "deletecollection" => [query(&DELETE), query(&LIST)].concat(),
        _ => Vec::new(),
    }
}

/// The parameters that all operations of a path share.
pub(super) fn shared(path: &str, kind: &str, dialect: Dialect) -> Vec<Value> {
    let mut all = Vec::new();
    if path.contains("{name}") {
        all.push(in_path("name", &format!("name of the {kind}"), dialect));
    }
    if path.contains("{namespace}") {
        let meaning = "object name and auth scope, such as for teams and projects";
        all.push(in_path("namespace", meaning, dialect));
    }
    all.push(query(&PRETTY, dialect));
    all
}

fn query((name, kind, meaning): &Parameter, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V2 => {
            json!({"name": name, "in": "query", "description": meaning, "type": kind, "uniqueItems": true})
        }
        Dialect::V3 => json!({"name": name, "in": "query", "description": meaning,
            "schema": {"type": kind, "uniqueItems": true}}),
    }
}

fn in_path(name: &str, meaning: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V2 => {
            json!({"name": name, "in": "path", "required": true, "description": meaning, "type": "string",
            "uniqueItems": true})
        }
        Dialect::V3 => json!({"name": name, "in": "path", "required": true, "description": meaning,
            "schema": {"type": "string", "uniqueItems": true}}),
    }
}

//! The paths of a resource: which operations there are, of which kind.

use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::GroupVersionKind;

use super::definitions::Definitions;
use super::operation::{ANSWERS, ANY, Operation, item};
use super::{Dialect, ResourceDoc, Shape, SubresourceDoc};

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
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];
/// The kinds whose deletion answers with the object that it deleted.
const RETURNED: [&str; 16] = [
    "CSIDriver",
    "CSINode",
    "DeviceClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodTemplate",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceQuota",
    "ResourceSlice",
    "Service",
    "ServiceAccount",
    "StorageClass",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// All paths of a resource with their items.
pub(super) fn of(doc: &ResourceDoc, dialect: Dialect, definitions: &mut Definitions) -> Vec<(String, Value)> {
    let maker = Maker { doc };
    let root = root(&doc.kind);
    let (scope, plural) = (
        if doc.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        },
        &doc.plural,
    );
    let own = doc.kind.kind.as_str();
    let mut items = Vec::new();
    let mut add = |path: String, named: &str, operations: Vec<Operation>| {
        if !operations.is_empty() {
            let item = item(&path, named, &operations, dialect);
            items.push((path, item));
        }
    };
    let collection = format!("{root}{scope}/{plural}");
    add(collection.clone(), own, maker.collection(definitions));
    add(format!("{collection}/{{name}}"), own, maker.one(definitions));
    if doc.namespaced {
        add(format!("{root}/{plural}"), own, maker.everywhere(definitions));
    }
    for subresource in &doc.subresources {
        let path = format!("{collection}/{{name}}/{}", subresource.name);
        let kind = subresource.kind.as_ref().filter(|_| doc.is_builtin());
        let named = kind.map_or(own, |kind| kind.kind.as_str());
        add(
            path.clone(),
            named,
            maker.subresource(subresource, false, definitions),
        );
        if subresource.name == "proxy" {
            add(
                format!("{path}/{{path}}"),
                named,
                maker.subresource(subresource, true, definitions),
            );
        }
    }
    if maker.has("watch") && !maker.is_custom() {
        let watched = format!("{root}/watch{scope}/{plural}");
        add(watched.clone(), own, maker.watch(Watched::List, definitions));
        add(
            format!("{watched}/{{name}}"),
            own,
            maker.watch(Watched::One, definitions),
        );
        if doc.namespaced {
            add(
                format!("{root}/watch/{plural}"),
                own,
                maker.watch(Watched::Everywhere, definitions),
            );
        }
    }
    items
}

/// `/api/v1`, `/apis/apps/v1`
fn root(kind: &GroupVersionKind) -> String {
    match kind.group.as_str() {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    }
}

/// What a `/watch/` path watches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watched {
    One,
    List,
    Everywhere,
}

struct Maker<'a> {
    doc: &'a ResourceDoc,
}

impl Maker<'_> {
    fn has(&self, verb: &str) -> bool {
        self.doc.verbs.iter().any(|v| v == verb)
    }

    fn is_custom(&self) -> bool {
        matches!(self.doc.shape, Shape::Custom(_))
    }

    /// `listAppsV1NamespacedDeployment`
    fn id(&self, verb: &str, middle: &str, end: &str) -> String {
        let scope = if self.doc.namespaced { "Namespaced" } else { "" };
        format!(
            "{}{middle}{scope}{}{end}",
            self.id_start(verb),
            self.doc.kind.kind
        )
    }

    /// `listAppsV1`
    fn id_start(&self, verb: &str) -> String {
        let kind = &self.doc.kind;
        format!(
            "{verb}{}{}",
            capital(&group_name(&kind.group)),
            capital(&kind.version)
        )
    }

    fn operation(&self, method: &'static str, action: &'static str, id: String, answer: Value) -> Operation {
        let kind = &self.doc.kind;
        let is_custom = self.is_custom();
        let consumes = match (method, is_custom) {
            ("patch", true) => CUSTOM_PATCHES.to_vec(),
            ("patch", false) => PATCHES.to_vec(),
            (_, true) => CUSTOM.to_vec(),
            (_, false) => ANY.to_vec(),
        };
        let produces = match action {
            _ if is_custom => CUSTOM.to_vec(),
            "list" | "watch" | "watchlist" => [&ANSWERS[..], &STREAMS[..]].concat(),
            _ => ANSWERS.to_vec(),
        };
        Operation {
            method,
            action,
            parameters: if (action, is_custom) == ("get", true) {
                "read"
            } else {
                action
            },
            also: Vec::new(),
            tag: format!("{}_{}", group_name(&kind.group), kind.version),
            id,
            description: self.described(action),
            kind: Some(kind.clone()),
            body: None,
            answer,
            consumes,
            produces,
        }
    }

    fn described(&self, action: &str) -> String {
        let kind = &self.doc.kind.kind;
        match action {
            "list" if self.is_custom() || !self.has("watch") => format!("list objects of kind {kind}"),
            "list" => format!("list or watch objects of kind {kind}"),
            "post" => format!("create {}", one(kind)),
            "put" => format!("replace the specified {kind}"),
            "patch" => format!("partially update the specified {kind}"),
            "delete" => format!("delete {}", one(kind)),
            "deletecollection" => format!("delete collection of {kind}"),
            _ => format!("read the specified {kind}"),
        }
    }

    fn collection(&self, definitions: &mut Definitions) -> Vec<Operation> {
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
            let status = definitions.meta("Status");
            let mut operation = self.operation("delete", "deletecollection", id, status);
            if self.is_custom() {
                operation.parameters = "list";
            } else {
                operation.body = Some(definitions.meta("DeleteOptions"));
            }
            all.push(operation);
        }
        all
    }

    fn one(&self, definitions: &mut Definitions) -> Vec<Operation> {
        let object = definitions.object(self.doc);
        let mut all = self.reads_and_writes(&self.doc.verbs, "", &object, definitions);
        if self.has("delete") {
            let kind = self.doc.kind.kind.as_str();
            let answer = if RETURNED.contains(&kind) && !self.is_custom() {
                object
            } else {
                definitions.meta("Status")
            };
            all.push(Operation {
                body: Some(definitions.meta("DeleteOptions")),
                ..self.operation("delete", "delete", self.id("delete", "", ""), answer)
            });
        }
        all
    }

    fn everywhere(&self, definitions: &mut Definitions) -> Vec<Operation> {
        if !self.has("list") {
            return Vec::new();
        }
        let id = format!("{}{}ForAllNamespaces", self.id_start("list"), self.doc.kind.kind);
        vec![self.operation("get", "list", id, definitions.list(self.doc))]
    }

    /// The old way to watch.
    fn watch(&self, what: Watched, definitions: &mut Definitions) -> Vec<Operation> {
        let kind = &self.doc.kind.kind;
        let (action, id, description) = match what {
            Watched::One => (
                "watch",
                self.id("watch", "", ""),
                format!(
                    "watch changes to an object of kind {kind}. deprecated: use the 'watch' parameter with a list operation instead, filtered to a single item with the 'fieldSelector' parameter."
                ),
            ),
            Watched::List | Watched::Everywhere => (
                "watchlist",
                if what == Watched::List {
                    self.id("watch", "", "List")
                } else {
                    format!("{}{kind}ListForAllNamespaces", self.id_start("watch"))
                },
                format!(
                    "watch individual changes to a list of {kind}. deprecated: use the 'watch' parameter with a list operation instead."
                ),
            ),
        };
        vec![Operation {
            also: vec!["watch"],
            description,
            ..self.operation("get", action, id, definitions.meta("WatchEvent"))
        }]
    }

    fn subresource(
        &self,
        subresource: &SubresourceDoc,
        with_path: bool,
        definitions: &mut Definitions,
    ) -> Vec<Operation> {
        let name = subresource.name.as_str();
        if matches!(name, "exec" | "attach" | "portforward" | "proxy") {
            return self.connects(subresource, with_path);
        }
        let end = capital(name);
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
        let own = &self.doc.kind.kind;
        for operation in &mut all {
            if !self.is_custom() {
                operation.kind = subresource.kind.clone().or_else(|| operation.kind.take());
            }
            operation.description = match operation.action {
                "post" => format!("create {name} of {}", one(own)),
                "put" => format!("replace {name} of the specified {own}"),
                "patch" => format!("partially update {name} of the specified {own}"),
                _ => format!("read {name} of the specified {own}"),
            };
            if name == "log" {
                operation.also.push("log");
                operation.answer = json!({"type": "string"});
                operation.produces.insert(0, "text/plain");
            }
        }
        all
    }

    /// What is passed on to a pod, a service or a node.
    fn connects(&self, subresource: &SubresourceDoc, with_path: bool) -> Vec<Operation> {
        let (name, own) = (subresource.name.as_str(), &self.doc.kind.kind);
        let (methods, set): (&[&'static str], &'static str) = match (name, own.as_str()) {
            ("proxy", kind) => (
                &["get", "put", "post", "delete", "options", "head", "patch"],
                match kind {
                    "Pod" => "PodProxyOptions",
                    "Service" => "ServiceProxyOptions",
                    _ => "NodeProxyOptions",
                },
            ),
            ("exec", _) => (&["get", "post"], "exec"),
            ("attach", _) => (&["get", "post"], "attach"),
            _ => (&["get", "post"], "portforward"),
        };
        let end = format!("{}{}", capital(name), if with_path { "WithPath" } else { "" });
        let made = methods.iter().map(|method| Operation {
            also: if with_path { vec![set, "path"] } else { vec![set] },
            description: format!("connect {} requests to {name} of {own}", method.to_uppercase()),
            kind: subresource.kind.clone(),
            consumes: ANY.to_vec(),
            produces: ANY.to_vec(),
            ..self.operation(
                method,
                "connect",
                self.id("connect", &capital(method), &end),
                json!({"type": "string"}),
            )
        });
        made.collect()
    }

    fn reads_and_writes(
        &self,
        verbs: &[SmolStr],
        end: &str,
        shape: &Value,
        definitions: &mut Definitions,
    ) -> Vec<Operation> {
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
}

/// A kind with its article; plurals have none.
fn one(kind: &str) -> String {
    if kind.ends_with('s') && !kind.ends_with("ss") {
        return kind.to_owned();
    }
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// `core`, `apps`, `rbacAuthorization`
pub(super) fn group_name(group: &str) -> String {
    if group.is_empty() {
        return "core".to_owned();
    }
    let short = group.strip_suffix(".k8s.io").unwrap_or(group);
    let mut parts = short.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capital(part))
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

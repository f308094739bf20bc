//! `route × verb × content type`: what there is, by discovery, and what of it the corpus requests.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;

use crate::connection::Target;
use crate::folder::Folder;
use crate::scenario::Step;

const READ: [&str; 5] = ["json", "yaml", "protobuf", "table", "metadata"];
const WATCHED: [&str; 2] = ["json", "protobuf"];
const WRITTEN: [&str; 3] = ["json", "yaml", "protobuf"];
const PATCHED: [&str; 4] = ["apply", "json-patch", "merge-patch", "strategic-merge-patch"];

/// A verb on a path with a content type: of the answer for reads, of the body for writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    path: String,
    verb: String,
    content: &'static str,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.path, self.verb, self.content)
    }
}

/// The routes of built-in resources.
pub(crate) async fn all(target: &Target) -> anyhow::Result<BTreeSet<Route>> {
    let mut connection = target.connect().await?;
    let mut roots = vec!["/api/v1".to_owned()];
    let groups = connection
        .call("GET", "/apis", HeaderMap::new(), Bytes::new())
        .await?;
    let groups: Value = serde_json::from_slice(&groups.body)?;
    for version in groups
        .items("/groups")
        .iter()
        .flat_map(|group| group.items("/versions"))
    {
        roots.push(format!("/apis/{}", version.text("/groupVersion")));
    }
    let mut routes = BTreeSet::new();
    for root in roots {
        let list = connection
            .call("GET", &root, HeaderMap::new(), Bytes::new())
            .await?;
        let list: Value = serde_json::from_slice(&list.body).context(root.clone())?;
        for resource in list.items("/resources") {
            let (plural, part) = match resource.text("/name").split_once('/') {
                Some((plural, part)) => (plural, format!("/{part}")),
                None => (resource.text("/name"), String::new()),
            };
            let is_namespaced = resource.at("/namespaced") == &Value::Bool(true);
            let scope = if is_namespaced { "/namespaces/*" } else { "" };
            for verb in resource.items("/verbs").iter().filter_map(Value::as_str) {
                let on_one = !part.is_empty() || matches!(verb, "get" | "update" | "patch" | "delete");
                let name = if on_one { "/*" } else { "" };
                let contents: &[&'static str] = match (verb, part.as_str()) {
                    (_, "/exec" | "/attach" | "/portforward" | "/proxy" | "/log") => &["stream"],
                    ("get" | "list", _) => &READ,
                    ("watch", _) => &WATCHED,
                    ("patch", _) => &PATCHED,
                    ("create" | "update", _) => &WRITTEN,
                    _ => &["json"],
                };
                for content in contents {
                    let route = |path: String| Route {
                        path,
                        verb: verb.to_owned(),
                        content,
                    };
                    routes.insert(route(format!("{root}{scope}/{plural}{name}{part}")));
                    if is_namespaced && *content == "json" && matches!(verb, "list" | "watch") {
                        routes.insert(route(format!("{root}/{plural}")));
                    }
                }
            }
        }
    }
    Ok(routes)
}

/// Those that no request of the corpus takes.
pub(crate) fn unrequested(folder: &Folder, all: &BTreeSet<Route>) -> anyhow::Result<BTreeSet<String>> {
    let mut requested = BTreeSet::new();
    for topic in folder.topics(&[])? {
        for step in topic.scenarios.iter().flat_map(|scenario| &scenario.steps) {
            requested.extend(route_of(step));
        }
    }
    let missing = all.iter().filter(|route| !requested.contains(*route));
    Ok(missing.map(ToString::to_string).collect())
}

fn route_of(step: &Step) -> Option<Route> {
    let (method, full) = step.line().ok()?;
    let (path, query) = full.split_once('?').unwrap_or((full, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let version = if parts.first() == Some(&"api") { 2 } else { 3 };
    let (root, rest) = parts.split_at_checked(version)?;
    let (scope, rest) = match rest {
        ["namespaces", name] => ("", vec!["namespaces", name]),
        ["namespaces", name, part @ ("status" | "finalize")] => ("", vec!["namespaces", name, part]),
        ["namespaces", _, rest @ ..] => ("/namespaces/*", rest.to_vec()),
        rest => ("", rest.to_vec()),
    };
    let (plural, name) = (rest.first()?, rest.get(1).map_or("", |_| "/*"));
    let part = rest.get(2).map_or(String::new(), |part| format!("/{part}"));
    let watch = query
        .split('&')
        .any(|pair| matches!(pair, "watch=1" | "watch=true"));
    let verb = match (method, name) {
        ("GET", "") if watch => "watch",
        ("GET", "") => "list",
        ("GET", _) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", "") => "deletecollection",
        ("DELETE", _) => "delete",
        _ => return None,
    };
    Some(Route {
        path: format!("/{}{scope}/{plural}{name}{part}", root.join("/")),
        verb: verb.to_owned(),
        content: content(step, verb, &part),
    })
}

fn content(step: &Step, verb: &str, part: &str) -> &'static str {
    if matches!(part, "/exec" | "/attach" | "/portforward" | "/proxy" | "/log") {
        return "stream";
    }
    let said = match verb {
        "get" | "list" | "watch" => &step.accept,
        "delete" | "deletecollection" => return "json",
        _ => &step.content_type,
    };
    let said = said.as_deref().unwrap_or("application/json");
    let known = [
        ("as=Table", "table"),
        ("as=PartialObjectMetadata", "metadata"),
        ("protobuf", "protobuf"),
        ("apply-patch+yaml", "apply"),
        ("strategic-merge-patch", "strategic-merge-patch"),
        ("merge-patch", "merge-patch"),
        ("json-patch", "json-patch"),
        ("yaml", "yaml"),
    ];
    known
        .iter()
        .find(|(part, _)| said.contains(part))
        .map_or("json", |(_, name)| name)
}

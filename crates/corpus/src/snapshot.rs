//! What a server says of itself, a line for each fact, so that a change is a small diff: discovery, OpenAPI, the roles
//! that it starts with, the columns of tables.

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};
use warren_apimachinery::value::ValueExt;

use crate::connection::{Connection, Target};

/// Lines by the name of their file.
pub(crate) type Snapshots = BTreeMap<&'static str, Vec<String>>;

/// The files, in `snapshots/NAME.txt`.
pub(crate) const FILES: [&str; 5] = [
    "bootstrap-rbac",
    "discovery",
    "openapi-v2",
    "openapi-v3",
    "table-columns",
];

/// Roles that one distribution adds and upstream does not have.
const DISTRIBUTION: [&str; 2] = ["openshift", "service-ca-cert-publisher"];
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Asks a server for everything.
pub(crate) async fn take(target: &Target) -> anyhow::Result<Snapshots> {
    let mut reader = Reader {
        connection: target.connect().await?,
    };
    let mut snapshots = Snapshots::new();
    snapshots.insert("bootstrap-rbac", rbac(&mut reader).await?);
    snapshots.insert("discovery", discovery(&mut reader).await?);
    snapshots.insert("openapi-v2", openapi_v2(&mut reader).await?);
    snapshots.insert("openapi-v3", openapi_v3(&mut reader).await?);
    snapshots.insert("table-columns", columns(&mut reader).await?);
    Ok(snapshots)
}

struct Reader {
    connection: Connection,
}

impl Reader {
    async fn get(&mut self, path: &str, accept: &'static str) -> anyhow::Result<Value> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let answer = self.connection.call("GET", path, headers, Bytes::new()).await?;
        serde_json::from_slice(&answer.body).with_context(|| format!("{path}: {}", answer.code))
    }

    /// The paths of the served groups and versions, such as `/apis/apps/v1`.
    async fn versions(&mut self) -> anyhow::Result<Vec<String>> {
        let mut paths = vec!["/api/v1".to_owned()];
        for group in self.get("/apis", "application/json").await?.items("/groups") {
            for version in group
                .items("/versions")
                .iter()
                .filter(|_| is_builtin(group.text("/name")))
            {
                paths.push(format!("/apis/{}", version.text("/groupVersion")));
            }
        }
        Ok(paths)
    }
}

/// Groups of custom resources are the tenant's, or those of who recorded.
fn is_builtin(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

async fn discovery(reader: &mut Reader) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for group in reader.get("/apis", "application/json").await?.items("/groups") {
        if is_builtin(group.text("/name")) {
            lines.push(format!("group {group}"));
        }
    }
    for path in reader.versions().await? {
        for resource in reader.get(&path, "application/json").await?.items("/resources") {
            lines.push(format!("{path} {resource}"));
        }
    }
    for root in ["/api", "/apis"] {
        for group in reader.get(root, AGGREGATED).await?.items("/items") {
            for version in group
                .items("/versions")
                .iter()
                .filter(|_| is_builtin(group.text("/metadata/name")))
            {
                for resource in version.items("/resources") {
                    let (name, version) = (group.text("/metadata/name"), version.text("/version"));
                    lines.push(format!("aggregated {name}/{version} {resource}"));
                }
            }
        }
    }
    Ok(lines)
}

async fn openapi_v2(reader: &mut Reader) -> anyhow::Result<Vec<String>> {
    let document = reader.get("/openapi/v2", "application/json").await?;
    let mut lines = Vec::new();
    for section in ["definitions", "parameters", "paths"] {
        hashes(section, document.field(section), &mut lines);
    }
    for section in ["info", "security", "securityDefinitions", "swagger"] {
        lines.push(format!("{section} {}", document.field(section)));
    }
    Ok(lines)
}

async fn openapi_v3(reader: &mut Reader) -> anyhow::Result<Vec<String>> {
    let index = reader.get("/openapi/v3", "application/json").await?;
    let mut documents: Vec<&String> = index
        .field("paths")
        .as_object()
        .into_iter()
        .flat_map(|paths| paths.keys())
        .collect();
    documents.retain(|document| {
        let group = document
            .strip_prefix("apis/")
            .and_then(|rest| rest.split('/').next());
        group.is_none_or(is_builtin)
    });
    let mut lines = Vec::new();
    for name in documents {
        let document = reader
            .get(&format!("/openapi/v3/{name}"), "application/json")
            .await?;
        hashes(&format!("{name} path"), document.field("paths"), &mut lines);
        hashes(
            &format!("{name} schema"),
            document.at("/components/schemas"),
            &mut lines,
        );
        lines.push(format!("{name} info {}", document.field("info")));
        lines.push(format!(
            "{name} security {}",
            document.at("/components/securitySchemes")
        ));
    }
    Ok(lines)
}

/// A line for each member, with a hash of what it holds.
fn hashes(what: &str, members: &Value, lines: &mut Vec<String>) {
    for (name, value) in members.as_object().into_iter().flatten() {
        if name.starts_with("com.example.")
            || name.contains("example.com")
            || name.starts_with("dev.warren.")
            || name.contains("warren.dev")
        {
            continue;
        }
        let hash = Sha256::digest(value.to_string().as_bytes());
        let short: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        lines.push(format!("{what} {name} {short}"));
    }
}

/// The roles and bindings that are there from the start, a line for each rule.
async fn rbac(reader: &mut Reader) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for resource in ["clusterroles", "clusterrolebindings", "roles", "rolebindings"] {
        let path = format!(
            "/apis/rbac.authorization.k8s.io/v1/{resource}?labelSelector=kubernetes.io%2Fbootstrapping%3Drbac-defaults"
        );
        for object in reader.get(&path, "application/json").await?.items("/items") {
            let name = [object.text("/metadata/namespace"), object.text("/metadata/name")].join("/");
            let name = format!("{resource} {}", name.trim_start_matches('/'));
            if DISTRIBUTION.iter().any(|part| name.contains(part)) {
                continue;
            }
            for part in [
                "/metadata/labels",
                "/metadata/annotations",
                "/aggregationRule",
                "/roleRef",
                "/subjects",
            ] {
                if !object.at(part).is_null() {
                    lines.push(format!("{name} {part} {}", object.at(part)));
                }
            }
            lines.extend(
                object
                    .items("/rules")
                    .iter()
                    .map(|rule| format!("{name} rule {rule}")),
            );
        }
    }
    Ok(lines)
}

async fn columns(reader: &mut Reader) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for path in reader.versions().await? {
        for resource in reader.get(&path, "application/json").await?.items("/resources") {
            if !resource.items("/verbs").iter().any(|verb| verb == "list") {
                continue;
            }
            let collection = format!("{path}/{}", resource.text("/name"));
            let table = reader.get(&format!("{collection}?limit=1"), TABLE).await?;
            lines.extend(
                table
                    .items("/columnDefinitions")
                    .iter()
                    .map(|column| format!("{collection} {column}")),
            );
        }
    }
    Ok(lines)
}

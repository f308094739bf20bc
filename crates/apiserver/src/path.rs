//! What a request is about, read from its method and path: upstream's `RequestInfo`.
//!
//! Purely syntactic: whether such a resource exists is decided later, after authorisation.

use http::Method;
use smol_str::SmolStr;

use crate::query::{Query, decode};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A resource, or a collection of them.
    Resource(ResourcePath),
    /// Anything else, such as `/healthz` or `/apis/apps/v1`: the decoded path.
    Path(String),
}

/// The parts of a resource's path. Absent parts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: SmolStr,
    pub(crate) version: SmolStr,
    pub(crate) namespace: SmolStr,
    pub(crate) resource: SmolStr,
    pub(crate) name: SmolStr,
    pub(crate) subresource: SmolStr,
    /// Behind the subresource, with its leading slash: what `proxy` passes on.
    pub(crate) rest: String,
    /// The old form `/api/v1/watch/…`.
    pub(crate) watch_prefix: bool,
}

/// Reads a path; broken escapes are taken as they stand.
pub(crate) fn parse(path: &str) -> Target {
    let decoded = if path.contains('%') {
        decode(path, false).unwrap_or_else(|| path.to_owned())
    } else {
        path.to_owned()
    };
    match resource_path(&decoded) {
        Some(resource) => Target::Resource(resource),
        None => Target::Path(decoded),
    }
}

fn resource_path(path: &str) -> Option<ResourcePath> {
    let mut parts = path.trim_end_matches('/').strip_prefix('/')?.split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?),
        "apis" => (parts.next()?, parts.next()?),
        _ => return None,
    };
    let mut rest: Vec<&str> = parts.collect();
    let mut watch_prefix = false;
    if rest.first() == Some(&"watch") {
        watch_prefix = true;
        rest.remove(0);
    }
    let mut namespace = "";
    if let ["namespaces", name, tail @ ..] = rest.as_slice() {
        namespace = name;
        if !matches!(tail, [] | ["status" | "finalize", ..]) {
            rest = tail.to_vec();
        }
    }
    let mut parts = rest.iter();
    let resource = parts.next().filter(|resource| !resource.is_empty())?;
    let name = parts.next().unwrap_or(&"");
    let subresource = parts.next().unwrap_or(&"");
    let behind: Vec<&str> = parts.copied().collect();
    let trailing = if path.ends_with('/') && !subresource.is_empty() {
        "/"
    } else {
        ""
    };
    let behind = if behind.is_empty() {
        trailing.to_owned()
    } else {
        format!("/{}{trailing}", behind.join("/"))
    };
    Some(ResourcePath {
        group: group.into(),
        version: version.into(),
        // As upstream: the namespace of a namespace is itself, which authorisation relies on.
        namespace: namespace.into(),
        resource: (*resource).into(),
        name: (*name).into(),
        subresource: (*subresource).into(),
        rest: behind,
        watch_prefix,
    })
}

/// The verb of a request for a resource, as authorisation and metrics name it.
pub(crate) fn verb(method: &Method, path: &ResourcePath, query: &Query) -> &'static str {
    if path.watch_prefix && matches!(*method, Method::GET | Method::HEAD) {
        return "watch";
    }
    let collection = path.name.is_empty();
    match *method {
        Method::POST => "create",
        Method::GET | Method::HEAD if !collection => "get",
        Method::GET | Method::HEAD if query.flag("watch") => "watch",
        Method::GET | Method::HEAD => "list",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if collection => "deletecollection",
        Method::DELETE => "delete",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: [&str; 7]) {
        let Target::Resource(p) = parse(path) else {
            panic!("{path} is no resource")
        };
        let got = [
            p.group.as_str(),
            &p.version,
            &p.namespace,
            &p.resource,
            &p.name,
            &p.subresource,
            &p.rest,
        ];
        assert_eq!(got, expect, "{path}");
    }

    #[test]
    fn resources_are_read_from_paths() {
        check("/api/v1/pods", ["", "v1", "", "pods", "", "", ""]);
        check("/api/v1/namespaces", ["", "v1", "", "namespaces", "", "", ""]);
        check("/api/v1/namespaces/x", ["", "v1", "x", "namespaces", "x", "", ""]);
        check(
            "/api/v1/namespaces/x/finalize",
            ["", "v1", "x", "namespaces", "x", "finalize", ""],
        );
        check(
            "/api/v1/namespaces/x/pods/y/log",
            ["", "v1", "x", "pods", "y", "log", ""],
        );
        check(
            "/apis/apps/v1/namespaces/x/deployments/",
            ["apps", "v1", "x", "deployments", "", "", ""],
        );
        check(
            "/api/v1/namespaces/x/services/https:y:443/proxy/a/b/",
            ["", "v1", "x", "services", "https:y:443", "proxy", "/a/b/"],
        );
        check("/api/v1/nodes/a%3Ab", ["", "v1", "", "nodes", "a:b", "", ""]);
        check(
            "/api/v1/watch/namespaces/x/pods",
            ["", "v1", "x", "pods", "", "", ""],
        );
    }

    #[test]
    fn everything_else_is_a_path() {
        for path in [
            "/",
            "/api",
            "/apis/",
            "/apis/apps",
            "/apis/apps/v1",
            "/api/v1/",
            "/healthz/ping",
        ] {
            assert_eq!(parse(path), Target::Path(path.to_owned()));
        }
    }

    #[test]
    fn verbs_follow_method_name_and_watch() {
        let watch = Query::parse(Some("watch=1"));
        let none = Query::default();
        let Target::Resource(one) = parse("/api/v1/nodes/n") else {
            panic!()
        };
        let Target::Resource(all) = parse("/api/v1/nodes") else {
            panic!()
        };
        assert_eq!(verb(&Method::GET, &one, &none), "get");
        assert_eq!(verb(&Method::GET, &all, &none), "list");
        assert_eq!(verb(&Method::GET, &all, &watch), "watch");
        assert_eq!(verb(&Method::DELETE, &all, &none), "deletecollection");
        assert_eq!(verb(&Method::POST, &all, &none), "create");
    }
}

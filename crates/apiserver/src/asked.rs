//! A request, read as far as its path says: what authorisation, fairness, audit and metrics are told of it.

use std::sync::Arc;

use http::{Method, Uri, header};
use smol_str::SmolStr;
use warren_access::Attributes;
use warren_telemetry::metrics::RequestLabels;

use crate::aggregation::{self, RemoteVersion};
use crate::cluster::ClusterApi;
use crate::path::{self, ResourcePath, Target};
use crate::query::Query;
use crate::selection;

/// See the module.
pub(crate) struct Asked {
    pub(crate) target: Target,
    /// As authorisation names it.
    pub(crate) verb: &'static str,
    pub(crate) query: Query,
    /// The only name that a field selector lets through, for collections.
    selected: Option<String>,
}

impl Asked {
    pub(crate) fn read(method: &Method, uri: &Uri, prefix: usize) -> Self {
        let path = uri
            .path()
            .get(prefix..)
            .filter(|path| !path.is_empty())
            .unwrap_or("/");
        let query = Query::parse(uri.query());
        let target = path::parse(path);
        let verb = match &target {
            Target::Resource(path) => path::verb(method, path, &query),
            Target::Path(_) => lower(method),
        };
        let selected = match &target {
            Target::Resource(path)
                if path.name.is_empty() && matches!(verb, "list" | "watch" | "deletecollection") =>
            {
                selection::exact_name(&query)
            }
            _ => None,
        };
        Self {
            target,
            verb,
            query,
            selected,
        }
    }

    /// What authorisation is asked.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        match &self.target {
            Target::Path(path) => Attributes::path(self.verb, path),
            Target::Resource(path) => Attributes {
                verb: self.verb,
                group: &path.group,
                version: &path.version,
                resource: &path.resource,
                subresource: &path.subresource,
                namespace: &path.namespace,
                name: self.selected.as_deref().unwrap_or(&path.name),
                path: "",
                fields: match self.verb {
                    "list" | "watch" | "deletecollection" => self.query.text("fieldSelector"),
                    _ => "",
                },
            },
        }
    }

    /// The other server that answers it, if one does.
    pub(crate) fn remote(&self, cluster: &ClusterApi) -> Option<Arc<RemoteVersion>> {
        let (group, version) = match &self.target {
            Target::Resource(path) => (path.group.as_str(), path.version.as_str()),
            Target::Path(path) => aggregation::group_version(path)?,
        };
        cluster.aggregation().find(group, version)
    }

    pub(crate) fn is_watch(&self) -> bool {
        self.verb == "watch"
    }

    /// A watch or a stream: no time-out, and no seat while it goes on.
    pub(crate) fn is_long_running(&self) -> bool {
        match &self.target {
            Target::Resource(path) => {
                self.is_watch()
                    || matches!(
                        path.subresource.as_str(),
                        "log" | "exec" | "attach" | "portforward" | "proxy"
                    )
            }
            Target::Path(path) => path.starts_with("/debug/pprof/"),
        }
    }

    /// How many objects it reads, for the seats that it takes.
    pub(crate) fn objects(&self, cluster: &ClusterApi) -> usize {
        let Target::Resource(path) = &self.target else {
            return 0;
        };
        if self.selected.is_some() || !path.name.is_empty() || !matches!(self.verb, "list" | "watch") {
            return 0;
        }
        let from_now = self.is_watch() && !matches!(self.query.text("resourceVersion"), "" | "0");
        if from_now {
            return 0;
        }
        let catalogue = cluster.registry.catalogue();
        let served = catalogue.served(&path.group, &path.version, &path.resource);
        let count = served.map_or(0, |(definition, _)| {
            cluster.registry.store().snapshot().count(&definition.storage)
        });
        match self.query.text("limit").parse::<usize>() {
            Ok(limit) if limit > 0 => count.min(limit),
            _ => count,
        }
    }

    /// What metrics are told.
    pub(crate) fn labels(&self, cluster: &ClusterApi, head: &http::request::Parts) -> RequestLabels {
        let dry_run = if self.query.text("dryRun").is_empty() {
            ""
        } else {
            "All"
        };
        let Target::Resource(path) = &self.target else {
            return RequestLabels {
                verb: upper(self.verb),
                dry_run,
                ..RequestLabels::default()
            };
        };
        let verb = self.upper_verb(path, head);
        match known(cluster, path) {
            Known::Nobody => RequestLabels {
                verb,
                dry_run,
                ..RequestLabels::default()
            },
            Known::Custom => RequestLabels {
                verb,
                dry_run,
                resource: SmolStr::new_static("customresources"),
                ..RequestLabels::default()
            },
            Known::BuiltIn => RequestLabels {
                verb,
                dry_run,
                group: path.group.clone(),
                version: path.version.clone(),
                resource: path.resource.clone(),
                subresource: path.subresource.clone(),
                scope: match (
                    path.name.is_empty() && self.verb != "create",
                    path.namespace.is_empty(),
                ) {
                    (false, _) => "resource",
                    (true, false) => "namespace",
                    (true, true) => "cluster",
                },
            },
        }
    }

    fn upper_verb(&self, path: &ResourcePath, head: &http::request::Parts) -> &'static str {
        if matches!(
            path.subresource.as_str(),
            "exec" | "attach" | "portforward" | "proxy" | "log"
        ) {
            return "CONNECT";
        }
        let content_type = head.headers.get(header::CONTENT_TYPE);
        let is_apply = self.verb == "patch"
            && content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/apply-patch"));
        if is_apply { "APPLY" } else { upper(self.verb) }
    }
}

enum Known {
    Nobody,
    BuiltIn,
    Custom,
}

/// Only what is built in gets series of its own: tenants make as many other resources as they like.
fn known(cluster: &ClusterApi, path: &ResourcePath) -> Known {
    let catalogue = cluster.registry.catalogue();
    let served = catalogue
        .served(&path.group, &path.version, &path.resource)
        .filter(|(definition, _)| {
            path.subresource.is_empty() || definition.subresource(&path.subresource).is_some()
        });
    let Some((definition, _)) = served else {
        return Known::Nobody;
    };
    let is_custom = catalogue
        .custom()
        .any(|custom| std::sync::Arc::ptr_eq(custom, definition));
    if is_custom { Known::Custom } else { Known::BuiltIn }
}

fn lower(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::OPTIONS => "options",
        _ => "",
    }
}

/// The verb as metrics name it.
fn upper(verb: &'static str) -> &'static str {
    match verb {
        "get" | "head" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" | "post" => "POST",
        "update" | "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        _ => "OTHER",
    }
}

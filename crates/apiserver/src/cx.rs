//! `Cx`: what every verb is told about the request that it answers.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, Method, Uri, header};
use jiff::Timestamp;
use warren_apimachinery::{GroupResource, ObjectKey, Status, UserInfo};
use warren_registry::definition::Definition;
use warren_registry::{Registry, Warnings};

use crate::accept::{self, Accepted};
use crate::body::Body;
use crate::cluster::ClusterApi;
use crate::path::ResourcePath;
use crate::query::Query;
use crate::route::Stop;
use crate::server::ApiServer;

/// What a request carries beyond its head: read by writes, handed over whole by connects.
pub(crate) struct Payload {
    /// Where the connection's upgrade is.
    pub(crate) extensions: Extensions,
    pub(crate) body: Body,
}

/// The context of one request.
pub(crate) struct Cx<'a> {
    pub(crate) server: &'a ApiServer,
    pub(crate) cluster: &'a ClusterApi,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
    pub(crate) user: &'a UserInfo,
    pub(crate) warnings: &'a Warnings,
    pub(crate) now: Timestamp,
    /// When the listener stops; `None` for requests that came another way.
    pub(crate) stop: Option<Stop>,
}

impl<'a> Cx<'a> {
    pub(crate) fn registry(&self) -> &'a Registry {
        &self.cluster.registry
    }

    /// A header as text; `None` when absent or not text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn accept(&self) -> Option<&'a str> {
        self.header(header::ACCEPT)
    }

    /// What output was agreed on for an object or a list.
    ///
    /// # Errors
    /// 406
    pub(crate) fn accepted(&self) -> Result<Accepted, Status> {
        accept::object(self.accept(), self.wants_pretty())
    }

    /// As upstream: asked for, or a person's tool.
    pub(crate) fn wants_pretty(&self) -> bool {
        match self.query.value("pretty") {
            Some(value) if !value.is_empty() => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
            _ => self.header(header::USER_AGENT).is_some_and(|agent| {
                ["curl", "Wget", "Mozilla/5.0"]
                    .iter()
                    .any(|tool| agent.starts_with(tool))
            }),
        }
    }
}

/// The resource that a request is for, found in the catalogue.
pub(crate) struct Served<'a> {
    pub(crate) definition: &'a Arc<Definition>,
    pub(crate) path: &'a ResourcePath,
    /// Whether it is defined by a custom resource definition.
    pub(crate) custom: bool,
}

impl Served<'_> {
    /// The version that the client speaks.
    pub(crate) fn version(&self) -> &str {
        &self.path.version
    }

    pub(crate) fn group_resource(&self) -> GroupResource {
        self.definition.group_resource()
    }

    /// The key of the object in the path.
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey {
            namespace: self.namespace().into(),
            name: self.path.name.clone(),
        }
    }

    /// The namespace in the path; empty for cluster-scoped kinds and for all namespaces.
    pub(crate) fn namespace(&self) -> &str {
        if self.definition.is_namespaced() {
            &self.path.namespace
        } else {
            ""
        }
    }
}

//! `Cx`: what every verb is told about the request that it answers.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderName, Method, Uri, header};
use jiff::Timestamp;
use warren_apimachinery::{GroupResource, ObjectKey, Status, UserInfo};
use warren_registry::definition::Definition;
use warren_registry::{Registry, Warnings};
use warren_telemetry::metrics::RequestLabels;

use crate::accept::{self, Accepted, Encoding, Offer};
use crate::body::Body;
use crate::cluster::ClusterApi;
use crate::path::{ResourcePath, Target};
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
    pub(crate) target: &'a Target,
    pub(crate) verb: &'static str,
    pub(crate) query: &'a Query,
    pub(crate) user: &'a UserInfo,
    pub(crate) warnings: &'a Warnings,
    /// What metrics are told.
    pub(crate) labels: &'a RequestLabels,
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
        match accept::plain(self.accept(), self.wants_pretty()) {
            Some(accepted) => Ok(accepted),
            None => accept::object(self.accept(), self.wants_pretty(), self.offer()),
        }
    }

    /// How a failure is written.
    pub(crate) fn failure_encoding(&self) -> Encoding {
        failure_encoding(self.headers, self.query)
    }

    /// What the request can be answered with.
    pub(crate) fn offer(&self) -> Offer {
        let Target::Resource(path) = self.target else {
            return Offer::Plain;
        };
        let catalogue = self.registry().catalogue();
        let Some((definition, version)) = catalogue.served(&path.group, &path.version, &path.resource) else {
            return Offer::Plain;
        };
        let is_builtin = definition
            .versions
            .get(version)
            .is_some_and(|version| version.schema.is_builtin());
        match (is_builtin, self.verb) {
            (false, _) => Offer::Custom,
            (true, "list" | "watch") => Offer::BuiltinList,
            (true, _) if definition.is_review() => Offer::Posted,
            (true, _) => Offer::Builtin,
        }
    }

    pub(crate) fn wants_pretty(&self) -> bool {
        wants_pretty(self.headers, self.query)
    }
}

/// How a failure is written; indented JSON when nothing is served that the client accepts.
pub(crate) fn failure_encoding(headers: &HeaderMap, query: &Query) -> Encoding {
    let header = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept::object(header, wants_pretty(headers, query), Offer::Plain)
        .map_or(Encoding::Pretty, |accepted| accepted.encoding)
}

/// As upstream: asked for, or a person's tool.
fn wants_pretty(headers: &HeaderMap, query: &Query) -> bool {
    match query.value("pretty") {
        Some(value) if !value.is_empty() => matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"),
        _ => headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|agent| {
                ["curl", "Wget", "Mozilla/5.0"]
                    .iter()
                    .any(|tool| agent.starts_with(tool))
            }),
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

//! API aggregation: the groups and versions of a cluster that other servers answer, as its `APIService` objects name
//! them.
//!
//! Owns what is known of them, the way of a request to them, and what discovery tells of them. Who finds out whether a
//! server answers is the fleet's; how it is reached is behind `Backends`.

mod discovered;
mod forward;
mod published;

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use serde_json::Value;
use smol_str::SmolStr;
use warren_access::Destination;
use warren_apimachinery::ClusterId;

use crate::body::Body;

pub use discovered::resources;
pub(crate) use forward::forward;
pub use published::Published;
pub(crate) use published::merged;

/// A group and version that another server answers.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteVersion {
    /// The API group.
    pub group: SmolStr,
    /// The version.
    pub version: SmolStr,
    /// `groupPriorityMinimum`: groups are listed by the highest of their versions'.
    pub group_priority: i64,
    /// `versionPriority`.
    pub version_priority: i64,
    /// The server.
    pub destination: Destination,
    /// Whether the server was found to answer.
    pub available: bool,
    /// How often in a row it did not answer.
    pub failures: u32,
    /// What it serves, or served last, in the form of aggregated discovery ([`resources`] makes it); `None` while nobody
    /// knows.
    pub resources: Option<Value>,
    /// What it publishes, or published last, as OpenAPI; `None` while nobody knows.
    pub published: Option<Arc<Published>>,
}

/// An answer of another server.
pub struct Forwarded {
    /// As it came.
    pub response: Response<Body>,
    /// The raw stream, where the answer switches protocols.
    pub upgrade: Option<OnUpgrade>,
}

/// Sends requests on to servers that a tenant names.
#[async_trait]
pub trait Backends: Send + Sync + 'static {
    /// Sends a request on, as the cluster's front proxy. Its path and query are sent as they are.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn forward(
        &self,
        cluster: &ClusterId,
        to: &Destination,
        request: Request<Body>,
    ) -> Result<Forwarded, String>;
}

/// What a cluster knows of the servers beside its own. Mostly nothing: then a look at it is one load.
#[derive(Default)]
pub struct Aggregation {
    versions: ArcSwap<Vec<Arc<RemoteVersion>>>,
}

impl Aggregation {
    /// Says what is known of a group and version; `None` when another server answers it no longer.
    pub fn set(&self, group: &str, version: &str, known: Option<RemoteVersion>) {
        self.versions.rcu(|now| {
            let others = now
                .iter()
                .filter(|other| other.group != group || other.version != version);
            let mut all: Vec<_> = others.cloned().collect();
            all.extend(known.clone().map(Arc::new));
            // As upstream: the highest priority first, then by name.
            all.sort_by(|a, b| {
                let key = |v: &RemoteVersion| std::cmp::Reverse((v.group_priority, v.version_priority));
                key(a)
                    .cmp(&key(b))
                    .then_with(|| (&a.group, &a.version).cmp(&(&b.group, &b.version)))
            });
            all
        });
    }

    /// What is known of a group and version.
    pub fn find(&self, group: &str, version: &str) -> Option<Arc<RemoteVersion>> {
        let versions = self.versions.load();
        let mut all = versions.iter();
        all.find(|known| known.group == group && known.version == version)
            .map(Arc::clone)
    }

    /// All that is known, by priority.
    pub fn all(&self) -> Arc<Vec<Arc<RemoteVersion>>> {
        self.versions.load_full()
    }
}

/// The group and version in a path below `/apis`, or of its OpenAPI document.
pub(crate) fn group_version(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/openapi/v3").unwrap_or(path);
    let mut parts = path.strip_prefix("/apis/")?.split('/');
    let (group, version) = (parts.next()?, parts.next()?);
    (!group.is_empty() && !version.is_empty()).then_some((group, version))
}

#[cfg(test)]
mod tests {
    use warren_access::{Place, Trust};

    use super::*;

    fn known(group: &str, version: &str, priority: i64) -> RemoteVersion {
        RemoteVersion {
            group: group.into(),
            version: version.into(),
            group_priority: priority,
            version_priority: 10,
            destination: Destination {
                place: Place::Url(String::new()),
                trust: Trust::Anyone,
            },
            available: true,
            failures: 0,
            resources: None,
            published: None,
        }
    }

    #[test]
    fn versions_are_listed_by_priority_and_forgotten() {
        let aggregation = Aggregation::default();
        for (group, priority) in [("b.io", 100), ("a.io", 100), ("c.io", 2000)] {
            aggregation.set(group, "v1", Some(known(group, "v1", priority)));
        }
        let names = |aggregation: &Aggregation| -> Vec<SmolStr> {
            aggregation
                .all()
                .iter()
                .map(|version| version.group.clone())
                .collect()
        };
        assert_eq!(names(&aggregation), ["c.io", "a.io", "b.io"]);
        aggregation.set("c.io", "v1", None);
        assert_eq!(names(&aggregation), ["a.io", "b.io"]);
        assert!(aggregation.find("a.io", "v1").is_some() && aggregation.find("a.io", "v2").is_none());
    }

    #[test]
    fn a_path_names_its_group_and_version() {
        let table = [
            (
                "/apis/metrics.k8s.io/v1beta1/nodes",
                Some(("metrics.k8s.io", "v1beta1")),
            ),
            (
                "/apis/metrics.k8s.io/v1beta1",
                Some(("metrics.k8s.io", "v1beta1")),
            ),
            (
                "/openapi/v3/apis/metrics.k8s.io/v1beta1",
                Some(("metrics.k8s.io", "v1beta1")),
            ),
            ("/apis/metrics.k8s.io", None),
            ("/apis//v1", None),
            ("/api/v1", None),
        ];
        for (path, expected) in table {
            assert_eq!(group_version(path), expected, "{path}");
        }
    }
}

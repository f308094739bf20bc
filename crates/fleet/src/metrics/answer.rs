//! Requests for `metrics.k8s.io` in a virtual cluster.

use http::{Method, Response, StatusCode, Uri};
use serde_json::{Value, json};
use warren_apimachinery::{
    ClusterId, FieldSelector, GroupResource, LabelSelector, Meta, Resource, SelectorError, Status,
    StatusReason, resource,
};
use warren_apiserver::{Body, Query};

use super::{Asker, BASE, GROUP, HostMetrics, VERSION, view};

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Resources,
    Nodes,
    Node(&'a str),
    /// Of one namespace, or of all.
    Pods(Option<&'a str>),
    Pod(&'a str, &'a str),
}

impl<'a> Asked<'a> {
    fn read(path: &'a str) -> Option<Self> {
        let rest = path.get(path.find(BASE)?..)?.strip_prefix(BASE)?;
        let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        Some(match segments.as_slice() {
            [] => Self::Resources,
            ["nodes"] => Self::Nodes,
            ["nodes", name] => Self::Node(name),
            ["pods"] => Self::Pods(None),
            ["namespaces", namespace, "pods"] => Self::Pods(Some(namespace)),
            ["namespaces", namespace, "pods", name] => Self::Pod(namespace, name),
            _ => return None,
        })
    }
}

impl HostMetrics {
    /// # Errors
    /// What the client reads.
    pub(super) async fn answer(
        &self,
        cluster: &ClusterId,
        method: &Method,
        uri: &Uri,
    ) -> Result<Response<Body>, Status> {
        let asked = Asked::read(uri.path()).ok_or_else(Status::path_not_found)?;
        if *method != Method::GET {
            return Err(Status::method_not_allowed());
        }
        let query = Query::parse(uri.query());
        let gone = || {
            Status::new(
                StatusReason::ServiceUnavailable,
                "this virtual cluster shows no metrics",
            )
        };
        let asker = self.asker(cluster).ok_or_else(gone)?;
        let shown = asker.binding.spec.integrations.metrics_server;
        let value = match asked {
            Asked::Resources => {
                let resources = self.host.resources(&self.fleet).await.ok_or_else(gone)?;
                view::resources(&resources, shown)
            }
            Asked::Nodes if shown.nodes => {
                list("NodeMetricsList", self.nodes(&asker, &Wanted::of(&query)?).await?)
            }
            Asked::Node(name) if shown.nodes => {
                let found = self.nodes(&asker, &Wanted::named(name)).await?.pop();
                found.ok_or_else(|| missing(&resource::NODES, name))?
            }
            Asked::Pods(namespace) if shown.pods => list(
                "PodMetricsList",
                self.pods(&asker, namespace, &Wanted::of(&query)?).await?,
            ),
            Asked::Pod(namespace, name) if shown.pods => {
                let found = self
                    .pods(&asker, Some(namespace), &Wanted::named(name))
                    .await?
                    .pop();
                found.ok_or_else(|| missing(&resource::PODS, &format!("{namespace}/{name}")))?
            }
            _ => return Err(Status::path_not_found()),
        };
        Ok(super::json(&value))
    }

    async fn nodes(&self, asker: &Asker, wanted: &Wanted) -> Result<Vec<Value>, Status> {
        let nodes = asker.cluster.list(&resource::NODES, None);
        let measured = self.host.list(&self.fleet, &format!("{BASE}/nodes")).await?;
        Ok(nodes
            .iter()
            .filter(|node| wanted.includes(node.meta()))
            .filter_map(|node| Some(view::node(node, measured.get(node.meta().name.as_str())?)))
            .collect())
    }

    async fn pods(
        &self,
        asker: &Asker,
        namespace: Option<&str>,
        wanted: &Wanted,
    ) -> Result<Vec<Value>, Status> {
        let mut pods = asker.cluster.list(&resource::PODS, namespace);
        pods.retain(|pod| wanted.includes(pod.meta()));
        let measured = self.of_pods(asker, pods).await?;
        Ok(measured
            .iter()
            .map(|(pod, metrics)| view::pod(pod, metrics))
            .collect())
    }
}

/// The selectors of a list.
struct Wanted {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Wanted {
    fn of(query: &Query) -> Result<Self, Status> {
        let wrong = |error: SelectorError| Status::bad_request(error.to_string());
        let fields = FieldSelector::parse(query.text("fieldSelector")).map_err(wrong)?;
        let known = |field: &str| {
            ["metadata.name", "metadata.namespace"]
                .into_iter()
                .find(|known| *known == field)
        };
        let unknown = |field| Status::bad_request(format!("field label not supported: {field}"));
        Ok(Self {
            labels: LabelSelector::parse(query.text("labelSelector")).map_err(wrong)?,
            fields: fields.renamed(known).map_err(unknown)?,
        })
    }

    fn named(name: &str) -> Self {
        Self {
            labels: LabelSelector::everything(),
            fields: FieldSelector::equals("metadata.name", name),
        }
    }

    fn includes(&self, meta: &Meta) -> bool {
        self.labels.matches(meta) && self.fields.matches(meta)
    }
}

fn list(kind: &str, items: Vec<Value>) -> Value {
    json!({"kind": kind, "apiVersion": format!("{GROUP}/{VERSION}"), "metadata": {}, "items": items})
}

fn missing(resource: &Resource, name: &str) -> Status {
    let resource = GroupResource {
        group: GROUP.into(),
        resource: resource.plural.into(),
    };
    Status::not_found(&resource, name)
}

/// A failure as this group answers it: always JSON.
pub(super) fn failure(status: &Status) -> Response<Body> {
    let mut response = super::json(&serde_json::to_value(status).unwrap_or_default());
    *response.status_mut() = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_a_metrics_server() {
        let check = |path: &str, expect| assert_eq!(Asked::read(path), expect, "{path}");
        check("/apis/metrics.k8s.io/v1beta1", Some(Asked::Resources));
        check("/apis/metrics.k8s.io/v1beta1/nodes/n", Some(Asked::Node("n")));
        check("/apis/metrics.k8s.io/v1beta1/pods", Some(Asked::Pods(None)));
        check(
            "/apis/metrics.k8s.io/v1beta1/namespaces/a/pods",
            Some(Asked::Pods(Some("a"))),
        );
        check(
            "/clusters/x/apis/metrics.k8s.io/v1beta1/namespaces/a/pods/b",
            Some(Asked::Pod("a", "b")),
        );
        check("/apis/metrics.k8s.io/v1beta1/namespaces/a", None);
        check("/openapi/v3", None);
    }

    #[test]
    fn lists_are_selected_by_labels_and_names() {
        let pod = warren_apimachinery::Object::from_value(
            &json!({"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}}}),
        );
        let includes = |query: &str| {
            Wanted::of(&Query::parse(Some(query)))
                .unwrap()
                .includes(pod.meta())
        };
        assert!(includes("") && includes("labelSelector=app%3Dweb&fieldSelector=metadata.name%3Dweb"));
        assert!(!includes("labelSelector=app!%3Dweb") && !includes("fieldSelector=metadata.name=other"));
        let wrong = Wanted::of(&Query::parse(Some("fieldSelector=spec.nodeName=n")))
            .err()
            .unwrap();
        assert_eq!(wrong.message(), "field label not supported: spec.nodeName");
    }
}

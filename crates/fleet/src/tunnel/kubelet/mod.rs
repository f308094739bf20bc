//! `nodes/NAME/proxy`: what a kubelet says, as far as it is about the tenant's pods.
//!
//! Pods are listed as the virtual cluster has them, streams go the way of the pod's own subresources, and metrics are the
//! host kubelet's, filtered. Every other path is refused by name.

mod exposition;
mod pods;
mod summary;

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Status, resource};
use warren_apiserver::{Body, Connect};
use warren_reconciler::{Cluster, Clusters};

use super::answer::{held, reworded, unserved};
use super::request::{accept_json, escaped, headers_back};
use super::{Way, unavailable};
use exposition::{Filtered, Lines};
use pods::HostPods;

/// A summary of a node's pods, at most.
const SUMMARY: usize = 32 * 1024 * 1024;

/// What of a kubelet a path means.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    Pods,
    Summary,
    /// Metrics in text, by the host's path.
    Metrics(&'a str),
    /// A stream of a pod: subresource, key, container.
    Stream(&'static str, ObjectKey, &'a str),
}

impl<'a> Asked<'a> {
    /// `None` for what is not shown.
    fn read(path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let key = |namespace: &str, name: &str| ObjectKey::namespaced(namespace, name);
        Some(match segments.as_slice() {
            ["pods" | "runningpods"] => Self::Pods,
            ["stats", "summary"] => Self::Summary,
            ["metrics", "resource" | "cadvisor" | "probes"] => Self::Metrics(path),
            ["containerLogs", namespace, name, container] => {
                Self::Stream("log", key(namespace, name), container)
            }
            ["exec", namespace, name, container] | ["exec", namespace, name, _, container] => {
                Self::Stream("exec", key(namespace, name), container)
            }
            ["attach", namespace, name, container] | ["attach", namespace, name, _, container] => {
                Self::Stream("attach", key(namespace, name), container)
            }
            ["portForward", namespace, name] | ["portForward", namespace, name, _] => {
                Self::Stream("portforward", key(namespace, name), "")
            }
            _ => return None,
        })
    }
}

/// Answers for the node.
pub(super) async fn answer(way: Way, connect: Connect) -> Result<Response<Body>, Status> {
    let refused = |why: &str| Status::forbidden(&connect.resource, &connect.key.name, why);
    let port = connect
        .object
        .to_value()
        .int("/status/daemonEndpoints/kubeletEndpoint/Port");
    let asked_port = connect.target.port.as_str();
    if !asked_port.is_empty()
        && port.map(|port| port.to_string()).as_deref() != Some(asked_port)
        && asked_port != "10250"
    {
        return Err(refused("of a node only its kubelet can be reached"));
    }
    let path = connect.target.path.clone();
    match Asked::read(&path) {
        Some(Asked::Pods) if *connect.request.method() == Method::GET => pods_of(&way, &connect),
        Some(Asked::Summary) => summary_of(way, connect).await,
        Some(Asked::Metrics(path)) => metrics(way, connect, path).await,
        Some(Asked::Stream(subresource, key, container)) => {
            let connect = of_pod(&way, connect, subresource, key, container)?;
            way.object(&resource::PODS, connect).await
        }
        _ => Err(refused(&format!(
            "the kubelet's path {path:?} is not shown in a virtual cluster"
        ))),
    }
}

fn virtual_cluster(way: &Way, connect: &Connect) -> Result<Arc<dyn Cluster>, Status> {
    let found = way.fleet.cluster(&connect.cluster, "warren-streams");
    found.ok_or_else(|| unavailable("the virtual cluster is going"))
}

/// The tenant's pods on the node, as the kubelet lists them.
fn pods_of(way: &Way, connect: &Connect) -> Result<Response<Body>, Status> {
    let cluster = virtual_cluster(way, connect)?;
    let pods = cluster.list(&resource::PODS, None).into_iter();
    let here = pods.filter(|pod| is_on(pod, &connect.key.name));
    let items: Vec<Value> = here.map(|pod| pod.to_value()).collect();
    Ok(json_answer(
        &json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}),
    ))
}

fn is_on(pod: &Object, node: &str) -> bool {
    pod.meta().field("spec.nodeName") == Some(node)
}

fn json_answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The kubelet's request for a stream as one for the pod's subresource.
fn of_pod(
    way: &Way,
    mut connect: Connect,
    subresource: &'static str,
    key: ObjectKey,
    container: &str,
) -> Result<Connect, Status> {
    let pod = virtual_cluster(way, &connect)?
        .get(&resource::PODS, &key)
        .filter(|pod| is_on(pod, &connect.key.name))
        .ok_or_else(|| Status::not_found(&resource::PODS.group_resource(), &key.name))?;
    let value = pod.to_value();
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let mut containers = lists
        .iter()
        .flat_map(|list| value.at("/spec").field(list).items(""));
    if !container.is_empty() && !containers.any(|known| known.text("/name") == container) {
        let why = format!("container {container:?} not found in pod {:?}", key.name);
        return Err(Status::bad_request(why));
    }
    let query = connect.request.uri().query().unwrap_or_default();
    let query = api_query(query, subresource);
    *connect.request.uri_mut() = format!("/?{query}")
        .parse()
        .map_err(|_| Status::bad_request("the query cannot be passed on"))?;
    container.clone_into(&mut connect.container);
    connect.resource = resource::PODS.group_resource();
    connect.subresource = subresource;
    connect.key = key;
    connect.object = pod;
    Ok(connect)
}

/// The kubelet's names of options as the API's.
fn api_query(query: &str, subresource: &str) -> String {
    if subresource == "log" {
        return query.to_owned();
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let renamed = pairs.map(|pair| match pair.split_once('=') {
        Some(("input", "1")) => "stdin=true",
        Some(("output", "1")) => "stdout=true",
        Some(("error", "1")) => "stderr=true",
        Some(("tty", "1")) => "tty=true",
        _ => pair,
    });
    renamed.collect::<Vec<_>>().join("&")
}

async fn summary_of(way: Way, connect: Connect) -> Result<Response<Body>, Status> {
    let answer = fetch(&way, connect, "/stats/summary").await?;
    let body = Limited::new(answer.into_body(), SUMMARY).collect().await;
    let bytes = body
        .map_err(|_| unavailable("the node's summary broke off"))?
        .to_bytes();
    let summary: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut pods = HostPods::new(&way);
    Ok(json_answer(&summary::filtered(summary, |namespace, name| {
        pods.find(namespace, name).cloned()
    })))
}

async fn metrics(way: Way, connect: Connect, path: &str) -> Result<Response<Body>, Status> {
    let answer = fetch(&way, connect, path).await?;
    let pods = HostPods::new(&way);
    let (head, body) = answer.into_parts();
    let mut response = Response::new(held(Filtered::new(body, Lines::new(pods)), way.place));
    *response.headers_mut() = headers_back(&head.headers, false);
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    Ok(response)
}

/// A page of the host's kubelet.
async fn fetch(way: &Way, connect: Connect, path: &str) -> Result<Response<Incoming>, Status> {
    let node = &connect.key.name;
    let remote = way.remote().ok_or_else(|| {
        unavailable(format!(
            "warren: node {node} is simulated: its kubelet measures nothing"
        ))
    })?;
    if !way.binding.spec.sync.from_host.nodes.enabled {
        let why = "metrics of nodes are shown where sync.fromHost.nodes is enabled";
        return Err(Status::forbidden(&connect.resource, node, why));
    }
    if *connect.request.method() != Method::GET {
        return Err(Status::method_not_allowed());
    }
    if way
        .host
        .get(&resource::NODES, &ObjectKey::cluster(node.clone()))
        .is_none()
    {
        return Err(Status::not_found(&connect.resource, node));
    }
    let query = connect.request.uri().query().map(|query| format!("?{query}"));
    let path = format!(
        "/api/v1/nodes/{}/proxy{path}{}",
        escaped(node),
        query.unwrap_or_default()
    );
    let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *request.uri_mut() = path
        .parse()
        .map_err(|_| Status::bad_request("the path cannot be passed on"))?;
    accept_json(request.headers_mut());
    let answer = remote.raw(request).await?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = warren_remote::refusal(answer).await;
    if status.code() == 404 {
        return Err(unserved("this page of its kubelets"));
    }
    Err(reworded(&connect, "nodes/proxy", &status, str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_pods_is_shown() {
        let key = ObjectKey::namespaced("shop", "web");
        let check = |path, expect| assert_eq!(Asked::read(path), expect, "{path}");
        check("/pods", Some(Asked::Pods));
        check("/runningpods/", Some(Asked::Pods));
        check("/stats/summary", Some(Asked::Summary));
        check("/metrics/cadvisor", Some(Asked::Metrics("/metrics/cadvisor")));
        check(
            "/containerLogs/shop/web/app",
            Some(Asked::Stream("log", key.clone(), "app")),
        );
        check(
            "/exec/shop/web/uid/app",
            Some(Asked::Stream("exec", key.clone(), "app")),
        );
        check(
            "/portForward/shop/web",
            Some(Asked::Stream("portforward", key, "")),
        );
        for path in [
            "",
            "/",
            "/metrics",
            "/configz",
            "/logs/syslog",
            "/run/shop/web/app",
            "/debug/pprof",
            "/checkpoint/shop/web/app",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn options_of_a_kubelet_are_those_of_the_api() {
        assert_eq!(
            api_query("command=ls&command=%2F&input=1&output=1&error=1&tty=0", "exec"),
            "command=ls&command=%2F&stdin=true&stdout=true&stderr=true&tty=0"
        );
        assert_eq!(api_query("tailLines=1", "log"), "tailLines=1");
    }
}

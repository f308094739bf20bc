//! One request, passed on to the host's API, and its answer passed back.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use warren_apimachinery::{ObjectKey, Resource, Status, StatusReason};
use warren_apiserver::{Body, Connect, ProxyTarget, RawStream, relay};
use warren_remote::{RemoteCluster, RequestBody};
use warren_syncer::Counterpart;

use super::answer;
use super::proxied::{self, Prefixes};
use super::request::{accept_json, escaped, headers, headers_back, leads_upwards, query_of};

/// How long the host may take to answer for a pod. What is behind a proxy may take its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked of the host, and in whose words it answers.
pub(super) struct Call {
    pub(super) kind: Kind,
    /// With its query, escaped.
    pub(super) path: String,
    pub(super) counterpart: Counterpart,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `exec`, `attach`, `portforward`: only as an upgrade.
    Stream,
    /// Text, perhaps without end.
    Log,
    /// Whatever is behind: every method, upgrades, links to itself.
    Proxy(Prefixes),
}

impl Call {
    /// For a pod or a service.
    ///
    /// # Errors
    /// When the path behind a proxy leads upwards.
    pub(super) fn of(
        resource: &Resource,
        connect: &Connect,
        counterpart: &Counterpart,
    ) -> Result<Self, Status> {
        let query = connect.request.uri().query().unwrap_or_default();
        let key = counterpart.host_key();
        let (kind, name, query, behind) = match connect.subresource {
            "proxy" => {
                let kind = Kind::Proxy(Prefixes::of(resource, connect, &key)?);
                (
                    kind,
                    target(&key.name, &connect.target),
                    query.to_owned(),
                    connect.target.path.as_str(),
                )
            }
            other => {
                let kind = if other == "log" { Kind::Log } else { Kind::Stream };
                let query = query_of(query, &connect.container);
                (kind, key.name.to_string(), query, "")
            }
        };
        if leads_upwards(behind) {
            let why = format!("the path {behind:?} leads upwards, which is not passed on");
            return Err(Status::bad_request(why));
        }
        let subresource = connect.subresource;
        let mut path = format!(
            "{}/{subresource}{behind}",
            object_path(resource, &key, &escaped(&name))
        );
        if !query.is_empty() {
            path.push('?');
            path.push_str(&query);
        }
        Ok(Self {
            kind,
            path,
            counterpart: counterpart.clone(),
        })
    }
}

/// A host object's path, with whatever stands for its name.
pub(super) fn object_path(resource: &Resource, key: &ObjectKey, name: &str) -> String {
    format!("/api/v1/namespaces/{}/{}/{name}", key.namespace, resource.plural)
}

/// `scheme:name:port`, as far as they were said.
pub(super) fn target(name: &str, target: &ProxyTarget) -> String {
    match (target.scheme.as_str(), target.port.as_str()) {
        ("", "") => name.to_owned(),
        ("", port) => format!("{name}:{port}"),
        (scheme, port) => format!("{scheme}:{name}:{port}"),
    }
}

/// Asks the host and answers.
///
/// # Errors
/// The host's refusal in words of the virtual cluster, or that it does not answer.
pub(super) async fn on(
    remote: &RemoteCluster,
    mut connect: Connect,
    call: Call,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, Status> {
    let request = request(&mut connect, &call)?;
    let answer = match call.kind {
        Kind::Proxy(_) => remote.raw(request).await?,
        _ => tokio::time::timeout(PATIENCE, remote.raw(request))
            .await
            .map_err(|_| Status::new(StatusReason::Timeout, "the host cluster does not answer in time"))??,
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(connect, answer, place);
    }
    match &call.kind {
        Kind::Proxy(prefixes) => proxied::answer(answer, prefixes, &call.counterpart, place).await,
        kind if !answer.status().is_success() => {
            let status = warren_remote::refusal(answer).await;
            let what = if *kind == Kind::Log {
                "log"
            } else {
                connect.subresource
            };
            Err(answer::reworded(&connect, what, &status, |text| {
                call.counterpart.reworded(text)
            }))
        }
        Kind::Stream => {
            let code = answer.status().as_u16();
            Err(Status::internal(format!(
                "invalid upgrade response: status code {code}"
            )))
        }
        Kind::Log => Ok(passed_back(answer, place)),
    }
}

fn request(connect: &mut Connect, call: &Call) -> Result<Request<RequestBody>, Status> {
    let is_upgrade = connect.wants_upgrade();
    let is_proxy = matches!(call.kind, Kind::Proxy(_));
    let has_body = is_proxy && !is_upgrade;
    let body = match has_body {
        true => std::mem::take(connect.request.body_mut()).boxed_unsync(),
        false => Empty::new().map_err(|never| match never {}).boxed_unsync(),
    };
    let mut request = Request::new(body);
    *request.method_mut() = match call.kind {
        Kind::Log => Method::GET,
        _ => connect.request.method().clone(),
    };
    *request.uri_mut() = call
        .path
        .parse()
        .map_err(|_| Status::bad_request("the path cannot be passed on"))?;
    *request.headers_mut() = headers(connect.request.headers(), is_upgrade);
    if !is_proxy {
        accept_json(request.headers_mut());
    }
    Ok(request)
}

/// Switches the client's connection as the host switched ours, and makes one stream of the two.
fn switch(
    mut connect: Connect,
    answer: Response<Incoming>,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, Status> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers_back(answer.headers(), true);
    let host = hyper::upgrade::on(answer);
    connect.switch(move |client: RawStream| async move {
        let _place = place;
        match host.await {
            Ok(host) => relay(client, TokioIo::new(host)).await,
            Err(error) => tracing::debug!(%error, "the host did not switch protocols"),
        }
    })?;
    Ok(response)
}

/// The host's answer as it is, which keeps its place until it has ended.
pub(super) fn passed_back(answer: Response<Incoming>, place: OwnedSemaphorePermit) -> Response<Body> {
    let (head, body) = answer.into_parts();
    let mut response = Response::new(answer::held(body, place));
    *response.status_mut() = head.status;
    *response.headers_mut() = headers_back(&head.headers, false);
    response
}

//! Connect requests: `log`, `exec`, `attach`, `portforward`, `proxy`. Validated here, answered by the tunnel.

use std::time::Instant;

use http::{Request, Response};
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status};
use warren_registry::LONGEST_WRITE;
use warren_registry::admission::{AdmissionRequest, Operation};

use crate::body::Body;
use crate::cx::{Cx, Payload, Served};
use crate::options::number;
use crate::query::{Query, decode};
use crate::tunnel::{Connect, ProxyTarget, until};
use crate::write::authorize_create;

/// The static name of a connect subresource; `None` for others.
pub(crate) fn subresource(name: &str) -> Option<&'static str> {
    ["log", "exec", "attach", "portforward", "proxy"]
        .into_iter()
        .find(|known| *known == name)
}

/// # Errors
/// What the client reads.
pub(crate) async fn object(
    cx: &Cx<'_>,
    served: &Served<'_>,
    subresource: &'static str,
    payload: Payload,
) -> Result<Response<Body>, Status> {
    let is_stream = matches!(subresource, "exec" | "attach" | "portforward");
    let (name, target) = if subresource == "proxy" {
        proxy_target(served, cx.uri.path())?
    } else {
        (served.path.name.to_string(), ProxyTarget::default())
    };
    if is_stream && cx.method == http::Method::GET {
        // A WebSocket client opens exec with GET; it must hold the right to create nevertheless.
        authorize_create(cx, served)?;
    }
    if subresource != "log" {
        // As upstream, before anybody looks whether the object is there. Logs are read, not connected to.
        admit(cx, served, subresource).await?;
    }
    let key = ObjectKey::namespaced(served.namespace(), name);
    let object = cx.registry().get(served.definition, &key)?;
    let value = object.to_value();
    let container = match subresource {
        "log" | "exec" | "attach" => container(&value, cx.query.text("container"))?,
        _ => String::new(),
    };
    if subresource == "log" {
        check_log_options(&value, cx.query)?;
    }
    if is_stream && value.text("/spec/nodeName").is_empty() {
        return Err(Status::bad_request(format!(
            "pod {} does not have a host assigned",
            key.name
        )));
    }
    if subresource == "log" && value.text("/spec/nodeName").is_empty() {
        // As upstream: a pod that runs nowhere has said nothing yet.
        return Ok(crate::answer::nothing(http::StatusCode::NO_CONTENT));
    }
    let connect = Connect {
        cluster: cx.cluster.id.clone(),
        resource: served.group_resource(),
        key,
        object,
        subresource,
        container,
        target,
        query: cx.query.clone(),
        user: cx.user.clone(),
        request: whole(cx, payload),
    };
    let answer = cx.cluster.tunnel.connect(connect).await?;
    Ok(answer.map(|body| until(body, cx.stop.clone())))
}

/// The request as it came.
pub(crate) fn whole(cx: &Cx<'_>, payload: Payload) -> Request<Body> {
    let mut request = Request::new(payload.body);
    *request.method_mut() = cx.method.clone();
    *request.uri_mut() = cx.uri.clone();
    *request.headers_mut() = cx.headers.clone();
    *request.extensions_mut() = payload.extensions;
    request
}

async fn admit(cx: &Cx<'_>, served: &Served<'_>, subresource: &str) -> Result<(), Status> {
    let registry = cx.registry();
    let key = ObjectKey::namespaced(served.namespace(), served.path.name.clone());
    let options = connect_options(served, subresource, cx)?;
    let request = AdmissionRequest {
        operation: Operation::Connect,
        user: cx.user,
        definition: served.definition,
        version: served.version(),
        key: &key,
        subresource: Some(subresource),
        old: None,
        dry_run: false,
        field_manager: "",
        options: &Value::Null,
        deadline: Instant::now() + LONGEST_WRITE,
        registry,
        warnings: cx.warnings,
    };
    registry
        .admission()
        .validate(&request, Some(&options))
        .await
        .map(drop)
}

/// What the query and the path ask for, as the object that admission sees.
fn connect_options(served: &Served<'_>, subresource: &str, cx: &Cx<'_>) -> Result<Value, Status> {
    let query = cx.query;
    let kind = match (subresource, served.path.resource.as_str()) {
        ("exec", _) => "PodExecOptions",
        ("attach", _) => "PodAttachOptions",
        ("portforward", _) => "PodPortForwardOptions",
        (_, "services") => "ServiceProxyOptions",
        (_, "nodes") => "NodeProxyOptions",
        _ => "PodProxyOptions",
    };
    let mut options = json!({"kind": kind, "apiVersion": "v1"});
    match subresource {
        "exec" | "attach" => {
            for stream in ["stdin", "stdout", "stderr", "tty"] {
                if query.flag(stream) {
                    options.set(&format!("/{stream}"), true);
                }
            }
            if !query.text("container").is_empty() {
                options.set("/container", query.text("container"));
            }
            if subresource == "exec" {
                let command: Vec<Value> = query.all("command").map(Value::from).collect();
                options.set(
                    "/command",
                    if command.is_empty() {
                        Value::Null
                    } else {
                        command.into()
                    },
                );
            }
        }
        "portforward" => {
            let ports: Vec<Value> = query.all("ports").map(port).collect::<Result<_, _>>()?;
            if !ports.is_empty() {
                options.set("/ports", ports);
            }
        }
        _ if !served.path.rest.is_empty() => options.set("/path", served.path.rest.to_string()),
        _ => {}
    }
    Ok(options)
}

/// # Errors
/// 400 in the words of Go's parser.
fn port(text: &str) -> Result<Value, Status> {
    let refused = |_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    text.parse::<i32>().map(Value::from).map_err(refused)
}

/// The container that is meant, as upstream picks it.
fn container(pod: &Value, asked: &str) -> Result<String, Status> {
    let names = |pointer: &str| -> Vec<String> {
        pod.items(pointer)
            .iter()
            .map(|container| container.text("/name").to_owned())
            .collect()
    };
    let containers = names("/spec/containers");
    let init = names("/spec/initContainers");
    let pod_name = pod.text("/metadata/name");
    if !asked.is_empty() {
        let ephemeral = names("/spec/ephemeralContainers");
        let known = containers.iter().chain(&init).chain(&ephemeral);
        return if known.into_iter().any(|name| name == asked) {
            Ok(asked.to_owned())
        } else {
            Err(Status::bad_request(format!(
                "container {asked} is not valid for pod {pod_name}"
            )))
        };
    }
    let mut message = format!("a container name must be specified for pod {pod_name}");
    match containers.as_slice() {
        [one] => return Ok(one.clone()),
        [] => {}
        many => {
            message.push_str(&format!(", choose one of: [{}]", many.join(" ")));
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
        }
    }
    Err(Status::bad_request(message))
}

fn check_log_options(pod: &Value, query: &Query) -> Result<(), Status> {
    let mut errors = Vec::new();
    let positive = "must be greater than 0";
    if let Some(lines) = number(query, "tailLines")?.filter(|lines| *lines < 0) {
        errors.push(Error::invalid(
            &Path::new("tailLines"),
            lines,
            "must be greater than or equal to 0",
        ));
    }
    if let Some(bytes) = number(query, "limitBytes")?.filter(|bytes| *bytes < 1) {
        errors.push(Error::invalid(&Path::new("limitBytes"), bytes, positive));
    }
    let seconds = number(query, "sinceSeconds")?;
    if seconds.is_some() && !query.text("sinceTime").is_empty() {
        errors.push(Error::forbidden(
            &Path::root(),
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    } else if let Some(seconds) = seconds.filter(|seconds| *seconds < 1) {
        errors.push(Error::invalid(&Path::new("sinceSeconds"), seconds, positive));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(
            "",
            "PodLogOptions",
            pod.text("/metadata/name"),
            &errors,
        ))
    }
}

/// Splits `scheme:name:port`, as services, pods and nodes take it in proxy paths.
fn proxy_target(served: &Served<'_>, path: &str) -> Result<(String, ProxyTarget), Status> {
    let invalid = || {
        Status::bad_request(format!(
            "invalid {} request {:?}",
            served.path.resource, served.path.name
        ))
    };
    let parts: Vec<&str> = served.path.name.split(':').collect();
    let (scheme, name, port) = match parts.as_slice() {
        [name] => ("", *name, ""),
        [name, port] => ("", *name, *port),
        [scheme @ ("" | "http" | "https"), name, port] => (*scheme, *name, *port),
        _ => return Err(invalid()),
    };
    if name.is_empty() {
        return Err(invalid());
    }
    let target = ProxyTarget {
        scheme: scheme.to_owned(),
        port: port.to_owned(),
        path: behind(path, &served.path.rest).to_owned(),
    };
    Ok((name.to_owned(), target))
}

/// What of an escaped path is behind `proxy`: `rest` is that, decoded and without slashes at its end but one.
fn behind<'a>(path: &'a str, rest: &str) -> &'a str {
    let slashes = path.match_indices('/').map(|(at, _)| at);
    let mut ends = slashes.filter_map(|at| path.split_at_checked(at));
    let is_it = |(before, behind): &(&str, &str)| {
        let wanted = rest.trim_end_matches('/');
        let decoded = decode(behind, false).unwrap_or_else(|| (*behind).to_owned());
        before.ends_with("/proxy") && decoded.trim_end_matches('/') == wanted
    };
    ends.find(is_it).map_or("", |(_, behind)| behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pod: &Value, asked: &str, expect: Result<&str, &str>) {
        let got = container(pod, asked).map_err(|status| status.message().to_owned());
        assert_eq!(got, expect.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn the_path_behind_a_proxy_stays_escaped() {
        let check = |path: &str, rest: &str, expect: &str| assert_eq!(behind(path, rest), expect, "{path}");
        let pod = "/api/v1/namespaces/a/pods/b/proxy";
        check(pod, "", "");
        check(&format!("{pod}/"), "/", "/");
        check(&format!("{pod}/a%2Fb/c%20d"), "/a/b/c d", "/a%2Fb/c%20d");
        check(&format!("/clusters/x{pod}/proxy/x//"), "/proxy/x/", "/proxy/x//");
    }

    #[test]
    fn the_container_is_picked_as_upstream_does() {
        let one = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}});
        let two = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        check(&one, "", Ok("a"));
        check(&two, "i", Ok("i"));
        check(&two, "x", Err("container x is not valid for pod p"));
        check(
            &two,
            "",
            Err(
                "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]",
            ),
        );
    }
}

//! From a resource's path to its verb: the route table. 404 and 405 as upstream.

use http::{Method, Response};
use warren_apimachinery::field::go_quote;
use warren_apimachinery::status::Details;
use warren_apimachinery::{Status, StatusReason};
use warren_reconciler::Part;

use crate::answer;
use crate::body::Body;
use crate::cx::{Cx, Payload, Served};
use crate::path::ResourcePath;
use crate::{connect, create, delete, get, list, patch, update, watch};

/// # Errors
/// What the client reads.
pub(crate) async fn answer(
    cx: &Cx<'_>,
    path: &ResourcePath,
    verb: &'static str,
    payload: Payload,
) -> Result<Response<Body>, Status> {
    let catalogue = cx.registry().catalogue();
    let Some((definition, version)) = catalogue.served(&path.group, &path.version, &path.resource) else {
        return answer::missing(&catalogue, &path.group);
    };
    let served = Served {
        definition,
        path,
        custom: !catalogue.is_builtin(&definition.group, &definition.plural),
    };
    check_scope(&served, verb)?;
    check_name(&path.name)?;
    let known = check_verb(cx, &served, verb)?;
    let deprecation = definition
        .versions
        .get(version)
        .and_then(|version| version.deprecation.as_ref());
    if let Some(warning) = deprecation {
        cx.warnings.add(warning.clone());
    }
    match known {
        Known::Main => main(cx, &served, verb, payload).await,
        Known::Sub(verb) => sub(cx, &served, verb, payload).await,
    }
}

/// What upstream's router finds at a path.
enum Known {
    /// The resource itself.
    Main,
    /// A part of it, with the verb that discovery names for the method.
    Sub(&'static str),
}

/// 404 where no method has a route, 405 where another one has.
fn check_verb(cx: &Cx<'_>, served: &Served<'_>, verb: &str) -> Result<Known, Status> {
    let (definition, path) = (served.definition, served.path);
    // Upstream authorises HEAD as `get` and has no route for it, but to what is behind a proxy.
    let is_head = *cx.method == Method::HEAD && path.subresource != "proxy";
    if path.watch_prefix && !path.subresource.is_empty() {
        return Err(Status::path_not_found());
    }
    if path.subresource.is_empty() {
        let of_path: &[&str] = if path.watch_prefix {
            &["watch"]
        } else if path.name.is_empty() {
            &["list", "watch", "create", "deletecollection"]
        } else {
            &["get", "update", "patch", "delete"]
        };
        let known = |verb: &str| definition.verbs.iter().any(|known| known == verb);
        if !of_path.iter().any(|verb| known(verb)) {
            return Err(Status::path_not_found());
        }
        if served.custom && path.name.is_empty() && matches!(verb, "update" | "patch") {
            return Err(Status::bad_request("name must be provided"));
        }
        if is_head || !of_path.contains(&verb) || !known(verb) {
            return Err(Status::method_not_allowed());
        }
        return Ok(Known::Main);
    }
    let found = definition.subresource(&path.subresource);
    let found = found.ok_or_else(|| no_such_part(served))?;
    let verb = match *cx.method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    };
    // Whatever a proxied request does is between the client and what is behind.
    let is_known = path.subresource == "proxy" || found.verbs.iter().any(|known| known == verb);
    if served.custom && !is_known && !verb.is_empty() {
        let resource = definition.group_resource();
        return Err(Status::new(
            StatusReason::MethodNotAllowed,
            format!(r#"{verb} is not supported on resources of kind "{resource}""#),
        )
        .with_details(Details {
            group: resource.group.to_string(),
            kind: resource.resource.to_string(),
            ..Details::default()
        }));
    }
    if is_head || !is_known {
        return Err(Status::method_not_allowed());
    }
    Ok(Known::Sub(verb))
}

/// Custom resources have one route for whatever stands below an object, which answers as if the object were not there.
fn no_such_part(served: &Served<'_>) -> Status {
    if served.custom {
        return Status::not_found(&served.definition.group_resource(), &served.path.name);
    }
    Status::path_not_found()
}

/// Whether the path suits the kind's scope.
fn check_scope(served: &Served<'_>, verb: &str) -> Result<(), Status> {
    let path = served.path;
    let in_namespace = !path.namespace.is_empty() && path.resource != "namespaces";
    if !served.definition.is_namespaced() {
        return if in_namespace {
            Err(Status::path_not_found())
        } else {
            Ok(())
        };
    }
    match (in_namespace, path.name.is_empty(), verb) {
        (true, ..) | (false, true, "list" | "watch") => Ok(()),
        (false, false, _) => Err(Status::path_not_found()),
        // What is asked in a namespace alone has no route without one.
        (false, true, _) if !served.definition.verbs.iter().any(|known| known == "list") => {
            Err(Status::path_not_found())
        }
        (false, true, _) => Err(Status::method_not_allowed()),
    }
}

/// What cannot be a segment of a key is no name either.
fn check_name(name: &str) -> Result<(), Status> {
    let why = match name {
        "." => "may not be '.'",
        ".." => "may not be '..'",
        name if name.contains('%') => "may not contain '%'",
        _ => return Ok(()),
    };
    Err(Status::bad_request(format!(
        "Name parameter invalid: {}: {why}",
        go_quote(name)
    )))
}

async fn main(
    cx: &Cx<'_>,
    served: &Served<'_>,
    verb: &'static str,
    payload: Payload,
) -> Result<Response<Body>, Status> {
    let Payload { mut extensions, body } = payload;
    match verb {
        "get" => get::object(cx, served).await,
        "list" => list::objects(cx, served).await,
        "watch" => watch::objects(cx, served, &mut extensions).await,
        "create" => create::object(cx, served, body).await,
        "update" => update::object(cx, served, Part::Main, body).await,
        "patch" => patch::object(cx, served, Part::Main, body).await,
        "delete" => delete::object(cx, served, body).await,
        "deletecollection" => delete::collection(cx, served, body).await,
        _ => Err(Status::method_not_allowed()),
    }
}

async fn sub(
    cx: &Cx<'_>,
    served: &Served<'_>,
    verb: &'static str,
    payload: Payload,
) -> Result<Response<Body>, Status> {
    let name = served.path.subresource.as_str();
    if let Some(connects) = connect::subresource(name) {
        return connect::object(cx, served, connects, payload).await;
    }
    if !served.path.rest.is_empty() {
        return Err(Status::path_not_found());
    }
    let part = part(name).ok_or_else(Status::path_not_found)?;
    match verb {
        "get" => get::part(cx, served, part).await,
        "create" => create::part(cx, served, payload.body).await,
        "update" => update::object(cx, served, part, payload.body).await,
        _ => patch::object(cx, served, part, payload.body).await,
    }
}

/// The part that a subresource names.
fn part(name: &str) -> Option<Part> {
    if name == "status" {
        return Some(Part::Status);
    }
    [
        "scale",
        "binding",
        "eviction",
        "token",
        "ephemeralcontainers",
        "resize",
        "approval",
        "finalize",
    ]
    .into_iter()
    .find(|known| *known == name)
    .map(Part::Sub)
}

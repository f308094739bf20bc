//! From a resource's path to its verb: the route table. 404 and 405 as upstream.

use http::{Method, Response};
use warren_apimachinery::Status;
use warren_apimachinery::field::go_quote;
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
        let is_builtin = catalogue.serves(&path.group, &path.version)
            && !catalogue
                .custom()
                .any(|definition| definition.group == path.group);
        return if is_builtin {
            Err(Status::path_not_found())
        } else {
            Ok(answer::not_found_page())
        };
    };
    let served = Served {
        definition,
        path,
        custom: catalogue
            .custom()
            .any(|custom| std::sync::Arc::ptr_eq(custom, definition)),
    };
    check_scope(&served, verb)?;
    check_name(&path.name)?;
    let deprecation = definition
        .versions
        .get(version)
        .and_then(|version| version.deprecation.as_ref());
    if let Some(warning) = deprecation {
        cx.warnings.add(warning.clone());
    }
    if path.subresource.is_empty() {
        main(cx, &served, verb, payload).await
    } else {
        sub(cx, &served, payload).await
    }
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
    let names_one = !served.path.name.is_empty();
    let misplaced = match verb {
        "create" => names_one,
        "update" | "patch" => !names_one,
        _ => false,
    };
    if misplaced || !served.definition.verbs.iter().any(|known| known == verb) {
        return Err(Status::method_not_allowed());
    }
    let body = payload.body;
    match verb {
        "get" => get::object(cx, served),
        "list" => list::objects(cx, served),
        "watch" => watch::objects(cx, served),
        "create" => create::object(cx, served, body).await,
        "update" => update::object(cx, served, Part::Main, body).await,
        "patch" => patch::object(cx, served, Part::Main, body).await,
        "delete" => delete::object(cx, served, body).await,
        "deletecollection" => delete::collection(cx, served, body).await,
        _ => Err(Status::method_not_allowed()),
    }
}

async fn sub(cx: &Cx<'_>, served: &Served<'_>, payload: Payload) -> Result<Response<Body>, Status> {
    let name = served.path.subresource.as_str();
    let known = served
        .definition
        .subresource(name)
        .ok_or_else(Status::path_not_found)?;
    let verb = match *cx.method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    };
    // Whatever a proxied request does is between the client and what is behind.
    if name != "proxy" && !known.verbs.iter().any(|known| known == verb) {
        return Err(Status::method_not_allowed());
    }
    if let Some(connects) = connect::subresource(name) {
        return connect::object(cx, served, connects, payload).await;
    }
    if !served.path.rest.is_empty() {
        return Err(Status::path_not_found());
    }
    let part = part(name).ok_or_else(Status::path_not_found)?;
    match verb {
        "get" => get::part(cx, served, part),
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

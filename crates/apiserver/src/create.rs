//! POST: new objects, reviews, and the subresources that are posted to.

use http::{Response, StatusCode};
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status};

use crate::answer;
use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::options::{WriteKind, WriteOptions};
use crate::write;

/// POST to a collection.
///
/// # Errors
/// What the client reads.
pub(crate) async fn object(cx: &Cx<'_>, served: &Served<'_>, body: Body) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let options = WriteOptions::read(WriteKind::Create, cx.query, write::agent(cx))?;
    let mut sent = write::body(cx, body, &served.definition.kind).await?;
    let value = std::mem::take(&mut sent.value);
    let request = sent.request(cx, served, &options);
    if served.definition.group.is_empty() && served.definition.plural == "bindings" {
        return bindings(cx, served, &request, value).await;
    }
    let object = cx
        .registry()
        .create(&request, served.definition, served.namespace(), value)
        .await?;
    if served.definition.is_review() {
        return answer::encoded(object.bytes(), cx.accepted()?.encoding, StatusCode::CREATED);
    }
    answer::object(cx, served, &object, StatusCode::CREATED)
}

/// The old way to bind a pod: a collection that is only posted to.
async fn bindings(
    cx: &Cx<'_>,
    served: &Served<'_>,
    request: &warren_registry::Request<'_>,
    binding: Value,
) -> Result<Response<Body>, Status> {
    let catalogue = cx.registry().catalogue();
    let pods = catalogue
        .resource("", "pods")
        .ok_or_else(Status::path_not_found)?;
    let name = binding.text("/metadata/name");
    if name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    let key = ObjectKey::namespaced(served.namespace(), name);
    let answered = cx
        .registry()
        .post(request, pods, &key, "binding", binding)
        .await?;
    answer::value(cx, &answered, StatusCode::CREATED)
}

/// POST to a subresource of an object.
///
/// # Errors
/// What the client reads.
pub(crate) async fn part(cx: &Cx<'_>, served: &Served<'_>, body: Body) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let options = WriteOptions::read(WriteKind::Create, cx.query, write::agent(cx))?;
    let name = &served.path.subresource;
    let kind = served
        .definition
        .subresource(name)
        .and_then(|subresource| subresource.kind.as_ref())
        .map_or(&served.definition.kind, |kind| &kind.kind);
    let mut sent = write::body(cx, body, kind).await?;
    let value = std::mem::take(&mut sent.value);
    let request = sent.request(cx, served, &options);
    let answered = cx
        .registry()
        .post(&request, served.definition, &served.key(), name, value)
        .await?;
    answer::value(cx, &answered, StatusCode::CREATED)
}

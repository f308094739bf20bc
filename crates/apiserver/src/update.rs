//! PUT: an object, or a part of it, as it shall be.

use http::Response;
use warren_apimachinery::Status;
use warren_reconciler::Part;

use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::options::{WriteKind, WriteOptions};
use crate::write;

/// # Errors
/// What the client reads.
pub(crate) async fn object(
    cx: &Cx<'_>,
    served: &Served<'_>,
    part: Part,
    body: Body,
) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let options = WriteOptions::read(WriteKind::Update, cx.query, write::agent(cx))?;
    let kind = match part {
        Part::Sub(name) => served
            .definition
            .subresource(name)
            .and_then(|subresource| subresource.kind.as_ref())
            .map_or(&served.definition.kind, |kind| &kind.kind),
        Part::Main | Part::Status => &served.definition.kind,
    };
    let mut sent = write::body(cx, body, kind).await?;
    if part == Part::Main && served.definition.strategy.traits().create_on_update {
        write::authorize_creation(cx, served)?;
    }
    let value = std::mem::take(&mut sent.value);
    let request = sent.request(cx, served, &options);
    let written = cx
        .registry()
        .update(&request, served.definition, part, &served.key(), value)
        .await?;
    write::written(cx, served, part, &written)
}

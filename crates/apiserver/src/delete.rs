//! DELETE of an object or a collection.

use http::{Response, StatusCode, header};
use warren_apimachinery::Status;
use warren_registry::{Deleted, Selection};

use crate::answer;
use crate::body::Body;
use crate::content;
use crate::cx::{Cx, Served};
use crate::list;
use crate::options::{self, WriteKind, WriteOptions};
use crate::query::Query;
use crate::selection::Selectors;
use crate::write;

/// DELETE of one object.
///
/// # Errors
/// What the client reads.
pub(crate) async fn object(cx: &Cx<'_>, served: &Served<'_>, body: Body) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let (options, write) = options(cx, body).await?;
    let request = write::request(cx, served, &write, &[]);
    let deleted = cx
        .registry()
        .delete(&request, served.definition, &served.key(), options)
        .await?;
    match deleted {
        Deleted::Gone(details) => answer::success(cx, &details),
        Deleted::Last(object) | Deleted::Marked(object) => {
            answer::object(cx, served, &object, StatusCode::OK)
        }
    }
}

/// DELETE of a collection.
///
/// # Errors
/// What the client reads.
pub(crate) async fn collection(
    cx: &Cx<'_>,
    served: &Served<'_>,
    body: Body,
) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let selectors = Selectors::read(cx.query, served.definition, "")?;
    let (options, write) = options(cx, body).await?;
    let request = write::request(cx, served, &write, &[]);
    let selection = Selection::new(move |meta| selectors.matches(meta));
    let objects = cx
        .registry()
        .delete_collection(
            &request,
            served.definition,
            served.namespace(),
            &selection,
            options,
        )
        .await?;
    list::deleted(cx, served, objects.iter().map(AsRef::as_ref))
}

async fn options(
    cx: &Cx<'_>,
    body: Body,
) -> Result<(warren_reconciler::DeleteOptions, WriteOptions), Status> {
    let bytes = content::read(body).await?;
    let value = if bytes.is_empty() {
        None
    } else {
        let media = content::object_media(cx.header(header::CONTENT_TYPE))?;
        Some(content::object(&bytes, media, "DeleteOptions")?.value)
    };
    let (delete, dry_run) = options::delete(value.as_ref(), cx.query)?;
    // A deletion has no other write options: those of the query mean nothing here.
    let mut write = WriteOptions::read(WriteKind::Update, &Query::default(), write::agent(cx))?;
    write.dry_run = dry_run;
    Ok((delete, write))
}

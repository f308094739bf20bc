//! DELETE of an object or a collection.

use http::{Response, StatusCode, header};
use warren_apimachinery::Status;
use warren_reconciler::DeleteOptions;
use warren_registry::Deleted;

use crate::answer;
use crate::body::Body;
use crate::content;
use crate::cx::{Cx, Served};
use crate::list;
use crate::options::{self, Dependents, ListOptions, Of, WriteKind, WriteOptions};
use crate::page::Page;
use crate::query::Query;
use crate::selection::Selectors;
use crate::write;

/// DELETE of one object.
///
/// # Errors
/// What the client reads.
pub(crate) async fn object(cx: &Cx<'_>, served: &Served<'_>, body: Body) -> Result<Response<Body>, Status> {
    cx.accepted()?;
    let (options, write, dependents) = options(cx, body).await?;
    let request = write::request(cx, served, &write, &[]);
    let deleted = cx
        .registry()
        .delete(&request, served.definition, &served.key(), options)
        .await?;
    match deleted {
        Deleted::Gone(details) => answer::success(cx, &details),
        Deleted::Marked(object) if dependents == Dependents::Collected => {
            answer::object(cx, served, &object, StatusCode::ACCEPTED)
        }
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
    let accepted = cx.accepted()?;
    let listed = ListOptions::read(cx.query, Of::List)?;
    let selectors = Selectors::read(cx.query, served.definition, "")?;
    let (options, write, _) = options(cx, body).await?;
    let request = write::request(cx, served, &write, &[]);
    let page = match Page::read(cx, served, &listed, &selectors).await {
        Ok(page) => page,
        Err(refusal) => return list::refused(cx, refusal),
    };
    cx.registry()
        .delete_each(&request, served.definition, &page.objects, &options)
        .await?;
    list::answered(cx, served, page, &accepted)
}

async fn options(cx: &Cx<'_>, body: Body) -> Result<(DeleteOptions, WriteOptions, Dependents), Status> {
    let bytes = content::read(body).await?;
    let value = if bytes.is_empty() {
        None
    } else {
        let media = content::object_media(cx.header(header::CONTENT_TYPE))?;
        let decoded = content::document(&bytes, media).map_err(Status::bad_request)?;
        Some(decoded.value)
    };
    let read = options::delete(value, cx.query)?;
    // A deletion has no other write options: those of the query mean nothing here.
    let mut write = WriteOptions::read(WriteKind::Update, &Query::default(), write::agent(cx))?;
    write.dry_run = read.dry_run;
    write.object = read.object;
    Ok((read.options, write, read.dependents))
}

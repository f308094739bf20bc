//! GET of one object: the stored bytes.

use http::{Response, StatusCode};
use warren_apimachinery::status::{Cause, Details};
use warren_apimachinery::{Revision, Status, StatusReason};
use warren_reconciler::Part;

use crate::accept::Shape;
use crate::answer;
use crate::body::Body;
use crate::cx::{Cx, Served};
use crate::options::parse_revision;

/// # Errors
/// What the client reads.
pub(crate) async fn object(cx: &Cx<'_>, served: &Served<'_>) -> Result<Response<Body>, Status> {
    let accepted = cx.accepted()?;
    check_revision(cx)?;
    let object = cx.registry().read(served.definition, &served.key()).await?;
    answer::shaped(cx, served, &object, StatusCode::OK, &accepted)
}

/// GET of a part: the object itself, or its `Scale`.
///
/// # Errors
/// What the client reads.
pub(crate) async fn part(cx: &Cx<'_>, served: &Served<'_>, part: Part) -> Result<Response<Body>, Status> {
    let accepted = cx.accepted()?;
    check_revision(cx)?;
    let key = served.key();
    let object = cx.registry().read_part(served.definition, part, &key).await?;
    if is_own_kind(part) {
        let bytes = match &accepted.shape {
            Shape::Metadata(version) => answer::partial(&object.bytes(), version),
            Shape::Whole | Shape::Table(_) => object.bytes(),
        };
        answer::encoded(bytes, accepted.encoding, StatusCode::OK)
    } else {
        answer::shaped(cx, served, &object, StatusCode::OK, &accepted)
    }
}

/// Whether a part is answered in a kind of its own, which no conversion or table fits.
pub(crate) fn is_own_kind(part: Part) -> bool {
    matches!(part, Part::Sub("scale" | "token" | "eviction" | "binding"))
}

fn check_revision(cx: &Cx<'_>) -> Result<(), Status> {
    let text = cx.query.text("resourceVersion");
    if text.is_empty() || text == "0" {
        return Ok(());
    }
    let current = cx.registry().store().snapshot().revision();
    match parse_revision(text).map_err(Status::unclassified)? {
        Some(asked) if asked > current => Err(too_large(asked, current)),
        _ => Ok(()),
    }
}

/// 504 for a revision that the store has not reached.
pub(crate) fn too_large(asked: Revision, current: Revision) -> Status {
    Status::new(
        StatusReason::Timeout,
        format!("Timeout: Too large resource version: {asked}, current: {current}"),
    )
    .with_details(Details {
        causes: vec![Cause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            field: String::new(),
        }],
        retry_after_seconds: 1,
        ..Details::default()
    })
}

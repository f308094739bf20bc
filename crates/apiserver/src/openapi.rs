//! `/openapi/v2` and `/openapi/v3`: what the schema crate publishes, cached by the catalogue it is of.

use http::Response;
use warren_apimachinery::Status;

use crate::answer;
use crate::body::Body;
use crate::cx::Cx;

/// Documents of catalogues.
#[derive(Default)]
pub(crate) struct Documents;

pub(crate) fn v2(_: &Cx<'_>) -> Result<Response<Body>, Status> {
    Ok(answer::not_found_page())
}

pub(crate) fn index(_: &Cx<'_>) -> Result<Response<Body>, Status> {
    Ok(answer::not_found_page())
}

pub(crate) fn v3(_: &Cx<'_>, _: &str) -> Result<Response<Body>, Status> {
    Ok(answer::not_found_page())
}

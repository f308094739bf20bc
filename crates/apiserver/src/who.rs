//! Who asks, as whom, and may they: the steps of `access`, counted and written down.

use std::borrow::Cow;

use http::{header, request};
use jiff::Timestamp;
use warren_access::{Attributes, Impersonation, RequestFacts};
use warren_apimachinery::{Status, UserInfo};

use crate::asked::Asked;
use crate::audit::Record;
use crate::cluster::ClusterApi;
use crate::cx::Cx;
use crate::path::Target;
use crate::route::Peer;

/// Who asks, impersonation aside.
///
/// # Errors
/// 401
pub(crate) async fn authenticate(
    cluster: &ClusterApi,
    peer: &Peer,
    asked: &Asked,
    head: &request::Parts,
    now: Timestamp,
) -> Result<UserInfo, Status> {
    let authorization = head
        .headers
        .get(header::AUTHORIZATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let certificate = cluster.identify(peer, now);
    let facts = RequestFacts {
        certificate: &certificate,
        authorization: authorization.as_deref(),
        path: match &asked.target {
            Target::Path(path) => path,
            Target::Resource(_) => head.uri.path(),
        },
        now,
    };
    let user = cluster.access.authenticate(&facts).await;
    cluster.metrics.authentication.count(user.is_ok());
    user
}

/// The user that is acted as; the one who asks where nobody is impersonated.
///
/// # Errors
/// 400 and 403 in upstream's words.
pub(crate) fn acting(
    cluster: &ClusterApi,
    asked: &Asked,
    head: &request::Parts,
    user: UserInfo,
    record: Option<&mut Record>,
) -> Result<UserInfo, Status> {
    let Some(wanted) = impersonation(head)? else {
        return Ok(user);
    };
    let (acting, constraint) = cluster.access.impersonate(&user, &wanted, &asked.attributes())?;
    if let Some(record) = record {
        record.impersonated(&acting, constraint);
    }
    Ok(acting)
}

fn impersonation(head: &request::Parts) -> Result<Option<Impersonation>, Status> {
    let mut names = head.headers.keys();
    if !names.any(|name| name.as_str().starts_with("impersonate-")) {
        return Ok(None);
    }
    // Names outside ASCII count too: dropping one would leave the request to the caller's own rights.
    let headers: Vec<(&str, Cow<'_, str>)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    Impersonation::from_headers(headers.iter().map(|(name, value)| (*name, value.as_ref())))
}

/// May the user do this?
///
/// # Errors
/// 403
pub(crate) fn authorize(
    cx: &Cx<'_>,
    asked: &Attributes<'_>,
    record: Option<&mut Record>,
) -> Result<(), Status> {
    let access = &cx.cluster.access;
    let allowed = access.authorize(cx.user, asked);
    cx.cluster.metrics.authorization.count(allowed.is_ok());
    if let Some(record) = record {
        record.decided(&access.decide(cx.user, asked));
    }
    allowed
}

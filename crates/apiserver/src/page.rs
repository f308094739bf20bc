//! A page of a list: the state that it is of, the place to go on behind, the objects that are meant.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::{Object, ObjectKey, Revision, Status};
use warren_storage::Snapshot;

use crate::cx::{Cx, Served};
use crate::get::too_large;
use crate::options::{ListOptions, Match};
use crate::pages::Continue;
use crate::selection::Selectors;

/// What a client reads whose continue token is too old.
const TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Some of the objects of a collection, in the definition's version, and the metadata of their list.
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) metadata: Map<String, Value>,
}

/// Why a list cannot start.
pub(crate) enum Refusal {
    Plain(Status),
    /// 410 with a token that goes on without consistency.
    Continuable(Status, String),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Plain(status)
    }
}

impl Page {
    /// Reads the page that the options mean.
    ///
    /// # Errors
    /// When its state is not kept any more, or is not reached yet.
    pub(crate) async fn read(
        cx: &Cx<'_>,
        served: &Served<'_>,
        options: &ListOptions,
        selectors: &Selectors,
    ) -> Result<Self, Refusal> {
        let (snapshot, after) = start(cx, served, options)?;
        let mut page = Self {
            objects: Vec::new(),
            metadata: Map::new(),
        };
        page.tell("resourceVersion", snapshot.revision().to_string());
        match selectors.name().filter(|_| !served.namespace().is_empty()) {
            Some(name) if after.is_none() => page.find(cx, served, selectors, &snapshot, name).await?,
            _ if served.definition.conversion.is_some() => {
                page.convert(cx, served, options, selectors, (&snapshot, after))
                    .await?;
            }
            _ => page.fill(cx, served, options, selectors, (&snapshot, after)),
        }
        Ok(page)
    }

    fn tell(&mut self, field: &str, value: impl Into<Value>) {
        self.metadata.insert(field.to_owned(), value.into());
    }

    /// The one object that the selectors can mean.
    async fn find(
        &mut self,
        cx: &Cx<'_>,
        served: &Served<'_>,
        selectors: &Selectors,
        snapshot: &Snapshot,
        name: &str,
    ) -> Result<(), Status> {
        let key = ObjectKey::namespaced(served.namespace(), name);
        let Some(found) = snapshot.get(&served.definition.storage, &key).map(Arc::clone) else {
            return Ok(());
        };
        let found = cx.registry().opened(served.definition, found).await?;
        if selectors.matches(found.meta()) {
            self.objects.push(found);
        }
        Ok(())
    }

    /// The same as `fill` of objects that may be kept in another version: what the selectors mean is only known once they
    /// are converted.
    async fn convert(
        &mut self,
        cx: &Cx<'_>,
        served: &Served<'_>,
        options: &ListOptions,
        selectors: &Selectors,
        (snapshot, after): (&Snapshot, Option<ObjectKey>),
    ) -> Result<(), Status> {
        let storage = &served.definition.storage;
        let namespace = Some(served.namespace()).filter(|namespace| !namespace.is_empty());
        let mut rest: Vec<Arc<Object>> = match &after {
            Some(after) => snapshot.list_from(storage, namespace, after).cloned().collect(),
            None => snapshot.list(storage, namespace).cloned().collect(),
        };
        let limit = if options.limit == 0 {
            usize::MAX
        } else {
            options.limit
        };
        while !rest.is_empty() && self.objects.len() < limit {
            let room = limit - self.objects.len();
            let batch: Vec<Arc<Object>> = rest.drain(..room.min(rest.len())).collect();
            let converted = cx.registry().opened_each(served.definition, batch).await;
            let converted = converted.map_err(|status| not_listed(cx, served, options, status))?;
            let meant = converted
                .into_iter()
                .filter(|object| selectors.matches(object.meta()));
            self.objects.extend(meant);
        }
        if !rest.is_empty() {
            let last = self.objects.last().map(|last| last.key());
            self.cut(
                cx,
                snapshot,
                last,
                selectors.is_everything().then_some(rest.len()),
            );
        }
        Ok(())
    }

    /// Says where the next page begins, and how many objects it and those behind it have.
    fn cut(&mut self, cx: &Cx<'_>, snapshot: &Snapshot, last: Option<ObjectKey>, remaining: Option<usize>) {
        let token = Continue {
            revision: Some(snapshot.revision()),
            after: last.unwrap_or_else(|| ObjectKey::cluster("")),
        };
        self.tell("continue", token.encode());
        if let Some(remaining) = remaining {
            self.tell("remainingItemCount", remaining);
        }
        cx.cluster.pages.keep(snapshot);
    }

    /// The objects behind a place, up to the limit.
    fn fill(
        &mut self,
        cx: &Cx<'_>,
        served: &Served<'_>,
        options: &ListOptions,
        selectors: &Selectors,
        (snapshot, after): (&Snapshot, Option<ObjectKey>),
    ) {
        let storage = &served.definition.storage;
        let namespace = Some(served.namespace()).filter(|namespace| !namespace.is_empty());
        let everything = selectors.is_everything();
        let mut objects: Box<dyn Iterator<Item = &Arc<Object>>> = match &after {
            Some(after) => Box::new(snapshot.list_from(storage, namespace, after)),
            None => Box::new(snapshot.list(storage, namespace)),
        };
        let limit = if options.limit == 0 {
            usize::MAX
        } else {
            options.limit
        };
        for object in objects.by_ref() {
            if !everything && !selectors.matches(object.meta()) {
                continue;
            }
            if self.objects.len() < limit {
                self.objects.push(Arc::clone(object));
                continue;
            }
            let last = self.objects.last().map(|last| last.key());
            self.cut(cx, snapshot, last, everything.then(|| 1 + objects.count()));
            break;
        }
    }
}

/// What a client reads whose list cannot be converted. Upstream answers whole lists from a cache that fills itself with
/// converted objects, pages and deletions from its store.
fn not_listed(cx: &Cx<'_>, served: &Served<'_>, options: &ListOptions, why: Status) -> Status {
    if cx.verb != "list" || options.limit > 0 || !options.continues.is_empty() {
        return why;
    }
    initializing(served, &why)
}

/// 429 of what upstream reads from a cache that cannot be filled.
pub(crate) fn initializing(served: &Served<'_>, why: &Status) -> Status {
    let api_version = served.definition.api_version(served.version());
    let kind = &served.definition.kind;
    let message = why.message();
    Status::too_many_requests(
        format!("storage is (re)initializing: failed to list {api_version}, Kind={kind}: {message}"),
        1,
    )
}

/// The state to list, and the key to go on behind.
fn start(
    cx: &Cx<'_>,
    served: &Served<'_>,
    options: &ListOptions,
) -> Result<(Snapshot, Option<ObjectKey>), Refusal> {
    let current = cx.registry().store().snapshot();
    if !options.continues.is_empty() {
        return go_on(cx, served, options, current);
    }
    let Some(asked) = options.revision.filter(|revision| *revision != Revision::ZERO) else {
        return Ok((current, None));
    };
    if asked > current.revision() {
        return Err(too_large(asked, current.revision()).into());
    }
    let exact = options.matching == Match::Exact || (options.matching == Match::Unset && options.limit > 0);
    if !exact {
        return Ok((current, None));
    }
    let snapshot = at(cx, served, asked, current)
        .ok_or_else(|| Status::expired("The resourceVersion for the provided list is too old."))?;
    Ok((snapshot, None))
}

/// The state and the key of a token.
fn go_on(
    cx: &Cx<'_>,
    served: &Served<'_>,
    options: &ListOptions,
    current: Snapshot,
) -> Result<(Snapshot, Option<ObjectKey>), Refusal> {
    let token = Continue::decode(&options.continues)?;
    let after = within(token.after, served);
    let Some(revision) = token.revision else {
        return Ok((current, Some(after)));
    };
    if let Some(snapshot) = at(cx, served, revision, current) {
        return Ok((snapshot, Some(after)));
    }
    let token = Continue::inconsistent(&options.continues);
    Err(Refusal::Continuable(Status::expired(TOO_OLD), token))
}

/// The state of the collection at a revision: kept for the pages of a list, or as its last events tell it.
fn at(cx: &Cx<'_>, served: &Served<'_>, revision: Revision, current: Snapshot) -> Option<Snapshot> {
    let pages = &cx.cluster.pages;
    if pages.is_compacted(revision, current.revision()) {
        return None;
    }
    pages
        .at(revision, current)
        .or_else(|| cx.registry().store().rewind(&served.definition.storage, revision))
}

/// A token's key, within the collection that is listed: of one namespace it holds the name alone.
fn within(after: ObjectKey, served: &Served<'_>) -> ObjectKey {
    if after.namespace.is_empty() && !served.namespace().is_empty() {
        return ObjectKey::namespaced(served.namespace(), after.name);
    }
    after
}

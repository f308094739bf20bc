//! DELETE: an object goes, or is marked to go.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{
    GroupResource, Meta, Object, ObjectKey, Status, StatusReason, resource, status, time,
};
use warren_reconciler::{DeleteOptions, Part, Propagation};
use warren_storage::WriteKind;

use crate::admission;
use crate::change::Current;
use crate::commit::Refusal;
use crate::definition::Definition;
use crate::metadata::{FOREGROUND, ORPHAN};
use crate::operation::Operation;
use crate::{Deleted, Registry, Request};

/// How often a deletion without a `resourceVersion` starts over because others were quicker.
const ROUNDS: usize = 64;

/// How many objects of a collection are deleted at a time: their commits go to the journal together.
const AT_ONCE: usize = 32;

impl Registry {
    /// Deletes an object, at once or by marking it.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn delete(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        key: &ObjectKey,
        options: DeleteOptions,
    ) -> Result<Deleted, Status> {
        warn_of_orphans(cx, definition, &options);
        let operation = self.operation(cx, definition, Part::Main, key);
        let deleted = operation.delete_until_done(&options, Asking::Admission).await?;
        Ok(match deleted {
            Deleted::Gone(details) => Deleted::Gone(details),
            Deleted::Last(object) => Deleted::Last(self.opened(definition, object).await?),
            Deleted::Marked(object) => Deleted::Marked(self.opened(definition, object).await?),
        })
    }

    /// Deletes these objects, some at a time.
    ///
    /// # Errors
    /// The first failure, after which no more deletions start; objects that are gone meanwhile are none.
    pub async fn delete_each(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        objects: &[Arc<Object>],
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        warn_of_orphans(cx, definition, options);
        let mut running = FuturesUnordered::new();
        for object in objects {
            if running.len() >= AT_ONCE {
                running.next().await.transpose()?;
            }
            running.push(self.delete_one(cx, definition, object.key(), options.clone()));
        }
        while let Some(done) = running.next().await {
            done?;
        }
        Ok(())
    }

    /// One of many deletions; that it is gone already is none of their failures. Boxed, so that its type names no
    /// lifetimes but these.
    fn delete_one<'a>(
        &'a self,
        cx: &'a Request<'a>,
        definition: &'a Definition,
        key: ObjectKey,
        options: DeleteOptions,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send + 'a>> {
        Box::pin(async move {
            match self.delete(cx, definition, &key, options).await {
                Err(status) if !status.is(StatusReason::NotFound) => Err(status),
                _ => Ok(()),
            }
        })
    }
}

/// What is to be done about one deletion.
enum Plan {
    /// Its grace period runs already, and is not shortened.
    Pending,
    /// It is marked already, and finalizers hold it.
    Held,
    /// It is marked (anew).
    Mark(Value),
    /// It goes now; the object as it last was.
    Remove(Value),
}

/// Who is asked whether an object may be deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    Admission,
    /// Nobody any more.
    Nobody,
}

impl Operation<'_> {
    /// Deletes the object, however often others change it meanwhile.
    pub(crate) async fn delete_until_done(
        &self,
        options: &DeleteOptions,
        asking: Asking,
    ) -> Result<Deleted, Status> {
        for _ in 0..ROUNDS {
            let deleted = self.delete(self.existing().await?, options, asking).await;
            if let Some(deleted) = Refusal::unless_outrun(deleted)? {
                return Ok(deleted);
            }
        }
        Err(self.modified())
    }

    async fn delete(
        &self,
        current: Current,
        options: &DeleteOptions,
        asking: Asking,
    ) -> Result<Deleted, Refusal> {
        self.check_preconditions(&current, options)?;
        let plan = self.plan(&current.value, options);
        // As upstream: a deletion that waits for its end already is no new one.
        if asking == Asking::Admission && !matches!(plan, Plan::Pending) {
            self.admit(admission::Operation::Delete, None, Some(&current.value))
                .await?;
        }
        match plan {
            Plan::Pending => Ok(self.answer(&current.object, Deleted::Marked)),
            Plan::Held => Ok(Deleted::Marked(current.object)),
            Plan::Mark(value) => Ok(Deleted::Marked(self.mark(&current, value).await?)),
            Plan::Remove(_) if self.cx.dry_run => Ok(self.answer(&current.object, Deleted::Last)),
            Plan::Remove(last) => {
                let gone = self.remove(&current, last).await?;
                Ok(self.answer(&gone, Deleted::Last))
            }
        }
    }

    /// The object itself where upstream answers with it, else the details of a success.
    fn answer(&self, object: &Arc<Object>, with: fn(Arc<Object>) -> Deleted) -> Deleted {
        if answers_with_object(self.definition) {
            return with(Arc::clone(object));
        }
        Deleted::Gone(status::Details {
            name: object.meta().name.to_string(),
            group: self.definition.group.to_string(),
            kind: self.definition.plural.to_string(),
            uid: object.meta().uid.to_string(),
            ..status::Details::default()
        })
    }

    async fn mark(&self, current: &Current, value: Value) -> Result<Arc<Object>, Refusal> {
        let expected = current.object.meta().revision;
        let draft = self.draft(value).await?;
        if self.cx.dry_run {
            return Ok(Arc::new(draft.at(expected)));
        }
        let change = WriteKind::Update { draft, expected };
        self.registry
            .commit(self.definition, &current.object.key(), change)
            .await
    }

    /// The object must be the one that the options name, if they name one.
    pub(crate) fn check_preconditions(
        &self,
        current: &Current,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        let meta = current.object.meta();
        if is_namespace(self.definition) {
            return check_namespace(meta, options);
        }
        let conflict = |why: String| {
            let named = GroupResource::new(self.definition.group.clone(), self.definition.kind.clone());
            Err(Status::conflict(&named, &meta.name, &why))
        };
        if let Some(uid) = options.uid.as_ref().filter(|uid| *uid != meta.uid.as_str()) {
            return conflict(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                meta.uid
            ));
        }
        let revision = meta.revision.to_string();
        if let Some(asked) = options
            .resource_version
            .as_ref()
            .filter(|asked| **asked != revision)
        {
            return conflict(format!(
                "the ResourceVersion in the precondition ({asked}) does not match the ResourceVersion in record ({revision}). The object might have been modified"
            ));
        }
        Ok(())
    }

    /// Decides, from the object as it is and the options, without effect.
    fn plan(&self, old: &Value, options: &DeleteOptions) -> Plan {
        let now = self.registry.now();
        if is_namespace(self.definition) {
            return plan_namespace(old, options, now);
        }
        let mut new = old.clone();
        let is_first = old.at("/metadata/deletionTimestamp").is_null();
        if is_first && self.definition.strategy.begin_deletion(&mut new, now) {
            new.set("/metadata/deletionTimestamp", time::format(now));
            return Plan::Mark(new);
        }
        let grace = graceful(self.definition, &mut new, options, now);
        if grace == Grace::Pending {
            return Plan::Pending;
        }
        set_finalizers(&mut new, wanted_finalizers(self.definition, old, options));
        let held = !new.items("/metadata/finalizers").is_empty();
        match grace {
            Grace::Granted(seconds) if seconds > 0 || held => Plan::Mark(new),
            Grace::None if held => {
                mark_now(&mut new, now);
                if new == *old { Plan::Held } else { Plan::Mark(new) }
            }
            _ => Plan::Remove(new),
        }
    }
}

/// What a deletion grants the object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grace {
    /// Its kind knows none, or it is over.
    None,
    /// It was granted before, and is not shortened.
    Pending,
    /// So many seconds, which the object now says.
    Granted(i64),
}

/// Upstream's `BeforeDelete`: grants a grace period, or shortens the one that was granted.
fn graceful(
    definition: &Definition,
    object: &mut Value,
    options: &DeleteOptions,
    now: jiff::Timestamp,
) -> Grace {
    let requested = options
        .grace_period_seconds
        .map(|seconds| if seconds < 0 { 1 } else { seconds });
    let Some(seconds) = definition.strategy.grace_period(object, requested) else {
        return Grace::None;
    };
    let marked = time::parse(object.text("/metadata/deletionTimestamp")).ok();
    let Some(marked) = marked else {
        set_deletion(object, now + jiff::SignedDuration::from_secs(seconds), seconds);
        bump_generation(object);
        return Grace::Granted(seconds);
    };
    let Some(granted) = object.int("/metadata/deletionGracePeriodSeconds") else {
        return Grace::None;
    };
    match requested {
        Some(period) if period < granted => {
            let shortened = marked + jiff::SignedDuration::from_secs(period - granted);
            set_deletion(object, shortened, period);
            Grace::Granted(period)
        }
        _ => Grace::Pending,
    }
}

fn set_deletion(object: &mut Value, at: jiff::Timestamp, grace: i64) {
    object.set("/metadata/deletionTimestamp", time::format(at));
    object.set("/metadata/deletionGracePeriodSeconds", grace);
}

fn bump_generation(object: &mut Value) {
    if let Some(generation) = object
        .int("/metadata/generation")
        .filter(|generation| *generation > 0)
    {
        object.set("/metadata/generation", generation + 1);
    }
}

/// Upstream's `markAsDeleting`: for kinds without a grace period that finalizers hold.
fn mark_now(object: &mut Value, now: jiff::Timestamp) {
    if object.at("/metadata/deletionGracePeriodSeconds").is_null() {
        bump_generation(object);
    }
    let marked = time::parse(object.text("/metadata/deletionTimestamp")).ok();
    if marked.is_none_or(|marked| marked > now) {
        object.set("/metadata/deletionTimestamp", time::format(now));
    }
    object.set("/metadata/deletionGracePeriodSeconds", 0);
}

/// The finalizers that the propagation policy leaves, those of others untouched.
fn wanted_finalizers(definition: &Definition, object: &Value, options: &DeleteOptions) -> Vec<Value> {
    let all = object.items("/metadata/finalizers");
    let has = |name: &str| all.iter().any(|finalizer| finalizer.as_str() == Some(name));
    let collected = !is_event(definition);
    let orphan = match options.propagation {
        Some(policy) => policy == Propagation::Orphan,
        None if has(ORPHAN) => true,
        None if has(FOREGROUND) => false,
        None => definition.strategy.traits().orphan_by_default,
    };
    let foreground = match options.propagation {
        Some(policy) => policy == Propagation::Foreground,
        None => has(FOREGROUND) && !has(ORPHAN),
    };
    let mut finalizers: Vec<Value> = all
        .iter()
        .filter(|finalizer| !matches!(finalizer.as_str(), Some(ORPHAN | FOREGROUND)))
        .cloned()
        .collect();
    if collected && orphan {
        finalizers.push(ORPHAN.into());
    }
    if collected && foreground {
        finalizers.push(FOREGROUND.into());
    }
    finalizers
}

fn set_finalizers(object: &mut Value, finalizers: Vec<Value>) {
    if finalizers.is_empty() {
        object.take_at("/metadata/finalizers");
    } else if object.items("/metadata/finalizers") != finalizers.as_slice() {
        object.set("/metadata/finalizers", finalizers);
    }
}

/// Namespaces go in two steps: first they are terminating, and their content goes; then, when nothing
/// finalizes them any more, they are removed.
fn plan_namespace(old: &Value, options: &DeleteOptions, now: jiff::Timestamp) -> Plan {
    let mut new = old.clone();
    if old.at("/metadata/deletionTimestamp").is_null() {
        new.set("/metadata/deletionTimestamp", time::format(now));
        new.set("/status/phase", "Terminating");
        let all = old.items("/metadata/finalizers").iter();
        let mut finalizers: Vec<Value> = all
            .filter(|finalizer| !matches!(finalizer.as_str(), Some(ORPHAN | FOREGROUND)))
            .cloned()
            .collect();
        match options.propagation {
            Some(Propagation::Orphan) => finalizers.push(ORPHAN.into()),
            Some(Propagation::Foreground) => finalizers.push(FOREGROUND.into()),
            _ => {}
        }
        set_finalizers(&mut new, finalizers);
        return Plan::Mark(new);
    }
    let held = !old.items("/spec/finalizers").is_empty() || !old.items("/metadata/finalizers").is_empty();
    if held { Plan::Held } else { Plan::Remove(new) }
}

fn is_namespace(definition: &Definition) -> bool {
    definition.group.is_empty() && definition.plural == "namespaces"
}

/// Events have no dependents: upstream's garbage collection leaves them alone.
fn is_event(definition: &Definition) -> bool {
    definition.plural == "events" && (definition.group.is_empty() || definition.group == "events.k8s.io")
}

/// Kinds whose deletion upstream answers with the object, also when it is gone.
fn answers_with_object(definition: &Definition) -> bool {
    const KINDS: [(&str, &[&str]); 3] = [
        (
            "",
            &[
                "namespaces",
                "persistentvolumeclaims",
                "persistentvolumes",
                "pods",
                "podtemplates",
                "resourcequotas",
                "serviceaccounts",
                "services",
            ],
        ),
        (
            "resource.k8s.io",
            &[
                "deviceclasses",
                "devicetaintrules",
                "resourceclaims",
                "resourceclaimtemplates",
                "resourceslices",
            ],
        ),
        (
            "storage.k8s.io",
            &[
                "csidrivers",
                "csinodes",
                "storageclasses",
                "volumeattachments",
                "volumeattributesclasses",
            ],
        ),
    ];
    KINDS
        .iter()
        .any(|(group, kinds)| definition.group == *group && kinds.contains(&definition.plural.as_str()))
}

/// The preconditions of a namespace's deletion, which upstream words in a way of their own.
fn check_namespace(meta: &Meta, options: &DeleteOptions) -> Result<(), Status> {
    let revision = meta.revision.to_string();
    let facts = [
        ("UID", &options.uid, meta.uid.as_str()),
        ("ResourceVersion", &options.resource_version, revision.as_str()),
    ];
    for (what, asked, is) in facts {
        let Some(asked) = asked.as_ref().filter(|asked| *asked != is) else {
            continue;
        };
        let why =
            format!("Precondition failed: {what} in precondition: {asked}, {what} in object meta: {is}");
        let namespaces = resource::NAMESPACES.group_resource();
        return Err(Status::conflict(&namespaces, &meta.name, &why));
    }
    Ok(())
}

/// Says that the pods of a job stay, where the client did not say what shall become of them.
fn warn_of_orphans(cx: &Request<'_>, definition: &Definition, options: &DeleteOptions) {
    let is_job = definition.group == "batch" && definition.plural == "jobs";
    if is_job && options.propagation.is_none() {
        cx.warnings.add(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
        );
    }
}

//! Kinds whose host object is the virtual one with its references translated: one engine, one row per kind.
//!
//! A row says which fields are carried, which of them the API lets change, where they name other objects, and what comes
//! back. `wanted` makes the host object of it (pure); `carry` writes. What one kind does differently is a function of
//! its row, in a directory of its own.

mod carry;
mod wanted;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_config::{Patch, Synced, VirtualClusterSpec};
use warren_reconciler::{Change, Cluster, Context, Next, ReconcileError, Reconciler, Triggers};

pub(crate) use self::carry::{ensure, reconcile};
pub(crate) use self::wanted::name_on_host;
use self::wanted::{Outcome, Wanted, wanted};
use crate::binding::Bindings;
use crate::sides::{ACTOR, Sides, trigger};

/// Every field but the envelope and the status, for kinds that are not known.
pub(crate) const ALL: &[&str] = &["*"];

/// One kind. Everything in it is said of the kind, never of a tenant.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The rule's name, for queues and logs.
    pub(crate) rule: &'static str,
    /// The kind.
    pub(crate) resource: Resource,
    /// What it looks at: the kind itself, and others of the virtual cluster that it depends on.
    pub(crate) watches: &'static [Resource],
    /// Queues the keys that a change of one of those others concerns.
    pub(crate) also: fn(&Change, &dyn Cluster, &mut Triggers<'_>),
    /// What the configuration says of it.
    pub(crate) setting: fn(&VirtualClusterSpec) -> Setting<'_>,
    /// The fields of the object that are carried, or `ALL`.
    pub(crate) fields: &'static [&'static str],
    /// Which places follow the tenant after creation, each by itself: a path, wildcards allowed.
    pub(crate) follows: &'static [&'static str],
    /// Places that the API does not let change: another value there is another object.
    pub(crate) fixed: &'static [&'static str],
    /// Where it names objects of its own namespace, or cluster-scoped ones that are carried, too.
    pub(crate) references: &'static [(&'static str, Resource)],
    /// What else becomes of the host object: (sides, virtual object, host object so far).
    pub(crate) shape: fn(&Sides<'_>, &Value, &mut Value) -> Carry,
    /// What comes back; `None` when nothing does.
    pub(crate) report: Option<fn(&Sides<'_>, &Value, &Value) -> Report>,
}

/// What the configuration says of a kind.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) enabled: bool,
    pub(crate) patches: &'a [Patch],
}

impl<'a> Setting<'a> {
    /// The usual form of it.
    pub(crate) fn of(synced: &'a Synced) -> Self {
        Self {
            enabled: synced.enabled,
            patches: &synced.patches,
        }
    }
}

/// Whether an object is carried.
pub(crate) enum Carry {
    Yes,
    /// It is not the host's business; what is there goes.
    No,
    /// Something it needs is missing: nothing is made yet, and what is there stays.
    Waits(Notice),
    /// It may not be on the host; what is there goes.
    Refused(Notice),
}

/// What the tenant is told, as a warning about the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Notice {
    /// With the reason of most.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            reason: "SyncError",
            message: message.into(),
        }
    }
}

/// What of the host object comes back.
#[derive(Default)]
pub(crate) struct Report {
    /// A merge patch of the virtual object, status aside; `null` for none.
    pub(crate) main: Value,
    /// The whole status as the virtual object should have it; `null` for none.
    pub(crate) status: Value,
}

impl Row {
    /// A row with the usual answers: the spec is carried, each of its fields follows, nothing comes back.
    pub(crate) const fn new(
        rule: &'static str,
        resource: Resource,
        setting: fn(&VirtualClusterSpec) -> Setting<'_>,
    ) -> Self {
        Self {
            rule,
            resource,
            watches: &[],
            also: |_, _, _| {},
            setting,
            fields: &["spec"],
            follows: &["/spec/*"],
            fixed: &[],
            references: &[],
            shape: |_, _, _| Carry::Yes,
            report: None,
        }
    }
}

/// The host's status, as it is.
pub(crate) fn status(_: &Sides<'_>, _: &Value, host: &Value) -> Report {
    Report {
        main: Value::Null,
        status: host.at("/status").clone(),
    }
}

/// The rule of one row.
pub(crate) struct Mirrored {
    pub(crate) bindings: Arc<dyn Bindings>,
    pub(crate) row: &'static Row,
}

#[async_trait]
impl Reconciler for Mirrored {
    fn name(&self) -> &'static str {
        self.row.rule
    }

    fn actor(&self) -> &'static str {
        ACTOR
    }

    fn watches(&self) -> &'static [Resource] {
        match self.row.watches {
            [] => std::slice::from_ref(&self.row.resource),
            named => named,
        }
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        trigger(self.bindings.as_ref(), &self.row.resource, change, out);
        if !self.row.resource.is(&change.resource) && self.bindings.of_virtual(&change.cluster).is_some() {
            (self.row.also)(change, cluster, out);
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        if let Some(sides) = Sides::of(cx, self.bindings.as_ref()) {
            let binding = Arc::clone(&sides.binding);
            reconcile(self.row, (self.row.setting)(&binding.spec), &sides, key).await?;
        }
        Ok(Next::Wait)
    }
}

/// One object of a kind, seen from both sides.
pub(crate) struct Pass<'a> {
    pub(crate) row: &'a Row,
    pub(crate) patches: &'a [Patch],
    pub(crate) sides: &'a Sides<'a>,
    pub(crate) object: &'a Object,
    pub(crate) value: &'a Value,
}

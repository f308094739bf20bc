//! Policies and bindings as their objects describe them, read once per state of these objects.

use std::sync::{Arc, LazyLock};

use serde_json::Value;
use warren_apimachinery::GroupResource;
use warren_apimachinery::resource::{VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS};
use warren_apimachinery::value::ValueExt;
use warren_storage::Snapshot;

use super::super::webhook::matching::Matching;
use super::compiled::{self, Compiled};

static KINDS: LazyLock<[GroupResource; 2]> = LazyLock::new(|| {
    [
        VALIDATING_ADMISSION_POLICIES,
        VALIDATING_ADMISSION_POLICY_BINDINGS,
    ]
    .map(|r| r.group_resource())
});

/// The policies of a cluster that have a binding, and the objects they were read from.
pub(crate) struct Policies {
    tables: Snapshot,
    pub(super) all: Vec<Policy>,
}

impl Policies {
    /// Reads the policies of a state, by name.
    pub(crate) fn of(now: &Snapshot) -> Arc<Self> {
        let [policies, bindings] = &*KINDS;
        let bindings: Vec<(String, Binding)> = now
            .list(bindings, None)
            .map(|object| {
                let value = object.to_value();
                (value.text("/spec/policyName").to_owned(), Binding::of(&value))
            })
            .collect();
        let mut all = Vec::new();
        for object in now.list(policies, None) {
            let own = bindings.iter().filter(|(name, _)| *name == object.meta().name);
            let own: Vec<Binding> = own.map(|(_, binding)| binding.clone()).collect();
            if !own.is_empty() {
                all.push(Policy::of(&object.to_value(), own));
            }
        }
        Arc::new(Self {
            tables: now.only(&*KINDS),
            all,
        })
    }

    /// Whether any policy is bound: one look-up where none is.
    pub(crate) fn any(now: &Snapshot) -> bool {
        KINDS
            .iter()
            .rev()
            .all(|resource| now.list(resource, None).next().is_some())
    }

    /// Whether they still are the policies of `now`.
    pub(crate) fn are_of(&self, now: &Snapshot) -> bool {
        KINDS.iter().all(|resource| self.tables.same(now, resource))
    }
}

/// A policy with its bindings.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) matching: Matching,
    /// `failurePolicy: Ignore`.
    pub(super) fails_open: bool,
    /// `paramKind`: version and kind.
    pub(super) parameter: Option<(String, String)>,
    pub(super) bindings: Vec<Binding>,
    pub(super) compiled: Arc<Compiled>,
}

impl Policy {
    fn of(value: &Value, bindings: Vec<Binding>) -> Self {
        let spec = value.field("spec");
        let kind = spec.field("paramKind");
        Self {
            name: value.text("/metadata/name").to_owned(),
            matching: Matching::of(spec.field("matchConstraints"), "/resourceRules"),
            fails_open: spec.text("/failurePolicy") == "Ignore",
            parameter: (!kind.is_null())
                .then(|| (kind.text("/apiVersion").to_owned(), kind.text("/kind").to_owned())),
            bindings,
            compiled: compiled::shared(spec),
        }
    }
}

/// A binding.
#[derive(Clone)]
pub(super) struct Binding {
    pub(super) name: String,
    /// `None`: about all that its policy is.
    pub(super) matching: Option<Arc<Matching>>,
    pub(super) actions: Vec<String>,
    pub(super) parameters: Value,
}

impl Binding {
    fn of(value: &Value) -> Self {
        let spec = value.field("spec");
        let resources = spec.field("matchResources");
        let actions = spec.items("/validationActions").iter();
        Self {
            name: value.text("/metadata/name").to_owned(),
            matching: (!resources.is_null()).then(|| Arc::new(Matching::of(resources, "/resourceRules"))),
            actions: actions.filter_map(Value::as_str).map(str::to_owned).collect(),
            parameters: spec.field("paramRef").clone(),
        }
    }
}

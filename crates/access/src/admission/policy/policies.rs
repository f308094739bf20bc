//! Policies and bindings as their objects describe them, read once per state of these objects.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use warren_apimachinery::GroupResource;
use warren_apimachinery::resource::{
    MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS, VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
};
use warren_apimachinery::value::ValueExt;
use warren_storage::Snapshot;

use super::super::webhook::matching::Matching;
use super::compiled::{self, Compiled};

/// Policies and their bindings: of those that change writes, and of those that look at them.
static KINDS: LazyLock<[[GroupResource; 2]; 2]> = LazyLock::new(|| {
    [
        [MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS],
        [
            VALIDATING_ADMISSION_POLICIES,
            VALIDATING_ADMISSION_POLICY_BINDINGS,
        ],
    ]
    .map(|pair| pair.map(|resource| resource.group_resource()))
});

/// The policies of a cluster that have a binding, and the objects they were read from.
pub(crate) struct Policies {
    tables: Snapshot,
    pub(super) mutating: Vec<Policy>,
    pub(super) validating: Vec<Policy>,
}

impl Policies {
    /// Reads the policies of a state, by name.
    pub(crate) fn of(now: &Snapshot) -> Arc<Self> {
        let [mutating, validating] = &*KINDS;
        let all: Vec<GroupResource> = KINDS.iter().flatten().cloned().collect();
        Arc::new(Self {
            tables: now.only(&all),
            mutating: bound(now, mutating),
            validating: bound(now, validating),
        })
    }

    /// Whether any policy is bound: one look-up for each kind where none is.
    pub(crate) fn any(now: &Snapshot) -> bool {
        KINDS
            .iter()
            .any(|[_, bindings]| now.list(bindings, None).next().is_some())
    }

    /// Whether they still are the policies of `now`.
    pub(crate) fn are_of(&self, now: &Snapshot) -> bool {
        KINDS
            .iter()
            .flatten()
            .all(|resource| self.tables.same(now, resource))
    }
}

fn bound(now: &Snapshot, [policies, bindings]: &[GroupResource; 2]) -> Vec<Policy> {
    let mut of_policy: HashMap<String, Vec<Binding>> = HashMap::new();
    for object in now.list(bindings, None) {
        let value = object.to_value();
        let own = of_policy.entry(value.text("/spec/policyName").to_owned());
        own.or_default().push(Binding::of(&value));
    }
    let bound = now.list(policies, None).filter_map(|object| {
        let bindings = of_policy.remove(object.meta().name.as_str())?;
        Some(Policy::of(&object.to_value(), bindings))
    });
    bound.collect()
}

/// A policy with its bindings.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) matching: Matching,
    /// `failurePolicy: Ignore`.
    pub(super) fails_open: bool,
    /// `paramKind`: version and kind.
    pub(super) parameter: Option<(String, String)>,
    /// `reinvocationPolicy: IfNeeded`.
    pub(super) reinvocable: bool,
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
            reinvocable: spec.text("/reinvocationPolicy") == "IfNeeded",
            bindings,
            compiled: compiled::shared(spec),
        }
    }
}

/// A binding.
pub(super) struct Binding {
    pub(super) name: String,
    /// `None`: about all that its policy is.
    pub(super) matching: Option<Matching>,
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
            matching: (!resources.is_null()).then(|| Matching::of(resources, "/resourceRules")),
            actions: actions.filter_map(Value::as_str).map(str::to_owned).collect(),
            parameters: spec.field("paramRef").clone(),
        }
    }
}

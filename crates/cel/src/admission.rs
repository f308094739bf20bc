//! What expressions of admission see: policies, and the match conditions of webhooks.

use std::sync::{Arc, LazyLock};

use crate::declared::{Declared, Identity, Kind};
use crate::environment::Environment;
use crate::program::{Expression, Program};
use crate::typing::Type;

const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";

/// Variables that are there in some places only.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmissionVariables {
    /// `params`.
    pub params: bool,
    /// `authorizer` and `authorizer.requestResource`.
    pub authorizer: bool,
}

fn plain(kind: Kind) -> Arc<Declared> {
    Arc::new(Declared::new(kind))
}

fn texts() -> Arc<Declared> {
    plain(Kind::List {
        element: plain(Kind::String),
        identity: Identity::Place,
    })
}

static REQUEST: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let text = || plain(Kind::String);
    let kind = || {
        let fields = [("group", text()), ("version", text()), ("kind", text())];
        Declared::object("kubernetes.GroupVersionKind", fields)
    };
    let resource = || {
        let fields = [("group", text()), ("version", text()), ("resource", text())];
        Declared::object("kubernetes.GroupVersionResource", fields)
    };
    let user = Declared::object(
        "kubernetes.UserInfo",
        [
            ("username", text()),
            ("uid", text()),
            ("groups", texts()),
            ("extra", plain(Kind::Map(texts()))),
        ],
    );
    Declared::object(
        "kubernetes.AdmissionRequest",
        [
            ("kind", kind()),
            ("resource", resource()),
            ("subResource", text()),
            ("requestKind", kind()),
            ("requestResource", resource()),
            ("requestSubResource", text()),
            ("name", text()),
            ("namespace", text()),
            ("operation", text()),
            ("userInfo", user),
            ("dryRun", plain(Kind::Bool)),
            ("options", plain(Kind::Dyn)),
        ],
    )
});

static NAMESPACE: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let text = || plain(Kind::String);
    let map = || plain(Kind::Map(plain(Kind::String)));
    let condition = Declared::object(
        "kubernetes.NamespaceCondition",
        [
            ("status", text()),
            ("type", text()),
            ("lastTransitionTime", plain(Kind::Timestamp)),
            ("message", text()),
            ("reason", text()),
        ],
    );
    let conditions = plain(Kind::List {
        element: condition,
        identity: Identity::Place,
    });
    let metadata = Declared::object(
        "kubernetes.NamespaceMetadata",
        [
            ("name", text()),
            ("generateName", text()),
            ("namespace", text()),
            ("labels", map()),
            ("annotations", map()),
            ("UID", text()),
            ("creationTimestamp", plain(Kind::Timestamp)),
            ("deletionGracePeriodSeconds", plain(Kind::Int)),
            ("deletionTimestamp", plain(Kind::Timestamp)),
            ("generation", plain(Kind::Int)),
            ("resourceVersion", text()),
            ("finalizers", texts()),
        ],
    );
    let spec = Declared::object("kubernetes.NamespaceSpec", [("finalizers", texts())]);
    let status = [("conditions", conditions), ("phase", text())];
    Declared::object(
        "kubernetes.Namespace",
        [
            ("metadata", metadata),
            ("spec", spec),
            ("status", Declared::object("kubernetes.NamespaceStatus", status)),
        ],
    )
});

/// The type of `request`.
pub fn admission_request() -> &'static Declared {
    &REQUEST
}

/// The type of `namespaceObject`.
pub fn admission_namespace() -> &'static Declared {
    &NAMESPACE
}

/// The environment of an expression of admission; `variables` are those that a policy defines before it, with
/// their types.
pub fn admission_environment(has: AdmissionVariables, variables: Option<&[(String, Type)]>) -> Environment {
    let mut environment = Environment::new()
        .variable("object", Type::Dyn)
        .variable("oldObject", Type::Dyn)
        .declared("namespaceObject", "kubernetes.Namespace", &NAMESPACE)
        .declared("request", "kubernetes.AdmissionRequest", &REQUEST);
    if has.params {
        environment = environment.variable("params", Type::Dyn);
    }
    if has.authorizer {
        environment = environment
            .variable("authorizer", Type::Opaque(AUTHORIZER))
            .variable("authorizer.requestResource", Type::Opaque(RESOURCE_CHECK));
    }
    if let Some(variables) = variables {
        let fields = variables
            .iter()
            .map(|(name, kind)| (name.as_str(), declared(kind)));
        let declared = Declared::object_of("kubernetes.variables", fields);
        environment = environment.declared("variables", "kubernetes.variables", &declared);
    }
    environment
}

/// What stands for a type among the fields of an object; types that no JSON has are known at run time only.
fn declared(kind: &Type) -> Arc<Declared> {
    match kind {
        Type::Bool => plain(Kind::Bool),
        Type::Int => plain(Kind::Int),
        Type::Double => plain(Kind::Double),
        Type::String => plain(Kind::String),
        Type::Bytes => plain(Kind::Bytes),
        Type::Duration => plain(Kind::Duration),
        Type::Timestamp => plain(Kind::Timestamp),
        Type::List(element) => plain(Kind::List {
            element: declared(element),
            identity: Identity::Place,
        }),
        Type::Map(entry) if entry.0 == Type::String => plain(Kind::Map(declared(&entry.1))),
        Type::Object(_, declared) => Arc::clone(declared),
        _ => plain(Kind::Dyn),
    }
}

/// Compiles an expression of admission that must give one of `wanted`; any type will do where that is empty.
///
/// # Errors
/// Upstream's words.
pub fn admission_program(
    environment: &Environment,
    source: &str,
    wanted: &[Type],
) -> Result<Program, String> {
    let expression =
        Expression::check(environment, source).map_err(|error| format!("compilation failed: {error}"))?;
    let found = expression.result_type();
    if !wanted.is_empty() && !wanted.contains(found) {
        let shown = |kind: &Type| match kind {
            Type::Null => "null_type".to_owned(),
            kind => kind.to_string(),
        };
        let found = shown(found);
        let wanted: Vec<String> = wanted.iter().map(shown).collect();
        return Err(match wanted.as_slice() {
            [only] => format!("must evaluate to {only} but got {found}"),
            many => format!("must evaluate to one of [{}] but got {found}", many.join(" ")),
        });
    }
    expression
        .program()
        .map_err(|error| format!("program instantiation failed: {error}"))
}

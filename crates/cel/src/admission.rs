//! What expressions of admission see: policies, and the match conditions of webhooks.

use std::sync::{Arc, LazyLock};

use smol_str::SmolStr;

use crate::declared::{Declared, Identity, Kind};
use crate::environment::Environment;
use crate::library::Library;
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

const OBJECT: &str = "Object";
const JSON_PATCH: &str = "JSONPatch";

/// An operation of a JSON patch.
static PATCH: LazyLock<Arc<Declared>> = LazyLock::new(|| {
    let text = || plain(Kind::String);
    let fields = [
        ("op", text()),
        ("path", text()),
        ("from", text()),
        ("value", plain(Kind::Dyn)),
    ];
    Declared::object(JSON_PATCH, fields)
});

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
    with_variables(environment, variables.unwrap_or_default(), variables.is_some())
}

/// The environment of an expression that changes objects: the same, with the types that patches are made of.
pub fn mutation_environment(has: AdmissionVariables, variables: &[(String, Type)]) -> Environment {
    admission_environment(has, Some(variables))
        .open_message(OBJECT)
        .message(JSON_PATCH, &PATCH)
        .library(Library::JsonPatch)
}

/// The type of what an apply configuration evaluates to.
pub fn apply_configuration_type() -> Type {
    Type::Object(SmolStr::new_static(OBJECT), Arc::clone(&PATCH))
}

/// The type of what a JSON patch evaluates to.
pub fn json_patch_type() -> Type {
    Type::list(Type::of_declared(JSON_PATCH, &PATCH))
}

/// What is known of objects when the types of a policy's expressions are looked at: name and type.
pub type Typed<'a> = Option<(&'a str, &'a Arc<Declared>)>;

/// The environment in which the types of a policy's expressions are looked at. `params` is none for a policy
/// without parameters. As upstream's, it has no `authorizer.requestResource`.
pub fn typed_environment(
    object: Typed<'_>,
    params: Option<Typed<'_>>,
    variables: &[(String, Type)],
) -> Environment {
    let typed = |environment: Environment, name: &str, typed: Typed<'_>| match typed {
        Some((kind, declared)) => environment.declared(name, kind, declared),
        None => environment.variable(name, Type::Dyn),
    };
    let mut environment = Environment::new()
        .declared("namespaceObject", "kubernetes.Namespace", &NAMESPACE)
        .declared("request", "kubernetes.AdmissionRequest", &REQUEST)
        .variable("authorizer", Type::Opaque(AUTHORIZER));
    for name in ["object", "oldObject"] {
        environment = typed(environment, name, object);
    }
    if let Some(params) = params {
        environment = typed(environment, "params", params);
    }
    with_variables(environment, variables, true)
}

fn with_variables(environment: Environment, variables: &[(String, Type)], has_them: bool) -> Environment {
    if !has_them {
        return environment;
    }
    let fields = variables
        .iter()
        .map(|(name, kind)| (name.as_str(), declared(kind)));
    let declared = Declared::object_of("kubernetes.variables", fields);
    environment.declared("variables", "kubernetes.variables", &declared)
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
        // As upstream, the fields of a variable that is an object are known at run time only.
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
        let found = found.output_name();
        let wanted: Vec<String> = wanted.iter().map(Type::output_name).collect();
        return Err(match wanted.as_slice() {
            [only] => format!("must evaluate to {only} but got {found}"),
            many => format!("must evaluate to one of [{}] but got {found}", many.join(" ")),
        });
    }
    expression
        .program()
        .map_err(|error| format!("program instantiation failed: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bindings::Bindings;

    const HAS: AdmissionVariables = AdmissionVariables {
        params: false,
        authorizer: false,
    };

    fn patch(source: &str, wanted: Type) -> Result<serde_json::Value, String> {
        let program = admission_program(&mutation_environment(HAS, &[]), source, &[wanted])?;
        let object = json!({"metadata": {"name": "a"}, "spec": {"replicas": 1}});
        let bindings = Bindings::new().json("object", &object);
        let outcome = program.evaluate(&bindings);
        let value = outcome.value.map_err(|error| error.to_string())?;
        value.check_message_names()?;
        value.to_json().ok_or_else(|| "no JSON".to_owned())
    }

    #[test]
    fn an_apply_configuration_is_an_object_with_any_fields() {
        let check = |source: &str, expect: Result<serde_json::Value, &str>| {
            let found = patch(source, apply_configuration_type());
            assert_eq!(found, expect.map_err(str::to_owned), "{source}");
        };
        check(
            "Object{spec: Object.spec{replicas: object.spec.replicas + 1, ?paused: optional.none()}}",
            Ok(json!({"spec": {"replicas": 2}})),
        );
        check(
            "Object{spec: Object.spec{list: [Object.spec.list{name: 'a'}], map: {'x': Object.spec.map{}}}}",
            Ok(json!({"spec": {"list": [{"name": "a"}], "map": {"x": {}}}})),
        );
        check(
            "Object{spec: Object.status{}}",
            Err(
                "unexpected type name \"Object.status\", expected \"Object.spec\", which matches field name path from root Object type",
            ),
        );
        check(
            "Object.spec{}",
            Err("must evaluate to Object but got Object.spec"),
        );
        check(
            "{'a': 1}",
            Err("must evaluate to Object but got map(string, int)"),
        );
    }

    #[test]
    fn a_json_patch_is_a_list_of_operations() {
        let check = |source: &str, expect: Result<serde_json::Value, &str>| {
            let found = patch(source, json_patch_type());
            assert_eq!(found, expect.map_err(str::to_owned), "{source}");
        };
        check(
            "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b~c'), value: {'x': 1}}]",
            Ok(json!([{"op": "add", "path": "/metadata/labels/a~1b~0c", "value": {"x": 1}}])),
        );
        check(
            "[JSONPatch{op: 'add', path: '/spec', value: Object.spec{replicas: 3}}] + (true ? [] : [JSONPatch{}])",
            Ok(json!([{"op": "add", "path": "/spec", "value": {"replicas": 3}}])),
        );
        check("[]", Err("must evaluate to list(JSONPatch) but got list(dyn)"));
        check(
            "JSONPatch{}",
            Err("must evaluate to list(JSONPatch) but got JSONPatch"),
        );
    }
}

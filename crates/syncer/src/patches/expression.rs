//! Expressions of patches: CEL where vCluster has JavaScript, with the same words. `value` is what stands at the path;
//! `context.virtualObject`, `context.hostObject`, `context.path` and `context.vcluster.{name,namespace}` are around it.

use std::sync::OnceLock;

use serde_json::{Value, json};
use warren_cel::{Bindings, Cache, Environment, Program, Type};

use super::Scene;

/// Programs of this many expressions are kept, those used last; the same text of two virtual clusters is one.
const PROGRAMS_MAX: usize = 1024;

type Programs = Cache<String, Result<Program, String>>;

/// What the expression makes of the value at a place.
///
/// # Errors
/// Why it cannot be compiled or evaluated.
pub(super) fn evaluate(
    source: &str,
    scene: &Scene<'_>,
    (place, value): (&str, &Value),
) -> Result<Value, String> {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| Cache::new(PROGRAMS_MAX));
    let program = programs.find_or_insert(&source.to_owned(), || {
        Program::compile(&environment(), source).map_err(|error| error.to_string())
    });
    let program = program.as_ref().as_ref().map_err(Clone::clone)?;
    let context = match program.uses("context") {
        true => context(scene, place),
        false => Value::Null,
    };
    let bindings = Bindings::new().json("value", value).json("context", &context);
    let result = program
        .evaluate(&bindings)
        .value
        .map_err(|error| error.to_string())?;
    result
        .to_json()
        .ok_or_else(|| "its value is none that an object can hold".to_owned())
}

fn environment() -> Environment {
    Environment::new()
        .variable("value", Type::Dyn)
        .variable("context", Type::Dyn)
}

fn context(scene: &Scene<'_>, place: &str) -> Value {
    let tenant = &scene.binding.tenant;
    json!({
        "virtualObject": scene.virtual_object,
        "hostObject": scene.host_object,
        "path": place,
        "vcluster": {"name": tenant.cluster(), "namespace": tenant.host_namespace().0.as_str()},
    })
}

//! Expressions of patches: CEL where vCluster has JavaScript, with the same words. `value` is what stands at the path;
//! `context.virtualObject`, `context.hostObject`, `context.path` and `context.vcluster.{name,namespace}` are around it.

use serde_json::{Value, json};

use super::Scene;

/// What the expression makes of the value at a place.
///
/// # Errors
/// Why it cannot be compiled or evaluated.
pub(super) fn evaluate(
    source: &str,
    scene: &Scene<'_>,
    (place, value): (&str, &Value),
) -> Result<Value, String> {
    let _ = (context(scene, place), value);
    Err(format!("{source:?} cannot be evaluated"))
}

fn context(scene: &Scene<'_>, place: &str) -> Value {
    let tenant = &scene.sides.binding.tenant;
    json!({
        "virtualObject": scene.virtual_object,
        "hostObject": scene.host_object,
        "path": place,
        "vcluster": {"name": tenant.cluster(), "namespace": tenant.host_namespace().0.as_str()},
    })
}

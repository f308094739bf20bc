//! `params`: the objects that a binding gives to its policy.

use serde_json::Value;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersionResource, ObjectKey};
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

use super::policies::{Binding, Policy};

/// The parameters, one evaluation each; `None` for an evaluation without.
///
/// # Errors
/// Upstream's words for a binding that can't be followed.
pub(super) fn of(
    policy: &Policy,
    binding: &Binding,
    request: &AdmissionRequest<'_>,
    now: &Snapshot,
) -> Result<Vec<Option<Value>>, String> {
    let (Some((version, kind)), false) = (&policy.parameter, binding.parameters.is_null()) else {
        return Ok(vec![None]);
    };
    let reference = &binding.parameters;
    let catalogue = request.registry.catalogue();
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let definition = catalogue
        .iter()
        .find(|known| {
            known.group == group
                && known.kind == *kind
                && known.versions.iter().any(|known| known.name == version)
        })
        .ok_or_else(|| format!("paramKind kind `{group}/{version}, Kind={kind}` not known"))?;
    let namespace = if definition.is_namespaced() {
        match (reference.text("/namespace"), request.key.namespace.as_str()) {
            ("", "") => {
                return Err(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                        .to_owned(),
                );
            }
            ("", own) => own,
            (other, _) => other,
        }
    } else if reference.text("/namespace").is_empty() {
        ""
    } else {
        return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".to_owned());
    };
    let resource = GroupVersionResource {
        group: definition.group.clone(),
        version: version.into(),
        resource: definition.plural.clone(),
    };
    let show = |value: &Value| request.registry.show(&resource, value);
    let name = reference.text("/name");
    let found: Vec<Option<Value>> = if name.is_empty() {
        let selector =
            LabelSelector::from_json(reference.at("/selector")).map_err(|error| error.to_string())?;
        let scope = definition.is_namespaced().then_some(namespace);
        now.list(&definition.storage, scope)
            .filter(|object| selector.matches(object.meta()))
            .map(|object| Some(show(&object.to_value())))
            .collect()
    } else {
        let key = ObjectKey::namespaced(namespace, name);
        let object = now.get(&definition.storage, &key);
        object
            .map(|object| Some(show(&object.to_value())))
            .into_iter()
            .collect()
    };
    if found.is_empty() && reference.text("/parameterNotFoundAction") != "Allow" {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
    }
    Ok(found)
}

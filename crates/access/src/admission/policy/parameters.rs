//! `params`: the objects that a binding gives to its policy.

use serde_json::Value;
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, GroupVersionResource, ObjectKey};
use warren_registry::admission::AdmissionRequest;
use warren_storage::Snapshot;

use super::super::webhook::matching::namespace;
use super::policies::{Binding, Policy};

/// The kind of a policy's parameters; `None` for a policy without.
///
/// # Errors
/// Upstream's words for a kind that is not served.
pub(super) fn kind(policy: &Policy, request: &AdmissionRequest<'_>) -> Result<Option<Kind>, String> {
    let Some((version, kind)) = &policy.parameter else {
        return Ok(None);
    };
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let catalogue = request.registry.catalogue();
    let found = catalogue
        .kind(group, kind)
        .filter(|definition| definition.version(version).is_some());
    let definition = found.ok_or_else(|| {
        format!("failed to find resource referenced by paramKind: '{group}/{version}, Kind={kind}'")
    })?;
    Ok(Some(Kind {
        resource: GroupVersionResource {
            group: definition.group.clone(),
            version: version.into(),
            resource: definition.plural.clone(),
        },
        storage: definition.storage.clone(),
        is_namespaced: definition.is_namespaced(),
    }))
}

/// A kind of parameters.
pub(super) struct Kind {
    resource: GroupVersionResource,
    storage: GroupResource,
    is_namespaced: bool,
}

/// The parameters that a binding gives, one evaluation each; `None` for an evaluation without.
///
/// # Errors
/// Upstream's words for a binding that can't be followed.
pub(super) fn of(
    kind: Option<&Kind>,
    binding: &Binding,
    request: &AdmissionRequest<'_>,
    now: &Snapshot,
) -> Result<Vec<Option<Value>>, String> {
    let reference = &binding.parameters;
    let Some(kind) = kind.filter(|_| !reference.is_null()) else {
        return Ok(vec![None]);
    };
    let namespace = if kind.is_namespaced {
        match (reference.text("/namespace"), namespace(request)) {
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
    let show = |value: &Value| request.registry.show(&kind.resource, value);
    let name = reference.text("/name");
    let found: Vec<Option<Value>> = if name.is_empty() {
        let selector =
            LabelSelector::from_json(reference.at("/selector")).map_err(|error| error.to_string())?;
        let scope = kind.is_namespaced.then_some(namespace);
        now.list(&kind.storage, scope)
            .filter(|object| selector.matches(object.meta()))
            .map(|object| Some(show(&object.to_value())))
            .collect()
    } else {
        let key = ObjectKey::namespaced(namespace, name);
        let object = now.get(&kind.storage, &key);
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

//! NamespaceExists: nothing is written where there is no namespace; NamespaceLifecycle says so already.

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::NAMESPACES;
use warren_registry::admission::Operation;

use super::Asked;

pub(super) fn validate(cx: &Asked<'_>, _: Option<&Value>) -> Result<(), Status> {
    let namespace = cx.key.namespace.as_str();
    let is_asked =
        cx.operation != Operation::Connect && !namespace.is_empty() && !NAMESPACES.is(&cx.resource);
    if is_asked && cx.find(&NAMESPACES, "", namespace).is_none() {
        return Err(Status::not_found(&NAMESPACES.group_resource(), namespace));
    }
    Ok(())
}

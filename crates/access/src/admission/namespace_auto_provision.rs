//! NamespaceAutoProvision: what is created in a namespace that is not there brings the namespace.

use serde_json::json;
use warren_apimachinery::resource::NAMESPACES;
use warren_apimachinery::{ObjectKey, Status, StatusReason, UserInfo};
use warren_registry::admission::{AdmissionRequest, Operation};
use warren_registry::{Request, Warnings};

/// In whose name namespaces are made, as upstream's API server uses its own account.
const MANAGER: &str = "kube-apiserver";

pub(super) async fn provision(request: &AdmissionRequest<'_>) -> Result<(), Status> {
    let namespace = &request.key.namespace;
    let resource = request.definition.group_resource();
    let is_asked = request.operation == Operation::Create
        && !request.dry_run
        && !namespace.is_empty()
        && !NAMESPACES.is(&resource);
    let key = ObjectKey::cluster(namespace.clone());
    let store = request.registry.store();
    if !is_asked || store.head().get(&NAMESPACES.group_resource(), &key).is_some() {
        return Ok(());
    }
    let (user, warnings) = (UserInfo::system("apiserver"), Warnings::default());
    let catalogue = request.registry.catalogue();
    let Some((definition, _)) = catalogue.served("", "v1", NAMESPACES.plural) else {
        return Ok(());
    };
    let cx = Request::new(&user, MANAGER, "v1", &warnings);
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.as_str()}});
    match Box::pin(request.registry.create(&cx, definition, "", object)).await {
        Ok(_) => Ok(()),
        Err(error) if error.is(StatusReason::AlreadyExists) => Ok(()),
        Err(error) => Err(Status::forbidden(&resource, &request.key.name, error.message())),
    }
}

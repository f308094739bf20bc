//! What a cluster has of its own from its first moment on, beyond the template: its namespaces, with uids of their
//! own, and `default/kubernetes`.

use serde_json::{Value, json};
use warren_access::bootstrap;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, StatusReason, UserInfo};
use warren_registry::{Request, Warnings};

use crate::error::FleetError;
use crate::tenant::Tenant;

/// Creates what is missing. `service_ip` is the address of `default/kubernetes` where the cluster does not choose it
/// itself.
pub(crate) async fn first_objects(tenant: &Tenant, service_ip: Option<&str>) -> Result<(), FleetError> {
    let made = bootstrap::namespaces()
        .into_iter()
        .map(|namespace| create(tenant, namespace));
    for result in futures_util::future::join_all(made).await {
        result?;
    }
    let mut service = bootstrap::kubernetes_service();
    if let Some(ip) = service_ip {
        service.set("/spec/clusterIP", ip);
        service.set("/spec/clusterIPs", json!([ip]));
    }
    create(tenant, service).await
}

async fn create(tenant: &Tenant, object: Value) -> Result<(), FleetError> {
    let registry = tenant.registry();
    let catalogue = registry.catalogue();
    let (namespace, name) = (object.text("/metadata/namespace"), object.text("/metadata/name"));
    let Some(definition) = catalogue.kind("", object.text("/kind")) else {
        return Ok(());
    };
    let key = ObjectKey::namespaced(namespace, name);
    if registry.find(definition, &key).is_some() {
        return Ok(());
    }
    let user = UserInfo::system("system:apiserver");
    let warnings = Warnings::default();
    let cx = Request::new(&user, "kube-apiserver", "v1", &warnings);
    let namespace = namespace.to_owned();
    match registry.create(&cx, definition, &namespace, object).await {
        Err(status) if !status.is(StatusReason::AlreadyExists) => Err(FleetError::Bootstrap {
            cluster: tenant.id().clone(),
            source: status,
        }),
        _ => Ok(()),
    }
}

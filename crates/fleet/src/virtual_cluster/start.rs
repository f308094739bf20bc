//! What a cluster has of its own from its first moment on, beyond the template: its namespaces, with uids of their
//! own, and `default/kubernetes`; and what it gets back when it is loaded again.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use warren_access::bootstrap::{self, Correction};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupVersion, ObjectKey, Status, StatusReason, UserInfo};
use warren_reconciler::{Cluster, DeleteOptions, Part};
use warren_registry::{LocalCluster, Request, Warnings};

use crate::error::FleetError;
use crate::tenant::Tenant;

/// Where a cluster's own API is, seen from its pods.
pub(crate) enum ApiAddress<'a> {
    /// At the first address of the cluster's own range of services.
    OwnRange(&'a str, IpAddr),
    /// At an address that the host gave; `None` while it has none.
    OfHost(Option<IpAddr>),
}

/// Creates what is missing.
pub(crate) async fn first_objects(tenant: &Tenant, api: ApiAddress<'_>) -> Result<(), FleetError> {
    let namespaces = bootstrap::namespaces().into_iter();
    let made = namespaces.map(|namespace| create(tenant, namespace));
    for result in futures_util::future::join_all(made).await {
        result?;
    }
    let mut service = bootstrap::kubernetes_service();
    let (address, others) = match api {
        ApiAddress::OwnRange(range, address) => {
            (Some(address), bootstrap::service_range(range, address).to_vec())
        }
        ApiAddress::OfHost(Some(address)) => (
            Some(address),
            bootstrap::kubernetes_endpoints(address, 443).to_vec(),
        ),
        ApiAddress::OfHost(None) => (None, Vec::new()),
    };
    if let Some(address) = address {
        service.set("/spec/clusterIP", address.to_string());
        service.set("/spec/clusterIPs", json!([address.to_string()]));
    }
    for object in std::iter::once(service).chain(others) {
        create(tenant, object).await?;
    }
    Ok(())
}

async fn create(tenant: &Tenant, object: Value) -> Result<(), FleetError> {
    let registry = tenant.registry();
    let catalogue = registry.catalogue();
    let (namespace, name) = (object.text("/metadata/namespace"), object.text("/metadata/name"));
    let version = GroupVersion::parse(object.text("/apiVersion"));
    let Some(version) = version else { return Ok(()) };
    let Some(definition) = catalogue.kind(&version.group, object.text("/kind")) else {
        return Ok(());
    };
    let key = ObjectKey::namespaced(namespace, name);
    if registry.find(definition, &key).is_some() {
        return Ok(());
    }
    let user = UserInfo::system("system:apiserver");
    let warnings = Warnings::default();
    let cx = Request::new(&user, "kube-apiserver", &version.version, &warnings);
    let namespace = namespace.to_owned();
    match registry.create(&cx, definition, &namespace, object).await {
        Err(status) if !status.is(StatusReason::AlreadyExists) => Err(FleetError::Bootstrap {
            cluster: tenant.id().clone(),
            source: status,
        }),
        _ => Ok(()),
    }
}

/// Gives a cluster that was loaded what it lacks of the bootstrap objects: those of a later version, and those that
/// somebody took away or cut, as upstream does at each start.
pub(crate) async fn restore(tenant: &Tenant) -> Result<(), FleetError> {
    let corrections = bootstrap::reconcile(bootstrap::objects(), &tenant.store().snapshot());
    let cluster = LocalCluster::new(Arc::clone(tenant.registry()), "kube-apiserver");
    for correction in corrections {
        let written = correct(&cluster, correction).await;
        written.map_err(|source| FleetError::Bootstrap {
            cluster: tenant.id().clone(),
            source,
        })?;
    }
    Ok(())
}

/// Writes a correction.
pub(crate) async fn correct(cluster: &dyn Cluster, correction: Correction) -> Result<(), Status> {
    let made = match correction {
        Correction::Create(object) => cluster.create(&object.resource, object.value).await,
        Correction::Update(object) => cluster.update(&object.resource, Part::Main, object.value).await,
        Correction::Replace(object) => {
            let value = &object.value;
            let key = ObjectKey::namespaced(value.text("/metadata/namespace"), value.text("/metadata/name"));
            cluster
                .delete(&object.resource, &key, DeleteOptions::default())
                .await?;
            cluster.create(&object.resource, object.value).await
        }
    };
    made.map(|_| ())
}

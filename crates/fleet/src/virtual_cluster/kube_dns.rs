//! `kube-system/kube-dns` in a virtual cluster: the Service under which people and charts look for DNS. Its address is
//! that of the host Service; it selects nothing, because no pod serves it.

use std::net::IpAddr;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Resource, Status, StatusReason, resource};
use warren_config::CoreDnsService;
use warren_reconciler::{Cluster, DeleteOptions};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-dns";
/// As every distribution labels it; charts and dashboards find it by these.
const LABELS: [(&str, &str); 3] = [
    ("k8s-app", "kube-dns"),
    ("kubernetes.io/cluster-service", "true"),
    ("kubernetes.io/name", "CoreDNS"),
];
/// Marks what is made here, so that a Service that a tenant made is left alone.
const OURS: &str = "warren.dev/name-server";

/// Sees to it that the Service is there with this address, or gone where there is none.
///
/// # Errors
/// What the API answers.
pub(super) async fn keep(
    cluster: &dyn Cluster,
    address: Option<IpAddr>,
    asked: &CoreDnsService,
) -> Result<(), Status> {
    let wanted = address.map(|address| objects(address, asked)).unwrap_or_default();
    for resource in [resource::SERVICES, resource::ENDPOINT_SLICES] {
        let wanted = wanted.iter().find(|object| object.text("/kind") == resource.kind);
        keep_one(cluster, &resource, wanted).await?;
    }
    Ok(())
}

async fn keep_one(cluster: &dyn Cluster, resource: &Resource, wanted: Option<&Value>) -> Result<(), Status> {
    let key = ObjectKey::namespaced(NAMESPACE, NAME);
    if let Some(found) = cluster.get(resource, &key) {
        let value = found.to_value();
        let is_ours = !value.at("/metadata/annotations").field(OURS).is_null();
        if !is_ours || wanted.is_some_and(|wanted| is_as(&value, wanted)) {
            return Ok(());
        }
        // The address of a Service cannot change.
        let options = DeleteOptions {
            uid: Some(found.meta().uid.to_string()),
            ..DeleteOptions::default()
        };
        match cluster.delete(resource, &key, options).await {
            Err(status) if !status.is(StatusReason::NotFound) => return Err(status),
            _ => {}
        }
    }
    let Some(wanted) = wanted else { return Ok(()) };
    match cluster.create(resource, wanted.clone()).await {
        Err(status) if !status.is(StatusReason::AlreadyExists) => Err(status),
        _ => Ok(()),
    }
}

/// Whether what leads to the server stands as it is wanted.
fn is_as(found: &Value, wanted: &Value) -> bool {
    let same = |pointer: &str| found.at(pointer) == wanted.at(pointer);
    let address = ["/spec/clusterIP", "/endpoints/0/addresses"];
    address.iter().all(|pointer| same(pointer))
        && found.items("/spec/ports").len() == wanted.items("/spec/ports").len()
}

fn objects(address: IpAddr, asked: &CoreDnsService) -> [Value; 2] {
    let text = address.to_string();
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let ports = json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]);
    let metadata = |labels: &[(&str, &str)]| {
        let mut metadata = json!({"name": NAME, "namespace": NAMESPACE, "annotations": {OURS: "true"}});
        for (key, value) in labels {
            if let Some(labels) = metadata.object_at("/labels") {
                labels.insert((*key).to_owned(), (*value).into());
            }
        }
        metadata
    };
    let mut service = metadata(&LABELS);
    for (pointer, more) in [("/labels", &asked.labels), ("/annotations", &asked.annotations)] {
        if let Some(map) = service.object_at(pointer) {
            for (key, value) in more {
                map.entry(key.clone()).or_insert_with(|| value.as_str().into());
            }
        }
    }
    [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": service,
            "spec": {"type": "ClusterIP", "clusterIP": text, "clusterIPs": [text], "ipFamilies": [family],
                "ipFamilyPolicy": "SingleStack", "ports": ports}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": metadata(&[("kubernetes.io/service-name", NAME)]), "addressType": family,
            "endpoints": [{"addresses": [text], "conditions": {"ready": true}}], "ports": ports}),
    ]
}

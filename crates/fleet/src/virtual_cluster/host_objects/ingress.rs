//! `controlPlane.ingress`: an Ingress on the host that leads to the API. Its controller must pass TLS through.

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Status, resource};

use super::Place;

/// Keeps the Ingress, or sees to it that it is gone.
pub(crate) async fn ingress(place: &Place<'_>) -> Result<(), Status> {
    let (asked, name) = (
        &place.wanted.spec.control_plane.ingress,
        place.wanted.key.name.as_str(),
    );
    if !asked.enabled {
        return place.drop(&resource::INGRESSES, name).await;
    }
    let mut spec = match &asked.spec {
        Value::Object(_) => asked.spec.clone(),
        _ => json!({}),
    };
    if spec.items("/rules").is_empty() {
        let backend = json!({"service": {"name": name, "port": {"name": "https"}}});
        spec.set(
            "/rules",
            json!([{"host": asked.host, "http": {"paths": [
                {"path": "/", "pathType": asked.path_type, "backend": backend}]}}]),
        );
    }
    let object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec,
        "metadata": place.metadata(name, &asked.labels, &asked.annotations)});
    place.keep(&resource::INGRESSES, object, &[]).await.map(|_| ())
}

//! `managedFields` along the lifecycle.

use serde_json::json;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;

use crate::cluster::{Cluster, config_map, deployment};

#[tokio::test]
async fn a_manager_owns_what_it_wrote_and_nothing_that_the_system_added() {
    let mut cluster = Cluster::new();
    let made = cluster.create("configmaps", config_map("a")).await.unwrap();
    assert_eq!(
        made.at("/metadata/managedFields"),
        &json!([{"manager": "tester", "operation": "Update", "apiVersion": "v1", "time": "2026-11-22T10:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:a": {}}}}])
    );
    cluster.manager = "other";
    let patched = cluster
        .merge("configmaps", "a", json!({"data": {"b": "2"}}))
        .await
        .unwrap();
    assert_eq!(patched.items("/metadata/managedFields").len(), 2);
}

#[tokio::test]
async fn status_is_owned_through_its_subresource() {
    let mut cluster = Cluster::new();
    let mut object = cluster.create("deployments", deployment("d")).await.unwrap();
    cluster.manager = "controller";
    object.set("/status/replicas", 1);
    let written = cluster.update("deployments", Part::Status, object).await.unwrap();
    let value = written.object.to_value();
    let entry = &value.items("/metadata/managedFields")[0];
    assert_eq!(
        (entry.text("/manager"), entry.text("/subresource")),
        ("controller", "status")
    );
    assert_eq!(entry["fieldsV1"], json!({"f:status": {"f:replicas": {}}}));
}

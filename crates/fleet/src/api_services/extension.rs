//! `kube-system/extension-apiserver-authentication`: by which the servers of aggregated APIs know that a request comes
//! from their cluster's API server, and whom its headers name.

use serde_json::json;
use warren_apimachinery::resource::CONFIG_MAPS;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, StatusReason};
use warren_reconciler::{Context, Next, Part, ReconcileError};

use crate::tenant::Tenant;

/// Where it is.
pub(super) const NAMESPACE: &str = "kube-system";
/// The common name that the front proxy's certificate has.
pub(crate) const FRONT_PROXY: &str = "front-proxy-client";

pub(super) fn key() -> ObjectKey {
    ObjectKey::namespaced(NAMESPACE, "extension-apiserver-authentication")
}

/// Makes it, or brings it up to date.
pub(super) async fn ensure(cx: &Context, tenant: &Tenant) -> Result<Next, ReconcileError> {
    let authority = tenant.authority_pem();
    let data = json!({
        "client-ca-file": authority,
        "requestheader-allowed-names": json!([FRONT_PROXY]).to_string(),
        "requestheader-client-ca-file": authority,
        "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
        "requestheader-group-headers": r#"["X-Remote-Group"]"#,
        "requestheader-uid-headers": r#"["X-Remote-Uid"]"#,
        "requestheader-username-headers": r#"["X-Remote-User"]"#});
    let key = key();
    match cx.cluster.get(&CONFIG_MAPS, &key) {
        Some(there) if *there.to_value().at("/data") == data => {}
        Some(_) => {
            let patch = json!({"data": data});
            cx.cluster
                .merge_patch(&CONFIG_MAPS, &key, Part::Main, patch)
                .await?;
        }
        None => {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": key.name, "namespace": key.namespace}, "data": data});
            match cx.cluster.create(&CONFIG_MAPS, object).await {
                Err(status) if status.is(StatusReason::AlreadyExists) => {}
                made => drop(made?),
            }
        }
    }
    Ok(Next::Wait)
}

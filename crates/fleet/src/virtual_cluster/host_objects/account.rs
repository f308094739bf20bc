//! The host ServiceAccount that the tenant's pods run as: without rights, and without a token in the pods.

use serde_json::json;
use warren_apimachinery::{Status, resource};

use super::{Kept, Place};

/// Keeps the account, where it is wanted; an account of that name that is there already is used as it is.
pub(crate) async fn account(place: &Place<'_>) -> Result<(), Status> {
    let asked = &place.wanted.spec.control_plane.advanced.workload_service_account;
    let name = asked.account_name(&place.wanted.key.name);
    if !asked.enabled {
        return place.drop(&resource::SERVICE_ACCOUNTS, &name).await;
    }
    let mut object = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
        "metadata": place.metadata(&name, &asked.labels, &asked.annotations)});
    if !asked.image_pull_secrets.is_empty()
        && let Some(object) = object.as_object_mut()
    {
        object.insert("imagePullSecrets".to_owned(), json!(asked.image_pull_secrets));
    }
    if let Kept::Foreign = place.keep(&resource::SERVICE_ACCOUNTS, object, &[]).await? {
        tracing::debug!(cluster = %place.wanted.key, account = %name, "the workload account is somebody else's");
    }
    Ok(())
}

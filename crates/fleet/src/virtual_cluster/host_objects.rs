//! What a virtual cluster has on the host beside its pods: the Service of its API, and the admin's kubeconfig.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, StatusReason, resource};
use warren_config::{GROUP, KIND, VERSION, VirtualCluster};
use warren_pki::{Credentials, Kubeconfig};
use warren_reconciler::{Context, Part, ReconcileError};

use super::changes;
use crate::tenant::Tenant;

/// The entry of `metadata.ownerReferences` that everything of the virtual cluster on the host carries.
pub(super) fn owner(wanted: &VirtualCluster) -> Value {
    json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND, "name": wanted.key.name, "uid": wanted.uid})
}

/// Sees to it that the host Service of the API is there, and answers its cluster IP. A Service of that name that is
/// not ours is left alone; the virtual cluster then has no address on the host's network.
pub(super) async fn service(cx: &Context, wanted: &VirtualCluster) -> Result<Option<String>, Status> {
    let key = wanted.key.clone();
    let found = cx.cluster.get(&resource::SERVICES, &key);
    let service = match found {
        Some(service) if service.meta().owners.iter().all(|owner| owner.uid != wanted.uid) => {
            return Ok(None);
        }
        Some(service) => service,
        None => {
            let service = json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": key.name, "namespace": key.namespace, "ownerReferences": [owner(wanted)],
                    "labels": {"app": "warren", "release": key.name}},
                "spec": {"type": "ClusterIP", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]}});
            match cx.cluster.create(&resource::SERVICES, service).await {
                Err(status) if status.is(StatusReason::Invalid) => {
                    tracing::warn!(cluster = %key, %status, "the host refused the service of the API");
                    return Ok(None);
                }
                made => made?,
            }
        }
    };
    let ip = service.to_value().text("/spec/clusterIP").to_owned();
    Ok((!ip.is_empty() && ip != "None").then_some(ip))
}

/// Keeps the Secret `vc-<name>`: keys as vCluster's. The certificate in it is kept while it holds.
pub(super) async fn kubeconfig_secret(
    cx: &Context,
    wanted: &VirtualCluster,
    tenant: &Tenant,
    server: &str,
) -> Result<(), ReconcileError> {
    let key = ObjectKey::namespaced(wanted.key.namespace.clone(), format!("vc-{}", wanted.key.name));
    let old = cx
        .cluster
        .get(&resource::SECRETS, &key)
        .map(|secret| secret.to_value());
    let context = wanted.spec.export_kube_config.context.clone();
    let context = context.unwrap_or_else(|| format!("warren_{}_{}", wanted.key.name, wanted.key.namespace));
    if let Some(old) = &old
        && is_current(old, tenant.authority_pem(), server, &context)
    {
        return Ok(());
    }
    let admin = tenant
        .issue_admin(cx.now)
        .map_err(|error| ReconcileError::Retry(super::chain(&error)))?;
    let config = Kubeconfig {
        name: context,
        server: server.to_owned(),
        authority_pem: tenant.authority_pem().to_owned(),
        tls_server_name: None,
        credentials: Credentials::Certificate(admin.clone()),
        namespace: None,
    };
    let data = json!({
        "config": STANDARD.encode(config.to_yaml()),
        "certificate-authority": STANDARD.encode(tenant.authority_pem()),
        "client-certificate": STANDARD.encode(&admin.certificate_pem),
        "client-key": STANDARD.encode(&admin.key_pem)});
    match old {
        None => {
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": key.name, "namespace": key.namespace, "ownerReferences": [owner(wanted)]},
                "data": data});
            cx.cluster.create(&resource::SECRETS, secret).await?;
        }
        Some(old)
            if old
                .items("/metadata/ownerReferences")
                .iter()
                .any(|o| o.text("/uid") == wanted.uid) =>
        {
            let patch = json!({"data": data});
            if changes(&old, &patch) {
                cx.cluster
                    .merge_patch(&resource::SECRETS, &key, Part::Main, patch)
                    .await?;
            }
        }
        Some(_) => {
            let why = format!("the Secret {key} is there already and is not of this virtual cluster");
            return Err(ReconcileError::Never(why));
        }
    }
    Ok(())
}

fn is_current(secret: &Value, authority: &str, server: &str, context: &str) -> bool {
    let decode = |name: &str| {
        let text = secret.at("/data").field(name).as_str().unwrap_or_default();
        STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    };
    let config = decode("config");
    decode("certificate-authority") == authority
        && config.contains(server)
        && config.contains(context)
        && !decode("client-key").is_empty()
}

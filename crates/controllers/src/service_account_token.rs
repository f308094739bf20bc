//! Secrets of type `kubernetes.io/service-account-token`: filled with a token, and removed with their account.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use warren_apimachinery::resource::{SECRETS, SERVICE_ACCOUNTS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Resource, StatusReason};
use warren_reconciler::{
    Change, Cluster, Context, DeleteOptions, Next, Part, ReconcileError, Reconciler, Triggers,
};

use crate::authority::{Authority, TokenSubject};

const TYPE: &str = "kubernetes.io/service-account-token";
const NAME: &str = "/metadata/annotations/kubernetes.io~1service-account.name";
const UID: &str = "/metadata/annotations/kubernetes.io~1service-account.uid";

/// The controller.
pub(crate) struct ServiceAccountTokens {
    pub(crate) authority: Arc<dyn Authority>,
}

fn is_token(secret: &Object) -> bool {
    match secret.meta().field("type") {
        Some(kind) => kind == TYPE,
        None => secret.to_value().text("/type") == TYPE,
    }
}

#[async_trait]
impl Reconciler for ServiceAccountTokens {
    fn name(&self) -> &'static str {
        "serviceaccount-token"
    }

    fn watches(&self) -> &'static [Resource] {
        &[SECRETS, SERVICE_ACCOUNTS]
    }

    fn triggers(&self, change: &Change, cluster: &dyn Cluster, out: &mut Triggers<'_>) {
        if SECRETS.is(&change.resource) {
            if !change.deleted && is_token(&change.object) {
                out.add(change.object.key());
            }
            return;
        }
        if change.previous.is_none() || change.deleted {
            let secrets = cluster.list(&SECRETS, Some(&change.object.meta().namespace));
            secrets
                .iter()
                .filter(|secret| is_token(secret))
                .for_each(|secret| out.add(secret.key()));
        }
    }

    async fn reconcile(&self, cx: &Context, key: &ObjectKey) -> Result<Next, ReconcileError> {
        let cluster = cx.cluster.as_ref();
        let Some(secret) = cluster.get(&SECRETS, key).filter(|secret| is_token(secret)) else {
            return Ok(Next::Wait);
        };
        let mut value = secret.to_value();
        let name = value.text(NAME).to_owned();
        let account = cluster.get(
            &SERVICE_ACCOUNTS,
            &ObjectKey::namespaced(key.namespace.clone(), name.as_str()),
        );
        let uid = value.text(UID);
        let Some(account) = account.filter(|account| uid.is_empty() || account.meta().uid == uid) else {
            let options = DeleteOptions {
                uid: Some(secret.meta().uid.to_string()),
                ..DeleteOptions::default()
            };
            return match cluster.delete(&SECRETS, key, options).await {
                Err(status) if !status.is(StatusReason::NotFound) => Err(status.into()),
                _ => Ok(Next::Wait),
            };
        };
        if fill(self.authority.as_ref(), cluster, &account, &mut value) {
            cluster.update(&SECRETS, Part::Main, value).await?;
        }
        Ok(Next::Wait)
    }
}

/// Adds what is missing; whether anything was.
fn fill(authority: &dyn Authority, cluster: &dyn Cluster, account: &Object, secret: &mut Value) -> bool {
    let before = secret.clone();
    let meta = account.meta();
    secret.set(UID, meta.uid.as_str());
    if let Some(pem) = authority.root_ca(cluster.id()) {
        secret.set("/data/ca.crt", STANDARD.encode(pem));
    }
    if secret.text("/data/namespace").is_empty() {
        secret.set("/data/namespace", STANDARD.encode(&meta.namespace));
    }
    if secret.text("/data/token").is_empty() {
        let name = secret.text("/metadata/name").to_owned();
        let secret_uid = secret.text("/metadata/uid").to_owned();
        let subject = TokenSubject {
            namespace: &meta.namespace,
            account: &meta.name,
            account_uid: &meta.uid,
            secret: &name,
            secret_uid: &secret_uid,
        };
        if let Some(token) = authority.secret_token(cluster.id(), &subject) {
            secret.set("/data/token", STANDARD.encode(token));
        }
    }
    *secret != before
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{FakeAuthority, FakeCluster, NOW};

    #[tokio::test]
    async fn a_token_secret_is_filled_and_goes_with_its_account() {
        let cluster = FakeCluster::new();
        let tokens = ServiceAccountTokens {
            authority: Arc::new(FakeAuthority),
        };
        cluster.put(
            &SERVICE_ACCOUNTS,
            json!({"metadata": {"name": "ci", "uid": "ci"}}),
        );
        cluster.put(
            &SECRETS,
            json!({"type": TYPE, "metadata": {"name": "ci-token",
            "annotations": {"kubernetes.io/service-account.name": "ci"}}}),
        );
        cluster.put(&SECRETS, json!({"type": "Opaque", "metadata": {"name": "other"}}));
        cluster.settle(&[&tokens], NOW).await;
        let secret = cluster.value(&SECRETS, "default/ci-token");
        assert_eq!(secret.text(UID), "ci");
        assert_eq!(secret.text("/data/token"), STANDARD.encode("default/ci"));
        assert_eq!(secret.text("/data/ca.crt"), STANDARD.encode("PEM of test"));
        cluster.remove(&SERVICE_ACCOUNTS, "default/ci");
        cluster.settle(&[&tokens], NOW).await;
        assert_eq!(cluster.names(&SECRETS), ["other"]);
    }
}

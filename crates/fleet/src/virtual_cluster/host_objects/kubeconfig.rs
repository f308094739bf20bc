//! The kubeconfig of a virtual cluster in Secrets of the host: `vc-<name>` always, and what `exportKubeConfig` adds.
//! The keys in them are vCluster's.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, StatusReason, resource, time};
use warren_config::{ExportKubeConfig, KubeConfigServiceAccount, VirtualCluster};
use warren_pki::{Credentials, Kubeconfig};
use warren_reconciler::{Cluster, ReconcileError};
use warren_registry::TokenIssuer;
use warren_registry::token::TokenClaims;

use super::{Kept, Place};
use crate::tenant::Tenant;

/// The label that says which host namespace the virtual cluster of a Secret is in: its owner cannot, across namespaces.
pub(crate) const FROM: &str = "warren.dev/host-namespace";
/// The annotation that says what a Secret was made of: it is made anew when that changes.
const MADE_OF: &str = "warren.dev/kubeconfig-of";
/// The annotation that says when its credentials are made anew.
const RENEW_AFTER: &str = "warren.dev/renew-after";
/// Before a certificate ends, after a year.
const CERTIFICATE_DAYS: i64 = 270;
/// As vCluster's: ten years.
const TOKEN_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The virtual cluster that a kubeconfig leads to.
pub(crate) struct Served<'a> {
    /// The virtual cluster.
    pub(crate) tenant: &'a Tenant,
    /// Its port, for the account that a kubeconfig may name.
    pub(crate) cluster: Arc<dyn Cluster>,
    /// Where clients reach it, unless the configuration says where.
    pub(crate) server: &'a str,
    /// The time.
    pub(crate) now: Timestamp,
}

/// One Secret that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Export {
    key: ObjectKey,
    context: String,
    server: String,
    insecure: bool,
    account: KubeConfigServiceAccount,
}

/// Keeps all Secrets.
///
/// # Errors
/// `Never` where the name of one is taken by somebody else, or an account is missing.
pub(crate) async fn secrets(place: &Place<'_>, served: &Served<'_>) -> Result<(), ReconcileError> {
    for export in exports(place.wanted, served.server) {
        secret(place, served, &export).await?;
    }
    Ok(())
}

fn exports(wanted: &VirtualCluster, server: &str) -> Vec<Export> {
    let ExportKubeConfig {
        context,
        server: said,
        insecure,
        service_account,
        secret,
        additional_secrets,
    } = &wanted.spec.export_kube_config;
    let key = |namespace: &str, name: &str| {
        let namespace = if namespace.is_empty() {
            wanted.key.namespace.as_str()
        } else {
            namespace
        };
        let name = if name.is_empty() {
            format!("vc-{}", wanted.key.name)
        } else {
            name.to_owned()
        };
        ObjectKey::namespaced(namespace, name)
    };
    let named = |context: &Option<String>| {
        let name = context.clone().filter(|context| !context.is_empty());
        name.unwrap_or_else(|| format!("warren_{}_{}", wanted.key.name, wanted.key.namespace))
    };
    let at = |said: &Option<String>| {
        let said = said.clone().filter(|server| !server.is_empty());
        said.unwrap_or_else(|| server.to_owned())
    };
    let first = Export {
        key: key("", ""),
        context: named(context),
        server: at(said),
        insecure: *insecure,
        account: service_account.clone(),
    };
    let mut all = vec![first.clone()];
    if !secret.name.is_empty() || !secret.namespace.is_empty() {
        all.push(Export {
            key: key(&secret.namespace, &secret.name),
            ..first
        });
    }
    all.extend(additional_secrets.iter().map(|more| Export {
        key: key(&more.namespace, &more.name),
        context: named(&more.context),
        server: at(&more.server),
        insecure: more.insecure,
        account: more.service_account.clone(),
    }));
    // Where two name the same Secret, the more special one counts.
    let mut kept: Vec<Export> = Vec::new();
    for export in all {
        kept.retain(|other| other.key != export.key);
        kept.push(export);
    }
    kept
}

async fn secret(place: &Place<'_>, served: &Served<'_>, export: &Export) -> Result<(), ReconcileError> {
    let account = account(served.cluster.as_ref(), &export.account).await?;
    let uid = account.as_ref().map_or("", |(_, uid)| uid.as_str());
    let made_of = digest(export, served.tenant.authority_pem(), uid);
    let found = place.host.get(&resource::SECRETS, &export.key);
    let current = found
        .is_some_and(|found| place.is_ours(&found) && is_current(&found.to_value(), &made_of, served.now));
    if current {
        return Ok(());
    }
    let (data, lasts) = data(served, export, account)?;
    let renew = served
        .now
        .saturating_add(SignedDuration::from_secs(lasts))
        .unwrap_or(Timestamp::MAX);
    let annotations = [(MADE_OF, made_of), (RENEW_AFTER, time::format(renew))];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value)).into();
    let labels = [
        ("vcluster-name".to_owned(), place.wanted.key.name.to_string()),
        (FROM.to_owned(), place.wanted.key.namespace.to_string()),
    ];
    let mut metadata = place.metadata(&export.key.name, &labels.into(), &annotations);
    if export.key.namespace != place.wanted.key.namespace {
        metadata.set("/namespace", export.key.namespace.as_str());
        metadata.take_at("/ownerReferences");
    }
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data});
    match place.keep(&resource::SECRETS, object, &["/data"]).await? {
        Kept::Ours(_) => Ok(()),
        Kept::Foreign => {
            let why = format!(
                "the Secret {} is there already and is not of this virtual cluster",
                export.key
            );
            Err(ReconcileError::Never(why))
        }
    }
}

/// What goes into the Secret, and after how many seconds it has to be made anew.
fn data(
    served: &Served<'_>,
    export: &Export,
    account: Option<(ObjectKey, String)>,
) -> Result<(Value, i64), ReconcileError> {
    let authority = match export.insecure {
        true => "",
        false => served.tenant.authority_pem(),
    };
    let (credentials, lasts) = match account {
        Some((key, uid)) => {
            let token = token(served, &key, &uid)?;
            (Credentials::Token(token), TOKEN_SECONDS / 10 * 9)
        }
        None => {
            let admin = served.tenant.issue_admin(served.now);
            let admin =
                admin.map_err(|error| ReconcileError::Retry(crate::virtual_cluster::chain(&error)))?;
            (Credentials::Certificate(admin), CERTIFICATE_DAYS * DAY_SECONDS)
        }
    };
    let (certificate, key, token) = match &credentials {
        Credentials::Certificate(admin) => (
            admin.certificate_pem.clone(),
            admin.key_pem.clone(),
            String::new(),
        ),
        Credentials::Token(token) => (String::new(), String::new(), token.clone()),
    };
    let config = Kubeconfig {
        name: export.context.clone(),
        server: export.server.clone(),
        authority_pem: authority.to_owned(),
        tls_server_name: None,
        credentials,
        namespace: None,
    };
    let mut data = json!({
        "config": STANDARD.encode(config.to_yaml()),
        "certificate-authority": STANDARD.encode(authority),
        "client-certificate": STANDARD.encode(certificate),
        "client-key": STANDARD.encode(key)});
    if !token.is_empty() {
        data.set("/token", STANDARD.encode(token));
    }
    Ok((data, lasts))
}

fn token(served: &Served<'_>, account: &ObjectKey, uid: &str) -> Result<String, ReconcileError> {
    let claims = TokenClaims {
        namespace: &account.namespace,
        service_account: &account.name,
        uid,
        audiences: Vec::new(),
        expiration_seconds: TOKEN_SECONDS,
        bound: None,
        node: None,
        now: served.now,
    };
    Ok(served.tenant.guard().issue(&claims)?.token)
}

/// The virtual account that a kubeconfig speaks for, and its uid; `None` where it is the admin. With a cluster role, the
/// account is made and bound to it; without one it must be there.
async fn account(
    cluster: &dyn Cluster,
    asked: &KubeConfigServiceAccount,
) -> Result<Option<(ObjectKey, String)>, ReconcileError> {
    if asked.name.is_empty() {
        return Ok(None);
    }
    let namespace = if asked.namespace.is_empty() {
        "kube-system"
    } else {
        &asked.namespace
    };
    let key = ObjectKey::namespaced(namespace, asked.name.as_str());
    if !asked.cluster_role.is_empty() {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": asked.name, "namespace": namespace}});
        there(
            cluster
                .create(&resource::SERVICE_ACCOUNTS, account)
                .await
                .map(|_| ()),
        )?;
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("warren-sa-{}-{namespace}", asked.name)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": asked.cluster_role},
            "subjects": [{"kind": "ServiceAccount", "name": asked.name, "namespace": namespace}]});
        there(
            cluster
                .create(&resource::CLUSTER_ROLE_BINDINGS, binding)
                .await
                .map(|_| ()),
        )?;
    }
    match cluster.get(&resource::SERVICE_ACCOUNTS, &key) {
        Some(account) => Ok(Some((key, account.meta().uid.to_string()))),
        None => {
            let why = format!("exportKubeConfig: the service account {key} is not there yet");
            Err(ReconcileError::Retry(why))
        }
    }
}

fn there(made: Result<(), Status>) -> Result<(), Status> {
    match made {
        Err(status) if status.is(StatusReason::AlreadyExists) => Ok(()),
        made => made,
    }
}

/// What a Secret is made of, in a few characters.
fn digest(export: &Export, authority: &str, account: &str) -> String {
    let mut hash = Sha256::new();
    let insecure = if export.insecure { "insecure" } else { "" };
    for part in [
        &export.context,
        &export.server,
        insecure,
        authority,
        &export.account.name,
        account,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    bytes.iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

fn is_current(secret: &Value, made_of: &str, now: Timestamp) -> bool {
    let annotations = secret.at("/metadata/annotations");
    let renew = annotations.field(RENEW_AFTER).as_str().unwrap_or_default();
    let fresh = time::parse(renew).is_ok_and(|renew| now < renew);
    fresh && annotations.field(MADE_OF) == made_of && !secret.text("/data/config").is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports_of(export: Value) -> Vec<Export> {
        let object = json!({"metadata": {"name": "demo", "namespace": "team-a"}, "spec": {"exportKubeConfig": export}});
        exports(&VirtualCluster::read(&object).unwrap(), "https://here")
    }

    #[test]
    fn the_default_secret_is_always_written_and_others_beside_it() {
        let one = exports_of(json!({"context": "mine", "server": "https://there", "insecure": true}));
        let [first] = one.as_slice() else {
            panic!("{one:?}")
        };
        assert_eq!(first.key.to_string(), "team-a/vc-demo");
        assert_eq!(
            (first.context.as_str(), first.server.as_str(), first.insecure),
            ("mine", "https://there", true)
        );

        let more = exports_of(json!({"additionalSecrets": [
            {"name": "other", "namespace": "ci", "server": "https://ci", "serviceAccount": {"name": "bot"}}]}));
        let keys: Vec<String> = more.iter().map(|export| export.key.to_string()).collect();
        assert_eq!(keys, ["team-a/vc-demo", "ci/other"]);
        let [_, other] = more.as_slice() else {
            panic!("{more:?}")
        };
        assert_eq!(other.context, "warren_demo_team-a");
        assert_eq!(
            (other.server.as_str(), other.account.name.as_str()),
            ("https://ci", "bot")
        );
    }

    #[test]
    fn a_secret_that_is_named_gets_the_same_kubeconfig() {
        let both = exports_of(json!({"server": "https://there", "secret": {"name": "kube"}}));
        let [default, named] = both.as_slice() else {
            panic!("{both:?}")
        };
        assert_eq!(named.key.to_string(), "team-a/kube");
        assert_eq!(default.server, named.server);
    }

    #[test]
    fn a_secret_is_made_anew_before_its_credentials_end() {
        let secret = json!({"metadata": {"annotations": {MADE_OF: "x", RENEW_AFTER: "2026-06-01T00:00:00Z"}},
            "data": {"config": "eA=="}});
        let at = |text: &str| text.parse().unwrap();
        assert!(is_current(&secret, "x", at("2026-05-31T00:00:00Z")));
        assert!(!is_current(&secret, "x", at("2026-06-02T00:00:00Z")), "too old");
        assert!(
            !is_current(&secret, "y", at("2026-05-31T00:00:00Z")),
            "of something else"
        );
    }
}

//! The keys of a cluster, kept in its own store under a resource that no catalogue serves.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use smol_str::SmolStr;
use warren_access::Keys;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ClusterId, Draft, GroupResource, ObjectKey};
use warren_pki::{Authority, PkiError, TokenSigner};
use warren_storage::{Store, Write, WriteKind};

use crate::error::FleetError;

fn resource() -> GroupResource {
    GroupResource {
        group: SmolStr::new_static("internal.warren.dev"),
        resource: SmolStr::new_static("keys"),
    }
}

/// The keys of the cluster that `store` is of; made and written on first use.
pub(crate) async fn load_or_make(store: &Store, now: Timestamp) -> Result<Keys, FleetError> {
    let key = ObjectKey::cluster("keys");
    let cluster = store.cluster();
    let wrong = |source| FleetError::Keys {
        cluster: cluster.clone(),
        source,
    };
    if let Some(kept) = store.latest(&resource(), &key) {
        let kept = kept.to_value();
        let authority = Authority::from_pem(kept.text("/authority/certificate"), kept.text("/authority/key"));
        let tokens = TokenSigner::from_pem(kept.text("/tokens/key"));
        return Ok(keys(authority.map_err(wrong)?, tokens.map_err(wrong)?));
    }
    let (authority, tokens) = make(cluster, now).map_err(wrong)?;
    let object = json!({
        "metadata": {"name": "keys"},
        "authority": {"certificate": authority.certificate_pem(), "key": authority.key_pem()},
        "tokens": {"key": tokens.key_pem()}});
    let write = Write {
        resource: resource(),
        key,
        change: WriteKind::Create(Draft::new(object, Box::default())),
    };
    let written = store.commit(write).await;
    written.map_err(|source| FleetError::Commit {
        cluster: cluster.clone(),
        source,
    })?;
    Ok(keys(authority, tokens))
}

fn make(cluster: &ClusterId, now: Timestamp) -> Result<(Authority, TokenSigner), PkiError> {
    Ok((
        Authority::generate(&format!("{cluster}-ca"), now)?,
        TokenSigner::generate()?,
    ))
}

fn keys(authority: Authority, tokens: TokenSigner) -> Keys {
    Keys {
        authority: Arc::new(authority),
        tokens: Arc::new(tokens),
        fixed_tokens: Vec::new(),
    }
}

//! Service account tokens: a pod's projected tokens come from the virtual cluster and stand in one host Secret per
//! pod, one key per source, made anew before 80 % of their life is over.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, StatusReason, resource, time};
use warren_reconciler::{Part, ReconcileError};
use warren_translate::{Identity, Tenant, Virtual};

use super::host_pod::pod_account;
use super::references::elements;
use crate::sides::{Sides, ours};

/// The kind that the host Secret's marks name.
pub(crate) const KIND: &str = "PodTokens";
/// When the tokens of a Secret have to be made anew.
const REFRESH_AT: &str = "warren.dev/refresh-at";
const DEFAULT_SECONDS: i64 = 3600;

/// A `serviceAccountToken` source of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The key in the host Secret.
    key: String,
    /// Empty for the virtual cluster's own API.
    audience: String,
    seconds: i64,
}

/// The key of a pod's host Secret.
pub(crate) fn secret_key(tenant: &Tenant, pod: &ObjectKey, uid: &str) -> ObjectKey {
    tenant.host_part(KIND, &Virtual(pod.clone()), Virtual(uid)).0
}

/// The sources of a pod's spec.
pub(super) fn sources(spec: &Value) -> Vec<Source> {
    let mut found = Vec::new();
    replace(&mut spec.clone(), &mut |source| {
        found.push(source);
        None
    });
    found
}

/// Makes every token source of a host pod's spec a source of the Secret `name`.
pub(super) fn translate(spec: &mut Value, name: &str) {
    replace(spec, &mut |source| Some((name.to_owned(), source.key)));
}

/// Shows every token source to `with`; replaces it when `with` answers a Secret and a key.
fn replace(spec: &mut Value, with: &mut dyn FnMut(Source) -> Option<(String, String)>) {
    for (volume_at, volume) in elements(spec, "volumes").enumerate() {
        let Some(projected) = volume.get_mut("projected") else {
            continue;
        };
        for (at, source) in elements(projected, "sources").enumerate() {
            let token = source.field("serviceAccountToken");
            if token.is_null() {
                continue;
            }
            let path = token.text("/path").to_owned();
            let found = Source {
                key: format!("{volume_at}-{at}"),
                audience: token.text("/audience").to_owned(),
                seconds: token.int("/expirationSeconds").unwrap_or(DEFAULT_SECONDS),
            };
            if let Some((name, key)) = with(found) {
                *source = json!({"secret": {"name": name, "items": [{"key": key, "path": path}]}});
            }
        }
    }
}

/// What has to be written so that a pod's tokens are on the host and young enough.
pub(super) enum Plan {
    /// Nothing; look again after this time, if at all.
    Keep(Option<Duration>),
    /// A new Secret.
    Create(Value, Duration),
    /// New tokens in the Secret of this key.
    Renew(ObjectKey, Value, Duration),
}

/// Sees to it that the tokens of a virtual pod are on the host and young enough. Answers when to look again.
pub(super) async fn keep(
    sides: &Sides<'_>,
    object: &Object,
    pod: &Value,
) -> Result<Option<Duration>, ReconcileError> {
    let plan = plan(sides, object, pod).await?;
    write(sides, object, &plan).await
}

/// See `Plan`. Tokens are made here, in the virtual cluster.
pub(super) async fn plan(sides: &Sides<'_>, object: &Object, pod: &Value) -> Result<Plan, ReconcileError> {
    let wanted = sources(pod.at("/spec"));
    if wanted.is_empty() {
        return Ok(Plan::Keep(None));
    }
    let key = secret_key(&sides.binding.tenant, &object.key(), &object.meta().uid);
    let there = sides.host.get(&resource::SECRETS, &key);
    if let Some(secret) = &there {
        if ours(&sides.binding, secret).is_none_or(|identity| identity.kind != KIND) {
            sides.taken(&resource::PODS, object).await;
            return Err(ReconcileError::Never(
                "the name of the token secret is taken".to_owned(),
            ));
        }
        let content = secret.view().unwrap_or_default();
        if let Some(left) = left(&content, &wanted, sides.cx.now) {
            return Ok(Plan::Keep(Some(left)));
        }
    }
    let (data, refresh_at) = issue(sides, object, pod, &wanted).await?;
    let left = duration(refresh_at.duration_since(sides.cx.now));
    let annotations = json!({REFRESH_AT: time::format(refresh_at)});
    Ok(match there {
        Some(_) => {
            let patch = json!({"metadata": {"annotations": annotations}, "data": data});
            Plan::Renew(key, patch, left)
        }
        None => Plan::Create(host_secret(sides, object, &key, data, annotations), left),
    })
}

/// Carries a plan out. Answers when to look again.
pub(super) async fn write(
    sides: &Sides<'_>,
    object: &Object,
    plan: &Plan,
) -> Result<Option<Duration>, ReconcileError> {
    match plan {
        Plan::Keep(left) => Ok(*left),
        Plan::Create(secret, left) => {
            sides
                .create_host(&resource::SECRETS, object, secret.clone())
                .await?;
            Ok(Some(*left))
        }
        Plan::Renew(key, patch, left) => {
            let renewed = sides
                .host
                .merge_patch(&resource::SECRETS, key, Part::Main, patch.clone());
            match renewed.await {
                Ok(_) => Ok(Some(*left)),
                Err(status) => Err(sides.refused(&resource::PODS, object, status).await),
            }
        }
    }
}

/// As much of a host Secret as says whether it is good.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    metadata: Annotated,
    data: BTreeMap<String, IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotated {
    annotations: BTreeMap<String, String>,
}

/// How long the tokens of a Secret stay good; `None` when one is missing or it is time for new ones.
fn left(secret: &Content, wanted: &[Source], now: Timestamp) -> Option<Duration> {
    let complete = wanted.iter().all(|source| secret.data.contains_key(&source.key));
    let refresh_at = secret.metadata.annotations.get(REFRESH_AT)?;
    let left = time::parse(refresh_at).ok()?.duration_since(now);
    (complete && left.is_positive()).then(|| duration(left))
}

fn duration(left: SignedDuration) -> Duration {
    Duration::try_from(left)
        .unwrap_or_default()
        .max(Duration::from_secs(1))
}

/// New tokens, bound to the virtual pod, and when the first of them has lived 80 % of its life.
async fn issue(
    sides: &Sides<'_>,
    object: &Object,
    pod: &Value,
    wanted: &[Source],
) -> Result<(Map<String, Value>, Timestamp), ReconcileError> {
    let account = ObjectKey::namespaced(object.meta().namespace.clone(), pod_account(pod));
    let mut data = Map::new();
    let mut refresh_at = sides.cx.now + SignedDuration::from_hours(24);
    for source in wanted {
        let mut request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": source.seconds, "audiences": [],
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": object.meta().name, "uid": object.meta().uid}}});
        if !source.audience.is_empty() {
            request.set("/spec/audiences", json!([source.audience]));
        }
        let answer = sides
            .virtual_cluster
            .post(&resource::SERVICE_ACCOUNTS, &account, "token", request)
            .await;
        let answer = match answer {
            Err(status) if status.is(StatusReason::NotFound) => {
                let message = format!(
                    "The service account {:?} has no token: {}",
                    account.name,
                    status.message()
                );
                sides.warn(&resource::PODS, object, &message).await;
                return Err(status.into());
            }
            answer => answer?,
        };
        data.insert(
            source.key.clone(),
            STANDARD.encode(answer.text("/status/token")).into(),
        );
        let expires = time::parse(answer.text("/status/expirationTimestamp"));
        let life = expires
            .map(|at| at.duration_since(sides.cx.now))
            .unwrap_or_default();
        refresh_at = refresh_at.min(sides.cx.now + life * 4 / 5);
    }
    Ok((data, refresh_at))
}

fn host_secret(
    sides: &Sides<'_>,
    pod: &Object,
    key: &ObjectKey,
    data: Map<String, Value>,
    annotations: Value,
) -> Value {
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": key.name, "namespace": key.namespace, "annotations": annotations},
        "data": data});
    let is_beside = key.namespace == sides.binding.tenant.host_namespace().0;
    if let Some(owner) = sides.binding.owner.as_ref().filter(|_| is_beside) {
        secret.set("/metadata/ownerReferences", json!([owner]));
    }
    let identity = Identity {
        kind: SmolStr::new_static(KIND),
        key: Virtual(pod.key()),
        uid: Virtual(pod.meta().uid.clone()),
    };
    sides.binding.tenant.mark(&mut secret, &identity);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Value {
        json!({"volumes": [{"emptyDir": {}}, {"projected": {"defaultMode": 256, "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt"}},
            {"serviceAccountToken": {"path": "vault", "audience": "vault"}}]}}]})
    }

    #[test]
    fn every_source_gets_a_key_with_its_own_audience_and_life() {
        let found = sources(&spec());
        let expect = [("1-0", "", 3607), ("1-2", "vault", 3600)];
        let found: Vec<_> = found
            .iter()
            .map(|s| (s.key.as_str(), s.audience.as_str(), s.seconds))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn sources_become_files_of_the_secret_at_the_same_paths() {
        let mut spec = spec();
        translate(&mut spec, "tokens");
        assert_eq!(
            spec.at("/volumes/1/projected"),
            &json!({"defaultMode": 256, "sources": [
                {"secret": {"name": "tokens", "items": [{"key": "1-0", "path": "token"}]}},
                {"configMap": {"name": "kube-root-ca.crt"}},
                {"secret": {"name": "tokens", "items": [{"key": "1-2", "path": "vault"}]}}]})
        );
    }

    #[test]
    fn tokens_are_made_anew_when_their_time_comes() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let secret = |at: &str| -> Content {
            serde_json::from_value(json!({"metadata": {"annotations": {REFRESH_AT: at}},
                "data": {"1-0": "eA==", "1-2": "eA=="}}))
            .unwrap()
        };
        let wanted = sources(&spec());
        assert_eq!(
            left(&secret("2026-11-22T10:10:00Z"), &wanted, now),
            Some(Duration::from_secs(600))
        );
        assert_eq!(left(&secret("2026-11-22T10:00:00Z"), &wanted, now), None);
        let mut incomplete = secret("2026-11-22T10:10:00Z");
        incomplete.data.remove("1-2");
        assert_eq!(left(&incomplete, &wanted, now), None);
    }
}

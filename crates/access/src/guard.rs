//! `Guard`: what one cluster keeps to decide who may do what: its keys, and its index of bindings.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use warren_apimachinery::{Status, UserInfo};
use warren_pki::{Authority, Claims, Named, PkiError, Private, TokenSigner};
use warren_registry::TokenIssuer;
use warren_registry::token::{IssuedToken, TokenClaims};
use warren_storage::Snapshot;

use crate::ISSUER;
use crate::admission::{AdmissionSettings, Hooks, Policies, QuotaTurns, Readings};
use crate::authentication::Authenticators;
use crate::conversion;
use crate::outbound::Outbound;
use crate::shared::{Indexed, Shared};
use crate::webhook_metrics::WebhookMetrics;

/// Tokens of pods that are asked for with this lifetime live a year, so that programs which never read their token
/// anew keep working.
const EXTENDED_SECONDS: i64 = 3607;
const YEAR: i64 = 365 * 24 * 60 * 60;

/// The secrets of one cluster.
pub struct Keys {
    /// Signs and checks certificates.
    pub authority: Arc<Authority>,
    /// Signs and checks service account tokens.
    pub tokens: Arc<TokenSigner>,
    /// Fixed bearer tokens and whom they name; mostly empty.
    pub fixed_tokens: Vec<(String, UserInfo)>,
}

/// The least that is asked of every pod of a cluster: the Pod Security Standards that forbid anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodSecurityFloor {
    /// Nothing that is known to lead out of a container.
    Baseline,
    /// What is best for a pod, and nothing more.
    Restricted,
}

/// What one cluster keeps to decide who may do what. Implements the registry's ports `Admission`, `Reviews` and
/// `TokenIssuer`. Lives as long as the cluster is resident.
pub struct Guard {
    pub(crate) shared: Arc<Shared>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) tokens: Arc<TokenSigner>,
    pub(crate) authenticators: Authenticators,
    fixed_tokens: HashMap<[u8; 32], UserInfo>,
    /// Whose turn it is to spend a namespace's quotas.
    pub(crate) quota_turns: QuotaTurns,
    /// What was read of objects that quotas measure; dropped by `rest`.
    pub(crate) quota_readings: Readings,
    /// How many conversions webhooks may be asked for at a time.
    pub(crate) conversions: Semaphore,
    /// The index that was last asked; replaced when roles or bindings changed, dropped by `rest`.
    index: ArcSwapOption<Indexed>,
    /// What pods of any namespace may ask of their node, whatever its labels say.
    standard: ArcSwapOption<PodSecurityFloor>,
    /// Which admission plugins run, and how.
    admission: ArcSwap<AdmissionSettings>,
    /// The webhooks that were last asked; replaced when configurations changed, dropped by `rest`.
    hooks: ArcSwapOption<Hooks>,
    /// Made with the first call of a webhook.
    webhook_metrics: OnceLock<Box<WebhookMetrics>>,
    /// The same of policies.
    policies: ArcSwapOption<Policies>,
}

impl Guard {
    /// A guard with these keys, which trusts nobody else.
    pub fn new(shared: Arc<Shared>, keys: Keys) -> Arc<Self> {
        Self::trusting(shared, keys, Authenticators::default())
    }

    /// A guard with these keys that trusts others, too.
    pub fn trusting(shared: Arc<Shared>, keys: Keys, authenticators: Authenticators) -> Arc<Self> {
        let fixed = keys
            .fixed_tokens
            .into_iter()
            .map(|(token, user)| (Sha256::digest(token).into(), user));
        Arc::new(Self {
            shared,
            authority: keys.authority,
            tokens: keys.tokens,
            authenticators,
            fixed_tokens: fixed.collect(),
            quota_turns: QuotaTurns::default(),
            quota_readings: Readings::default(),
            conversions: Semaphore::new(conversion::AT_ONCE),
            index: ArcSwapOption::empty(),
            standard: ArcSwapOption::empty(),
            admission: ArcSwap::new(AdmissionSettings::upstreams()),
            hooks: ArcSwapOption::empty(),
            webhook_metrics: OnceLock::new(),
            policies: ArcSwapOption::empty(),
        })
    }

    /// The cluster's certificate authority.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The cluster's token signer.
    pub fn token_signer(&self) -> &Arc<TokenSigner> {
        &self.tokens
    }

    /// From now on no pod of any namespace may ask for more than `floor` allows; `None` leaves it to the namespaces'
    /// labels, as upstream.
    pub fn enforce_pod_security(&self, floor: Option<PodSecurityFloor>) {
        self.standard.store(floor.map(Arc::new));
    }

    pub(crate) fn pod_security_floor(&self) -> Option<PodSecurityFloor> {
        self.standard.load().as_deref().copied()
    }

    /// From now on admission works by these settings; the floor of pods stays.
    pub fn set_admission(&self, settings: Arc<AdmissionSettings>) {
        self.admission.store(settings);
    }

    pub(crate) fn admission(&self) -> Arc<AdmissionSettings> {
        self.admission.load_full()
    }

    /// Forgets what can be made again: called when the cluster falls idle.
    pub fn rest(&self) {
        self.index.store(None);
        self.hooks.store(None);
        self.policies.store(None);
        self.quota_readings.clear();
    }

    /// The index of a state of this cluster.
    pub(crate) fn indexed(&self, now: &Snapshot) -> Arc<Indexed> {
        if let Some(known) = self.index.load_full().filter(|known| known.is_of(now)) {
            return known;
        }
        let indexed = self.shared.indexed(now);
        self.index.store(Some(Arc::clone(&indexed)));
        indexed
    }

    /// The webhooks of a state of this cluster; `None` where there are none.
    pub(crate) fn hooks(&self, now: &Snapshot) -> Option<Arc<Hooks>> {
        if !Hooks::any(now) {
            return None;
        }
        if let Some(known) = self.hooks.load_full().filter(|known| known.are_of(now)) {
            return Some(known);
        }
        let hooks = Hooks::of(now);
        self.hooks.store(Some(Arc::clone(&hooks)));
        Some(hooks)
    }

    /// The bound policies of a state of this cluster; `None` where there are none.
    pub(crate) fn policies(&self, now: &Snapshot) -> Option<Arc<Policies>> {
        if !Policies::any(now) {
            return None;
        }
        if let Some(known) = self.policies.load_full().filter(|known| known.are_of(now)) {
            return Some(known);
        }
        let policies = Policies::of(now);
        self.policies.store(Some(Arc::clone(&policies)));
        Some(policies)
    }

    /// What was counted of the cluster's calls of webhooks; `None` where there were none.
    pub fn webhook_calls(&self) -> Option<&WebhookMetrics> {
        self.webhook_metrics.get().map(|metrics| &**metrics)
    }

    pub(crate) fn webhook_metrics(&self) -> &WebhookMetrics {
        self.webhook_metrics.get_or_init(Box::default)
    }

    /// How servers that tenants name are reached; `None` where nobody provides it.
    pub(crate) fn outbound(&self) -> Option<&Arc<dyn Outbound>> {
        self.shared.outbound()
    }

    pub(crate) fn fixed_token(&self, token: &str) -> Option<&UserInfo> {
        if self.fixed_tokens.is_empty() {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        self.fixed_tokens.get(&hash)
    }

    /// The claims of a token that this cluster signed; times and objects are not looked at.
    pub(crate) fn claims(&self, token: &str) -> Result<Arc<Claims>, PkiError> {
        self.shared
            .claims(&self.tokens.public_key().id, token, || self.tokens.verify(token))
    }
}

impl TokenIssuer for Guard {
    fn issue(&self, asked: &TokenClaims<'_>) -> Result<IssuedToken, Status> {
        let audiences = if asked.audiences.is_empty() {
            vec![ISSUER.to_owned()]
        } else {
            asked.audiences.clone()
        };
        let claims = claims_of(asked, audiences);
        let token = self.tokens.sign(&claims).map_err(|error| {
            tracing::error!(%error, "a service account token could not be signed");
            Status::internal("failed to generate token")
        })?;
        let expires =
            jiff::Timestamp::from_second(asked.now.as_second().saturating_add(asked.expiration_seconds))
                .unwrap_or(jiff::Timestamp::MAX);
        Ok(IssuedToken {
            token,
            expires,
            audiences: claims.aud,
        })
    }
}

fn claims_of(asked: &TokenClaims<'_>, audiences: Vec<String>) -> Claims {
    let now = asked.now.as_second();
    let bound = |kind: &str| {
        asked
            .bound
            .as_ref()
            .filter(|bound| bound.kind == kind)
            .map(|bound| Named {
                name: bound.name.clone(),
                uid: bound.uid.clone(),
            })
    };
    let pod = bound("Pod");
    let extended = pod.is_some()
        && asked.expiration_seconds == EXTENDED_SECONDS
        && audiences.iter().any(|audience| audience == ISSUER);
    let lifetime = if extended { YEAR } else { asked.expiration_seconds };
    let node_of_pod = asked.node.as_ref().map(|(name, uid)| Named {
        name: name.clone(),
        uid: uid.clone(),
    });
    Claims {
        aud: audiences,
        exp: now.saturating_add(lifetime),
        iat: now,
        iss: ISSUER.to_owned(),
        jti: uuid::Uuid::new_v4().to_string(),
        nbf: now,
        sub: format!(
            "system:serviceaccount:{}:{}",
            asked.namespace, asked.service_account
        ),
        private: Private {
            namespace: asked.namespace.to_owned(),
            node: bound("Node").or(node_of_pod),
            pod,
            secret: bound("Secret"),
            serviceaccount: Named {
                name: asked.service_account.to_owned(),
                uid: asked.uid.to_owned(),
            },
            warnafter: extended.then(|| now.saturating_add(asked.expiration_seconds)),
        },
    }
}

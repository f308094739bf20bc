//! Tokens of other issuers (OpenID Connect): their keys come from the issuer, are kept, and are fetched anew when a
//! token names one that is not known.

mod claims;
mod configuration;
mod expressions;
mod issuer;
mod mappings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use warren_apimachinery::UserInfo;
use warren_apimachinery::value::ValueExt;
use warren_pki::{KeySet, unverified_claims};

pub use self::claims::{Mapping, RequiredClaim, Username};
pub use self::configuration::{AuthenticationConfiguration, IssuerConfiguration};
pub use self::expressions::{Condition, Mapped};

/// How long an issuer is left alone after its keys were fetched, or could not be: tokens with invented keys must not make
/// us ask it all the time.
const QUIET: Duration = Duration::from_secs(10);

/// Fetches the documents of issuers.
#[async_trait]
pub trait DocumentSource: Send + Sync + 'static {
    /// The body that an `https` URL answers with 200. `authority` is the PEM of the authorities to trust; the system's
    /// when empty. Called on the way of a request, at most once in ten seconds per issuer.
    ///
    /// # Errors
    /// Why there is none; for the log.
    async fn fetch(&self, url: &str, authority: &str) -> Result<Vec<u8>, String>;
}

/// One issuer that is trusted, and its keys as they are known.
pub struct Issuer {
    configuration: IssuerConfiguration,
    source: Arc<dyn DocumentSource>,
    keys: ArcSwapOption<KeySet>,
    /// When its keys were last asked for; held while they are.
    fetched: Mutex<Option<Instant>>,
}

impl Issuer {
    /// Trusts the issuer; nothing is fetched yet.
    pub fn new(configuration: IssuerConfiguration, source: Arc<dyn DocumentSource>) -> Arc<Self> {
        Arc::new(Self {
            configuration,
            source,
            keys: ArcSwapOption::empty(),
            fetched: Mutex::default(),
        })
    }

    /// The user whom a token names; `None` when it is of another issuer or does not hold.
    pub(crate) async fn user_of(&self, token: &str, now: Timestamp) -> Option<UserInfo> {
        let said = unverified_claims(token)?;
        if said.text("/iss") != self.configuration.url {
            return None;
        }
        let user = self
            .verified(token)
            .await
            .and_then(|claims| claims::user_of(&self.configuration, &claims, now));
        match user {
            Ok(user) => Some(user),
            Err(why) => {
                tracing::debug!(issuer = %self.configuration.url, %why, "a token was refused");
                None
            }
        }
    }

    async fn verified(&self, token: &str) -> Result<Value, String> {
        let known = self.keys.load_full().filter(|keys| keys.may_check(token));
        let keys = match known {
            Some(keys) => keys,
            None => self.refreshed(token).await?,
        };
        keys.verify(token, &self.configuration.algorithms)
            .map_err(|error| error.to_string())
    }

    /// The keys, fetched anew unless somebody just did.
    async fn refreshed(&self, token: &str) -> Result<Arc<KeySet>, String> {
        let mut fetched = self.fetched.lock().await;
        if let Some(keys) = self.keys.load_full().filter(|keys| keys.may_check(token)) {
            return Ok(keys);
        }
        if fetched.is_some_and(|at| at.elapsed() < QUIET) {
            return Err("the token names a key that its issuer does not have".to_owned());
        }
        *fetched = Some(Instant::now());
        let keys = Arc::new(self.fetch().await?);
        self.keys.store(Some(Arc::clone(&keys)));
        Ok(keys)
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let issuer = &self.configuration;
        let url = match issuer.discovery_url.as_str() {
            "" => format!(
                "{}/.well-known/openid-configuration",
                issuer.url.trim_end_matches('/')
            ),
            url => url.to_owned(),
        };
        let document = self.source.fetch(&url, &issuer.certificate_authority).await?;
        let document: Value = serde_json::from_slice(&document).map_err(|error| error.to_string())?;
        if document.text("/issuer") != issuer.url {
            return Err(format!("{url} is of issuer {:?}", document.text("/issuer")));
        }
        let keys = document.text("/jwks_uri");
        if !keys.starts_with("https://") {
            return Err(format!("the keys are at {keys:?}, which is not https"));
        }
        let keys = self.source.fetch(keys, &issuer.certificate_authority).await?;
        KeySet::parse(&keys).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::RwLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;
    use warren_pki::{TokenSigner, jwks};

    use super::*;

    /// An issuer whose signer can be exchanged.
    struct Fake {
        signer: RwLock<TokenSigner>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl DocumentSource for Fake {
        async fn fetch(&self, url: &str, _: &str) -> Result<Vec<u8>, String> {
            let document = match url {
                "https://i/.well-known/openid-configuration" => {
                    json!({"issuer": "https://i", "jwks_uri": "https://i/keys"})
                }
                "https://i/keys" => {
                    self.asked.fetch_add(1, Ordering::Relaxed);
                    jwks(&[self.signer.read().unwrap().public_key()])
                }
                other => return Err(other.to_owned()),
            };
            Ok(document.to_string().into_bytes())
        }
    }

    fn issuer(fake: &Arc<Fake>) -> Arc<Issuer> {
        let configuration = IssuerConfiguration {
            url: "https://i".into(),
            audiences: vec!["warren".into()],
            algorithms: vec!["ES256".into()],
            mapping: Mapping {
                username: Username {
                    claim: "sub".into(),
                    prefix: "i:".into(),
                },
                ..Mapping::default()
            },
            ..IssuerConfiguration::default()
        };
        Issuer::new(configuration, fake.clone())
    }

    fn token(fake: &Fake, issuer: &str) -> String {
        let claims = json!({"iss": issuer, "aud": "warren", "sub": "jane", "exp": 2_000});
        fake.signer.read().unwrap().sign(&claims).unwrap()
    }

    #[tokio::test]
    async fn keys_are_fetched_once_and_again_when_they_rotate() {
        let fake = Arc::new(Fake {
            signer: RwLock::new(TokenSigner::generate().unwrap()),
            asked: AtomicUsize::new(0),
        });
        let issuer = issuer(&fake);
        let now = Timestamp::from_second(1_000).unwrap();
        let good = token(&fake, "https://i");
        for _ in 0..3 {
            assert_eq!(issuer.user_of(&good, now).await.unwrap().name, "i:jane");
        }
        assert_eq!(issuer.user_of(&token(&fake, "https://other"), now).await, None);
        assert_eq!(fake.asked.load(Ordering::Relaxed), 1);
        *fake.signer.write().unwrap() = TokenSigner::generate().unwrap();
        let rotated = token(&fake, "https://i");
        // The issuer was asked just now, and is left alone for a while.
        assert_eq!(issuer.user_of(&rotated, now).await, None);
        *issuer.fetched.lock().await = None;
        assert_eq!(issuer.user_of(&rotated, now).await.unwrap().name, "i:jane");
        assert_eq!(issuer.user_of(&good, now).await, None);
        assert_eq!(fake.asked.load(Ordering::Relaxed), 2);
    }
}

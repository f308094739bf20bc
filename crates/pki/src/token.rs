//! Service account tokens: signed with a cluster's own ES256 key, with upstream's claims.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rcgen::{KeyPair, PublicKeyData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::authority::new_key;
use crate::error::PkiError;

/// Clocks differ: a token counts as valid this many seconds before its `nbf` and after its `exp`.
const LEEWAY: i64 = 60;

/// An object in a token: name and uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The uid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// The claim `kubernetes.io`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// The service account's namespace.
    pub namespace: String,
    /// The node of the pod, or the node that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Named>,
    /// The pod that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Named>,
    /// The secret that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Named>,
    /// The service account.
    pub serviceaccount: Named,
    /// After this second a use of the token is to be warned about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<i64>,
}

/// All claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom it is for.
    #[serde(default)]
    pub aud: Vec<String>,
    /// The second it ends.
    pub exp: i64,
    /// The second it was made.
    pub iat: i64,
    /// Who made it.
    pub iss: String,
    /// Its own id.
    #[serde(default)]
    pub jti: String,
    /// Upstream's private claims.
    #[serde(rename = "kubernetes.io")]
    pub private: Private,
    /// The second it starts.
    #[serde(default)]
    pub nbf: i64,
    /// `system:serviceaccount:ns:name`
    pub sub: String,
}

/// The public half of a signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPublicKey {
    /// The key's id: the hash of its DER.
    pub id: String,
    /// The coordinate x, base64url.
    pub x: String,
    /// The coordinate y, base64url.
    pub y: String,
}

/// Signs and checks the tokens of one cluster.
pub struct TokenSigner {
    key_pem: String,
    signing: EncodingKey,
    checking: DecodingKey,
    public: TokenPublicKey,
}

impl TokenSigner {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, PkiError> {
        Self::of(&new_key()?)
    }

    /// Reads what `key_pem` wrote.
    ///
    /// # Errors
    /// When the key is malformed or not on P-256.
    pub fn from_pem(key_pem: &str) -> Result<Self, PkiError> {
        Self::of(&KeyPair::from_pem(key_pem).map_err(PkiError::Key)?)
    }

    fn of(key: &KeyPair) -> Result<Self, PkiError> {
        let key_pem = key.serialize_pem();
        // Uncompressed point: 4, x, y.
        let (x, y) = key
            .public_key_raw()
            .get(1..65)
            .and_then(|point| point.split_at_checked(32))
            .map(|(x, y)| (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
            .ok_or(PkiError::Certificate)?;
        Ok(Self {
            signing: EncodingKey::from_ec_pem(key_pem.as_bytes()).map_err(PkiError::Token)?,
            checking: DecodingKey::from_ec_components(&x, &y).map_err(PkiError::Token)?,
            public: TokenPublicKey {
                id: URL_SAFE_NO_PAD.encode(Sha256::digest(key.subject_public_key_info())),
                x,
                y,
            },
            key_pem,
        })
    }

    /// The private key, PKCS #8: a secret.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The public key, for `jwks`.
    pub fn public_key(&self) -> &TokenPublicKey {
        &self.public
    }

    /// Signs claims.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn sign<C: Serialize>(&self, claims: &C) -> Result<String, PkiError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = None;
        header.kid = Some(self.public.id.clone());
        encode(&header, claims, &self.signing).map_err(PkiError::Token)
    }

    /// Checks the signature (0.1 ms: cache the result) and reads the claims. Does not look at times, audiences or
    /// objects: those change.
    ///
    /// # Errors
    /// When the token is malformed, or not signed by this key.
    pub fn verify(&self, token: &str) -> Result<Claims, PkiError> {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        Ok(decode::<Claims>(token, &self.checking, &rules)
            .map_err(PkiError::Token)?
            .claims)
    }
}

impl Claims {
    /// Whether the token holds at this time.
    ///
    /// # Errors
    /// `TokenTime` when it does not.
    pub fn check_time(&self, now: Timestamp) -> Result<(), PkiError> {
        let now = now.as_second();
        if now > self.exp.saturating_add(LEEWAY) || now + LEEWAY < self.nbf {
            Err(PkiError::TokenTime)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claims() -> Claims {
        Claims {
            aud: vec!["https://kubernetes.default.svc.cluster.local".into()],
            exp: 2000,
            iat: 1000,
            iss: "https://kubernetes.default.svc.cluster.local".into(),
            jti: "j".into(),
            nbf: 1000,
            sub: "system:serviceaccount:ns:name".into(),
            private: Private {
                namespace: "ns".into(),
                pod: Some(Named {
                    name: "p".into(),
                    uid: "u".into(),
                }),
                serviceaccount: Named {
                    name: "name".into(),
                    uid: "v".into(),
                },
                warnafter: Some(1500),
                ..Private::default()
            },
        }
    }

    #[test]
    fn a_token_carries_upstreams_claims() {
        let signer = TokenSigner::generate().unwrap();
        let token = signer.sign(&claims()).unwrap();
        assert_eq!(signer.verify(&token).unwrap(), claims());
        let body = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let expect = json!({"aud": ["https://kubernetes.default.svc.cluster.local"], "exp": 2000, "iat": 1000,
            "iss": "https://kubernetes.default.svc.cluster.local", "jti": "j", "nbf": 1000,
            "sub": "system:serviceaccount:ns:name", "kubernetes.io": {"namespace": "ns",
            "pod": {"name": "p", "uid": "u"}, "serviceaccount": {"name": "name", "uid": "v"}, "warnafter": 1500}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expect);
    }

    #[test]
    fn foreign_and_tampered_tokens_do_not_hold() {
        let signer = TokenSigner::generate().unwrap();
        let token = signer.sign(&claims()).unwrap();
        assert!(TokenSigner::generate().unwrap().verify(&token).is_err());
        let (head, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = head.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Claims { exp: 9, ..claims() }).unwrap());
        assert!(signer.verify(&format!("{header}.{other}.{signature}")).is_err());
        assert!(signer.verify("nonsense").is_err());
    }

    #[test]
    fn a_signer_survives_its_pem() {
        let signer = TokenSigner::generate().unwrap();
        let again = TokenSigner::from_pem(signer.key_pem()).unwrap();
        assert_eq!(again.public_key(), signer.public_key());
        assert!(again.verify(&signer.sign(&claims()).unwrap()).is_ok());
    }

    #[test]
    fn a_token_holds_between_its_times() {
        let at = |second| {
            claims()
                .check_time(Timestamp::from_second(second).unwrap())
                .is_ok()
        };
        assert!(!at(900) && at(1000) && at(2000) && at(2060) && !at(2061));
    }
}

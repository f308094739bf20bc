//! The key sets of other issuers (RFC 7517), and what they signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use crate::error::PkiError;

/// The algorithms that a token of another issuer may be signed with: upstream's.
const ALGORITHMS: [(&str, Algorithm); 8] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
];

/// Whether tokens signed with the algorithm of this name can be checked.
pub fn is_signing_algorithm(name: &str) -> bool {
    ALGORITHMS.iter().any(|(known, _)| *known == name)
}

/// The public keys of an issuer.
#[derive(Clone, Debug)]
pub struct KeySet(JwkSet);

impl KeySet {
    /// Reads a `jwks` document.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse(document: &[u8]) -> Result<Self, PkiError> {
        serde_json::from_slice(document)
            .map(Self)
            .map_err(|_| PkiError::KeySet)
    }

    /// Whether it may hold the key that signed `token`.
    pub fn may_check(&self, token: &str) -> bool {
        match decode_header(token).ok().and_then(|header| header.kid) {
            Some(id) => self.0.find(&id).is_some(),
            None => !self.0.keys.is_empty(),
        }
    }

    /// The claims of a token that one of the keys signed with one of these algorithms. Times and audiences are not
    /// looked at.
    ///
    /// # Errors
    /// When no key signed it.
    pub fn verify(&self, token: &str, algorithms: &[String]) -> Result<Value, PkiError> {
        let header = decode_header(token).map_err(PkiError::Token)?;
        let allowed = ALGORITHMS
            .iter()
            .any(|(name, known)| *known == header.alg && algorithms.iter().any(|wanted| wanted == name));
        if !allowed {
            return Err(PkiError::Algorithm);
        }
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let keys = self
            .0
            .keys
            .iter()
            .filter(|key| header.kid.is_none() || key.common.key_id == header.kid);
        for key in keys {
            let Ok(key) = DecodingKey::from_jwk(key) else {
                continue;
            };
            if let Ok(token) = decode::<Value>(token, &key, &validation) {
                return Ok(token.claims);
            }
        }
        Err(PkiError::UnknownKey)
    }
}

/// What a token says of itself, believed by nobody yet; `None` for what is no token.
pub fn unverified_claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims) = (parts.next()?, parts.next()?);
    parts.next()?;
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{TokenSigner, jwks};

    #[test]
    fn a_token_is_checked_by_the_keys_of_its_issuer() {
        let (signer, other) = (TokenSigner::generate().unwrap(), TokenSigner::generate().unwrap());
        let set = |signer: &TokenSigner| {
            KeySet::parse(jwks(&[signer.public_key()]).to_string().as_bytes()).unwrap()
        };
        let claims = json!({"iss": "https://i", "sub": "jane"});
        let token = signer.sign(&claims).unwrap();
        let algorithms = ["ES256".to_owned()];
        assert_eq!(unverified_claims(&token).unwrap(), claims);
        assert_eq!(set(&signer).verify(&token, &algorithms).unwrap(), claims);
        assert!(set(&signer).may_check(&token) && !set(&other).may_check(&token));
        assert!(set(&other).verify(&token, &algorithms).is_err());
        assert!(set(&signer).verify(&token, &["RS256".to_owned()]).is_err());
        assert!(unverified_claims("a.b").is_none() && unverified_claims("nonsense").is_none());
    }
}

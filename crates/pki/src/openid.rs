//! The documents with which others check a cluster's tokens: OpenID configuration and key set.

use serde_json::{Value, json};

use crate::token::TokenPublicKey;

/// `/openid/v1/jwks`
pub fn jwks(keys: &[&TokenPublicKey]) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({"use": "sig", "kty": "EC", "kid": key.id, "crv": "P-256", "alg": "ES256", "x": key.x, "y": key.y})
        })
        .collect();
    json!({ "keys": keys })
}

/// `/.well-known/openid-configuration`
pub fn openid_configuration(issuer: &str, jwks_uri: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

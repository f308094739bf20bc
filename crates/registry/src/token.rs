//! The `TokenIssuer` port: who signs the tokens of service accounts.

use jiff::Timestamp;
use warren_apimachinery::Status;

/// What a token says. Names and uids are those of the objects as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims<'a> {
    /// The service account's namespace.
    pub namespace: &'a str,
    /// The service account's name.
    pub service_account: &'a str,
    /// The service account's uid.
    pub uid: &'a str,
    /// Whom the token is for; empty means the API server itself.
    pub audiences: Vec<String>,
    /// How long it lives, in seconds.
    pub expiration_seconds: i64,
    /// The object it is bound to: kind (`Pod`, `Secret`, `Node`), name, uid.
    pub bound: Option<BoundObject>,
    /// The node of the bound pod: name and uid (empty when the node is unknown).
    pub node: Option<(String, String)>,
    /// The time of the request.
    pub now: Timestamp,
}

/// What a token is bound to: it is void when the object is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundObject {
    /// `Pod`, `Secret` or `Node`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// A signed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// The JWT.
    pub token: String,
    /// When it ends.
    pub expires: Timestamp,
    /// The audiences that it carries.
    pub audiences: Vec<String>,
}

/// Signs tokens of one cluster; `access` or `pki` implements it.
pub trait TokenIssuer: Send + Sync + 'static {
    /// Called for a POST to `serviceaccounts/token`, after validation and admission. Pure computation.
    ///
    /// # Errors
    /// What the client reads; only for failures of the signer itself.
    fn issue(&self, claims: &TokenClaims<'_>) -> Result<IssuedToken, Status>;
}

/// Issues nothing: for tests and bootstrap.
pub struct NoTokens;

impl TokenIssuer for NoTokens {
    fn issue(&self, _: &TokenClaims<'_>) -> Result<IssuedToken, Status> {
        Err(Status::new(
            warren_apimachinery::status::StatusReason::ServiceUnavailable,
            "this cluster has no key to sign tokens with",
        ))
    }
}

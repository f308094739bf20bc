//! Why a certificate, a token or a kubeconfig could not be made or read.

/// Blame: `Key`, `Certificate`, `Request`, `Token`, `Kubeconfig`, `Name` the giver's of the input; `Sign` and
/// `Tls` ours.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A private key could not be read.
    #[error("the private key cannot be read")]
    Key(#[source] rcgen::Error),
    /// A certificate could not be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// A certificate signing request is malformed or its signature does not hold.
    #[error("the certificate signing request cannot be read")]
    Request,
    /// A name that cannot stand in a certificate.
    #[error("a name cannot stand in a certificate")]
    Name(#[source] rcgen::Error),
    /// A certificate could not be made.
    #[error("the certificate cannot be signed")]
    Sign(#[source] rcgen::Error),
    /// A client's certificate is not of this authority, is expired, or is for another use.
    #[error("the client certificate does not hold")]
    Untrusted(#[source] rustls::Error),
    /// The TLS stack refused what we gave it.
    #[error("tls cannot be set up")]
    Tls(#[source] rustls::Error),
    /// A token is malformed or its signature does not hold.
    #[error("the token does not hold")]
    Token(#[source] jsonwebtoken::errors::Error),
    /// A token is not valid yet or no longer.
    #[error("the token has expired or is not valid yet")]
    TokenTime,
    /// An issuer's keys cannot be read.
    #[error("the key set cannot be read")]
    KeySet,
    /// A token is signed in a way that its issuer is not trusted with.
    #[error("the token is signed with an algorithm that is not allowed")]
    Algorithm,
    /// No key of the issuer signed the token.
    #[error("no known key signed the token")]
    UnknownKey,
    /// A kubeconfig is not YAML, or not a kubeconfig.
    #[error("the kubeconfig cannot be read: {0}")]
    Kubeconfig(String),
}

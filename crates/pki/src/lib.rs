//! Certificates, service account tokens and kubeconfigs.
//!
//! Owns keys and what is signed with them. Does not own where they are kept (the fleet does) nor what a verified
//! identity may do (`access` does). All keys are ECDSA P-256; the time is always given by the caller.

mod authority;
mod client;
mod error;
mod issued;
mod key_set;
mod kubeconfig;
mod kubeconfig_file;
mod openid;
mod outgoing;
mod server;
mod subject;
mod token;
mod verifier;

pub use authority::{Authority, SigningRequest, requested_common_name, requested_organisations};
pub use client::ClientIdentity;
pub use error::PkiError;
pub use issued::Issued;
pub use key_set::{KeySet, is_signing_algorithm, unverified_claims};
pub use kubeconfig::{Credentials, Kubeconfig};
pub use kubeconfig_file::{Current, KubeconfigFile};
pub use openid::{jwks, openid_configuration};
pub use outgoing::{client_config, outgoing};
pub use server::server_config;
pub use token::{Claims, Named, Private, TokenPublicKey, TokenSigner};

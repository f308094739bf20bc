//! Who asks, and may they: authentication, authorisation, admission and reviews of one cluster, as ordered steps.
//!
//! Owns the decisions and the bootstrap objects they start from. Does not own HTTP (the edge hands over
//! `RequestFacts`) or the lifecycle of a write (`registry` calls what `Guard` implements of its ports).

mod access;
mod admission;
mod authentication;
mod authorization;
pub mod bootstrap;
mod conversion;
mod facts;
mod guard;
mod impersonation;
mod node;
mod node_authorizer;
mod oidc;
mod outbound;
mod parsed;
mod pod_references;
mod review;
mod service_account_token;
mod shared;
#[cfg(test)]
mod testing;
mod webhook_metrics;

pub use access::Access;
pub use admission::{AdmissionConfiguration, AdmissionSettings, Plugins, admission_answer, type_warnings};
pub use authentication::{ANONYMOUS, AUTHENTICATED, Anonymous, Authenticators, UNAUTHENTICATED};
pub use conversion::conversion_answer;
pub use facts::{Certificate, Impersonation, RequestFacts};
pub use guard::{Guard, Keys, PodSecurityFloor};
pub use oidc::{
    AuthenticationConfiguration, Condition, DocumentSource, Issuer, IssuerConfiguration, Mapped, Mapping,
    RequiredClaim, Username,
};
pub use outbound::{Destination, Outbound, Place, Reply, Trust};
pub use shared::Shared;
pub use warren_pki::ClientIdentity;
pub use warren_rbac::{Attributes, Decision};
pub use webhook_metrics::{BUCKETS as WEBHOOK_BUCKETS, WebhookCalls, WebhookMetrics, WebhookRow};

/// The issuer of service account tokens, and the audience of the API server itself.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

//! What controllers ask of a cluster's keys.

use std::sync::{Arc, Weak};

use jiff::Timestamp;
use warren_apimachinery::ClusterId;
use warren_apimachinery::Value;
use warren_controllers::{Authority, CertificateRequest, QuotaUsage, TokenSubject};
use warren_pki::SigningRequest;

use warren_registry::TokenIssuer;
use warren_registry::token::{BoundObject, TokenClaims};

use crate::fleet::Fleet;

/// A century: such a token ends with its Secret.
const FOREVER_SECONDS: i64 = 100 * 365 * 24 * 60 * 60;

/// Answers from the fleet's tenants.
pub(crate) struct FleetAuthority(pub(crate) Weak<Fleet>);

impl FleetAuthority {
    fn tenant(&self, cluster: &ClusterId) -> Option<Arc<crate::tenant::Tenant>> {
        self.0.upgrade()?.tenant(cluster)
    }
}

impl Authority for FleetAuthority {
    fn root_ca(&self, cluster: &ClusterId) -> Option<String> {
        Some(self.tenant(cluster)?.authority_pem().to_owned())
    }

    fn secret_token(&self, cluster: &ClusterId, subject: &TokenSubject<'_>) -> Option<String> {
        let tenant = self.tenant(cluster)?;
        let claims = TokenClaims {
            namespace: subject.namespace,
            service_account: subject.account,
            uid: subject.account_uid,
            audiences: Vec::new(),
            expiration_seconds: FOREVER_SECONDS,
            bound: Some(BoundObject {
                kind: "Secret".to_owned(),
                name: subject.secret.to_owned(),
                uid: subject.secret_uid.to_owned(),
            }),
            node: None,
            now: Timestamp::now(),
        };
        tenant.guard().issue(&claims).ok().map(|issued| issued.token)
    }

    fn sign(&self, cluster: &ClusterId, request: &CertificateRequest<'_>) -> Result<String, String> {
        let tenant = self
            .tenant(cluster)
            .ok_or_else(|| "the cluster is gone".to_owned())?;
        let asked = SigningRequest {
            pem: request.pem,
            usages: request.usages,
            duration: request.duration,
        };
        let signed = tenant.guard().authority().sign(&asked, request.now);
        signed.map_err(|error| error.to_string())
    }
}

impl QuotaUsage for FleetAuthority {
    fn status(&self, cluster: &ClusterId, quota: &Value) -> Option<Value> {
        let tenant = self.tenant(cluster)?;
        let now = tenant.registry().now();
        Some(
            tenant
                .guard()
                .quota_status(&tenant.store().snapshot(), quota, now),
        )
    }
}

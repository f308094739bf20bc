//! `Access`: the one door of a cluster that the edge asks.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use warren_apimachinery::{Status, UserInfo};
use warren_rbac::{Attributes, Decision};
use warren_registry::Registry;

use crate::facts::{Certificate, Impersonation, RequestFacts};
use crate::guard::Guard;
use crate::{authentication, authorization, impersonation, review};

/// Authentication, authorisation and reviews of one cluster. Two pointers: cheap to make and to clone.
#[derive(Clone)]
pub struct Access {
    registry: Arc<Registry>,
    guard: Arc<Guard>,
}

impl Access {
    /// The door of the cluster whose registry and guard these are.
    pub fn new(registry: Arc<Registry>, guard: Arc<Guard>) -> Self {
        Self { registry, guard }
    }

    /// The keys behind the door.
    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// What a connection's client certificate (own certificate first, none for an empty chain) is worth. Once per
    /// connection: it costs about 0.1 ms.
    pub fn identify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Certificate {
        if chain.is_empty() {
            return Certificate::Absent;
        }
        match self.guard.authority.verify_client(chain, now) {
            Ok(client) => Certificate::Of(client),
            Err(error) => {
                tracing::debug!(%error, "a client certificate was refused");
                Certificate::Refused
            }
        }
    }

    /// Who asks, impersonation aside. A request without credentials is of `system:anonymous`.
    ///
    /// # Errors
    /// 401 for credentials that do not hold.
    pub async fn authenticate(&self, facts: &RequestFacts<'_>) -> Result<UserInfo, Status> {
        let now = self.registry.store().snapshot();
        authentication::authenticate(&self.guard, &now, facts).await
    }

    /// The user that `user` wants to act as for what is asked, and the verb that allowed it where it is one of
    /// constrained impersonation.
    ///
    /// # Errors
    /// 403 when the user may not.
    pub fn impersonate(
        &self,
        user: &UserInfo,
        wanted: &Impersonation,
        asked: &Attributes<'_>,
    ) -> Result<(UserInfo, &'static str), Status> {
        let now = self.registry.store().snapshot();
        impersonation::impersonate(&self.guard, &now, user, wanted, asked)
    }

    /// May `user` do this?
    ///
    /// # Errors
    /// 403 in upstream's words.
    pub fn authorize(&self, user: &UserInfo, asked: &Attributes<'_>) -> Result<(), Status> {
        authorization::authorize(&self.guard, &self.registry.store().snapshot(), user, asked)
    }

    /// The same as a decision with its reason.
    pub fn decide(&self, user: &UserInfo, asked: &Attributes<'_>) -> Decision {
        authorization::decide(&self.guard, &self.registry.store().snapshot(), user, asked)
    }

    /// Answers a review (`subjectaccessreviews`, `tokenreviews`, …; `namespace` is empty but for local ones): the
    /// request with its `status`. The registry reaches the same through its `Reviews` port.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn review(
        &self,
        user: &UserInfo,
        plural: &str,
        namespace: &str,
        request: Value,
        now: Timestamp,
    ) -> Result<Value, Status> {
        let cx = review::Asked {
            guard: &self.guard,
            cluster: &self.registry.store().snapshot(),
            user,
            namespace,
            now,
        };
        review::answer(&cx, plural, request).await
    }
}

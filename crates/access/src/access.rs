//! `Access`: the one door of a cluster that the edge asks.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::{Status, UserInfo};
use warren_rbac::{Attributes, Decision};

use crate::facts::RequestFacts;
use crate::lookup::Lookup;

/// Authentication, authorisation and reviews of one cluster. Cheap to make and to clone.
#[derive(Clone)]
pub struct Access {
    cluster: Arc<dyn Lookup>,
}

impl Access {
    /// Guards `cluster`.
    pub fn new(cluster: Arc<dyn Lookup>) -> Self {
        Self { cluster }
    }

    /// Who asks, impersonation included. A request without credentials is of `system:anonymous`.
    ///
    /// # Errors
    /// 401 for credentials that do not hold; 403 when the user may not impersonate.
    pub fn authenticate(&self, _facts: &RequestFacts<'_>) -> Result<UserInfo, Status> {
        Err(Status::unauthorized())
    }

    /// May `user` do this?
    ///
    /// # Errors
    /// 403 in upstream's words.
    pub fn authorize(&self, user: &UserInfo, asked: &Attributes<'_>) -> Result<(), Status> {
        let _ = (&self.cluster, user, asked);
        Err(Status::unauthorized())
    }

    /// The same as a decision with its reason.
    pub fn decide(&self, user: &UserInfo, asked: &Attributes<'_>) -> Decision {
        let _ = (user, asked);
        Decision::NoOpinion(String::new())
    }

    /// Answers a review (`subjectaccessreviews`, `tokenreviews`, …): the request with its `status`.
    ///
    /// # Errors
    /// What the client reads.
    pub fn review(
        &self,
        _user: &UserInfo,
        plural: &str,
        _namespace: &str,
        _request: Value,
        _now: Timestamp,
    ) -> Result<Value, Status> {
        Err(Status::bad_request(format!("{plural} are not answered")))
    }
}

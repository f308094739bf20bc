//! How the admission of one cluster is set up: which plugins run, and what those that can be configured were told.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::event_rate_limit::EventLimits;
use super::plugins::{Id, Plugins};
use super::pod_security::PodSecurityDefaults;
use super::resource_quota::LimitedResource;

/// How the admission of one cluster is set up; the default is upstream's.
#[derive(Debug)]
pub struct AdmissionSettings {
    /// Which plugins run.
    pub plugins: Plugins,
    /// How long pods stay on a node that is not ready, in seconds.
    pub not_ready_seconds: i64,
    /// How long pods stay on a node that cannot be reached, in seconds.
    pub unreachable_seconds: i64,
    /// What `PodSecurity` was told.
    pub(crate) pod_security: PodSecurityDefaults,
    /// What `EventRateLimit` was told, and how much of it is used up.
    pub(super) event_limits: EventLimits,
    /// What `ResourceQuota` was told: what may be used only where a quota covers it.
    pub(super) limited_resources: Vec<LimitedResource>,
    /// What `PodNodeSelector` was told: selectors by namespace, and one for all others.
    pub(super) node_selectors: BTreeMap<String, String>,
    /// What `PodTolerationRestriction` was told: `default` and `whitelist`.
    pub(super) tolerations: Tolerations,
}

/// The tolerations of all namespaces that say nothing of their own.
#[derive(Debug, Default)]
pub(super) struct Tolerations {
    pub(super) default: Vec<Value>,
    pub(super) whitelist: Vec<Value>,
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        const FIVE_MINUTES: i64 = 300;
        Self {
            plugins: Plugins::default(),
            not_ready_seconds: FIVE_MINUTES,
            unreachable_seconds: FIVE_MINUTES,
            pod_security: PodSecurityDefaults::default(),
            event_limits: EventLimits::default(),
            limited_resources: Vec::new(),
            node_selectors: BTreeMap::new(),
            tolerations: Tolerations::default(),
        }
    }
}

/// What admission does unless somebody says otherwise: one for all clusters.
static UPSTREAMS: LazyLock<Arc<AdmissionSettings>> = LazyLock::new(Arc::default);

impl AdmissionSettings {
    /// What holds unless somebody says otherwise.
    pub fn upstreams() -> Arc<Self> {
        Arc::clone(&UPSTREAMS)
    }

    /// Whether a plugin runs.
    pub(super) fn runs(&self, id: Id) -> bool {
        self.plugins.has(id)
    }
}

//! Webhooks as their configurations describe them, read once per state of the configurations.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use warren_apimachinery::resource::{MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, Resource};
use warren_cel::AdmissionVariables;
use warren_storage::Snapshot;

use super::super::policy::Conditions;
use super::matching::Matching;
use crate::outbound::Destination;

/// What the conditions of webhooks may refer to beside the write itself.
const CONDITIONS: AdmissionVariables = AdmissionVariables {
    params: false,
    authorizer: true,
};
/// Upstream's default of `timeoutSeconds`.
const TIMEOUT_SECONDS: u64 = 10;

static CONFIGURATIONS: LazyLock<[GroupResource; 2]> = LazyLock::new(|| {
    [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS].map(|r| r.group_resource())
});

/// The webhooks of a cluster, and the configurations they were read from.
pub(crate) struct Hooks {
    tables: Snapshot,
    pub(super) mutating: Vec<Hook>,
    pub(super) validating: Vec<Hook>,
}

impl Hooks {
    /// Reads all webhooks of a state, in upstream's order: by the name of their configuration, then as they stand.
    pub(crate) fn of(now: &Snapshot) -> Arc<Self> {
        Arc::new(Self {
            tables: now.only(&*CONFIGURATIONS),
            mutating: read(now, &MUTATING_WEBHOOK_CONFIGURATIONS),
            validating: read(now, &VALIDATING_WEBHOOK_CONFIGURATIONS),
        })
    }

    /// Whether there is any configuration: two look-ups.
    pub(crate) fn any(now: &Snapshot) -> bool {
        CONFIGURATIONS
            .iter()
            .any(|resource| now.list(resource, None).next().is_some())
    }

    /// Whether they still are the webhooks of `now`.
    pub(crate) fn are_of(&self, now: &Snapshot) -> bool {
        CONFIGURATIONS
            .iter()
            .all(|resource| self.tables.same(now, resource))
    }
}

fn read(now: &Snapshot, resource: &Resource) -> Vec<Hook> {
    let mut hooks = Vec::new();
    for object in now.list(&resource.group_resource(), None) {
        let value = object.to_value();
        let webhooks = value.items("/webhooks").iter();
        hooks.extend(webhooks.map(|webhook| Hook::of(&object.meta().name, webhook)));
    }
    hooks
}

/// One webhook.
#[derive(Debug)]
pub(super) struct Hook {
    /// The configuration's name.
    pub(super) configuration: String,
    pub(super) name: String,
    /// `None` for one without rules, which is asked nothing.
    pub(super) matching: Option<Matching>,
    /// `failurePolicy: Ignore`.
    pub(super) fails_open: bool,
    pub(super) side_effects: Option<String>,
    pub(super) timeout: Duration,
    /// `reinvocationPolicy: IfNeeded`.
    pub(super) reinvocable: bool,
    pub(super) review_versions: Vec<String>,
    pub(super) destination: Destination,
    /// `matchConditions`.
    pub(super) conditions: Conditions,
}

impl Hook {
    pub(super) fn of(configuration: &str, webhook: &Value) -> Self {
        let texts = |pointer: &str| {
            webhook
                .items(pointer)
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
        };
        let seconds = webhook.at("/timeoutSeconds").as_u64().unwrap_or(TIMEOUT_SECONDS);
        Self {
            configuration: configuration.to_owned(),
            name: webhook.text("/name").to_owned(),
            matching: Some(Matching::of(webhook, "/rules")).filter(Matching::has_rules),
            fails_open: webhook.text("/failurePolicy") == "Ignore",
            side_effects: webhook.at("/sideEffects").as_str().map(str::to_owned),
            timeout: Duration::from_secs(seconds),
            reinvocable: webhook.text("/reinvocationPolicy") == "IfNeeded",
            review_versions: texts("/admissionReviewVersions").collect(),
            destination: Destination::of(webhook.at("/clientConfig")),
            conditions: Conditions::compile(webhook.items("/matchConditions"), CONDITIONS),
        }
    }

    /// Whether it may be asked about a request of which nothing will be kept.
    pub(super) fn stands_dry_run(&self) -> bool {
        matches!(self.side_effects.as_deref(), Some("None" | "NoneOnDryRun"))
    }
}

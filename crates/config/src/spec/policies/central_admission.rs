//! `policies.centralAdmission`: the host owner's webhooks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `policies.centralAdmission`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CentralAdmission {
    /// `ValidatingWebhookConfiguration`s.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validating_webhooks: Vec<Value>,
    /// `MutatingWebhookConfiguration`s.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mutating_webhooks: Vec<Value>,
}

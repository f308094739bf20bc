//! `policies.resourceQuota` and `policies.limitRange`: how much the tenant may use of the host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::spec::Switch;

/// Quantities by name of resource: each a text or a number.
type Quantities = BTreeMap<String, Value>;

fn quantities(value: &Value) -> Quantities {
    let entries = value.as_object().into_iter().flatten();
    entries
        .map(|(name, amount)| (name.clone(), amount.clone()))
        .collect()
}

/// Lays what is said over the defaults, as Helm does; `null` takes a default away.
fn laid_over(defaults: Quantities, said: Quantities) -> Quantities {
    let mut all = defaults;
    all.extend(said);
    all.retain(|_, amount| !amount.is_null());
    all
}

fn quota<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantities, D::Error> {
    let said = Quantities::deserialize(deserializer)?;
    Ok(laid_over(ResourceQuota::default().quota, said))
}

fn limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantities, D::Error> {
    let said = Quantities::deserialize(deserializer)?;
    Ok(laid_over(LimitRange::default().default, said))
}

fn requests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantities, D::Error> {
    let said = Quantities::deserialize(deserializer)?;
    Ok(laid_over(LimitRange::default().default_request, said))
}

/// `policies.resourceQuota`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceQuota {
    /// Whether there is one; `auto`: when there is a LimitRange.
    pub enabled: Switch,
    /// `spec.hard`. What is set here is laid over vCluster's defaults; `null` takes one away.
    #[serde(deserialize_with = "quota")]
    pub quota: BTreeMap<String, Value>,
    /// `spec.scopeSelector`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub scope_selector: Value,
    /// `spec.scopes`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Its labels, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The amounts are vCluster's.
impl Default for ResourceQuota {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            quota: quantities(&json!({
                "requests.cpu": 10, "requests.memory": "20Gi", "requests.storage": "100Gi",
                "requests.ephemeral-storage": "60Gi", "limits.cpu": 20, "limits.memory": "40Gi",
                "limits.ephemeral-storage": "160Gi", "services.nodeports": 0, "services.loadbalancers": 1,
                "count/endpoints": 40, "count/pods": 20, "count/services": 20, "count/secrets": 100,
                "count/configmaps": 100, "count/persistentvolumeclaims": 20,
            })),
            scope_selector: Value::Null,
            scopes: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

/// `policies.limitRange`, of type `Container`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitRange {
    /// Whether there is one; `auto`: when there is a ResourceQuota.
    pub enabled: Switch,
    /// Limits of containers that have none.
    #[serde(deserialize_with = "limits")]
    pub default: BTreeMap<String, Value>,
    /// Requests of containers that have none.
    #[serde(deserialize_with = "requests")]
    pub default_request: BTreeMap<String, Value>,
    /// What a container may use at most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub max: BTreeMap<String, Value>,
    /// What a container must ask for at least.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub min: BTreeMap<String, Value>,
    /// Its labels, besides ours.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The amounts are vCluster's.
impl Default for LimitRange {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            default: quantities(&json!({"ephemeral-storage": "8Gi", "memory": "512Mi", "cpu": "1"})),
            default_request: quantities(
                &json!({"ephemeral-storage": "3Gi", "memory": "128Mi", "cpu": "100m"}),
            ),
            max: BTreeMap::new(),
            min: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

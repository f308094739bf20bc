//! What came back for one request, ready to be compared and kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An answer with everything masked that differs each time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Answer {
    /// The step's label.
    pub(crate) request: String,
    /// The step's digest: an answer to another request is stale.
    pub(crate) sent: String,
    /// The HTTP status.
    pub(crate) code: u16,
    /// The headers that matter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// JSON as it is; `{"stream": […]}` for several documents; `{"text": …}` or `{"base64": …}` for the rest.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) body: Value,
}

impl Answer {
    /// As one value, for comparison.
    pub(crate) fn to_value(&self) -> Value {
        json!({"code": self.code, "headers": self.headers, "body": self.body})
    }
}

//! Scenarios as they stand in `requests/AREA/TOPIC.yaml`.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Steps that build on each other, in a namespace of their own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// A sentence; unique in its file.
    pub(crate) name: String,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
    /// Paths that are deleted at the end, whatever came before: what is not in the namespace.
    #[serde(default)]
    pub(crate) cleanup: Vec<String>,
    /// No namespace is made for it, since nothing in it uses one.
    #[serde(default, rename = "withoutNamespace")]
    pub(crate) without_namespace: bool,
}

/// One request.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Step {
    /// `METHOD /path?query`.
    pub(crate) request: String,
    /// What later steps call its answer: `$uid(NAME)`, `$rv(NAME)`, `$name(NAME)`, `$continue(NAME)`, `$etag(NAME)`.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The body, sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
    /// The body as text, sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<String>,
    /// The body as bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<String>,
    /// `Content-Type`; `application/json` if there is a body and nothing else is said, none for the empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    /// `Accept`; `application/json` if nothing else is said, none for the empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accept: Option<String>,
    /// More headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// Pointers into the answer that are not compared; `*` stands for any item or field, `headers/NAME` for a header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mask: Vec<String>,
    /// Headers that are compared beside those that always are, such as `etag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) also_headers: Vec<String>,
    /// Pointers to lists whose order means nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unordered: Vec<String>,
    /// Sends the request again until the answer has these values at these pointers (`/status` of the HTTP answer is
    /// `code`), for what controllers do in their own time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) until: BTreeMap<String, Value>,
}

impl Scenario {
    /// What each step is called: its request, with a number from the second of the same on.
    pub(crate) fn labels(&self) -> Vec<String> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut labels = Vec::new();
        for step in &self.steps {
            let count = seen.entry(&step.request).or_default();
            *count += 1;
            labels.push(match count {
                1 => step.request.clone(),
                again => format!("{} ({again})", step.request),
            });
        }
        labels
    }
}

impl Step {
    /// Method and path.
    pub(crate) fn line(&self) -> anyhow::Result<(&str, &str)> {
        let line = self.request.split_once(' ');
        line.filter(|(_, path)| path.starts_with('/'))
            .with_context(|| format!("{:?} is no METHOD /path", self.request))
    }

    /// The bytes of the body, before anything is put in.
    pub(crate) fn payload(&self) -> anyhow::Result<Option<Payload>> {
        Ok(match (&self.body, &self.raw, &self.base64) {
            (None, None, None) => None,
            (Some(body), None, None) => Some(Payload::Text(body.to_string())),
            (None, Some(raw), None) => Some(Payload::Text(raw.clone())),
            (None, None, Some(text)) => Some(Payload::Bytes(STANDARD.decode(text.trim())?)),
            _ => bail!("{}: one of body, raw and base64", self.request),
        })
    }

    /// Changes with whatever makes the answer another one.
    pub(crate) fn digest(&self) -> String {
        let text = serde_json::to_value(self).unwrap_or_default().to_string();
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A body.
pub(crate) enum Payload {
    /// In which `$ns` and the like are replaced.
    Text(String),
    /// Sent as they are.
    Bytes(Vec<u8>),
}

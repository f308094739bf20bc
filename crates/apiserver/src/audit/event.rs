//! One audit event, with upstream's fields in upstream's order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use smol_str::SmolStr;
use warren_access::Attributes;
use warren_apimachinery::UserInfo;
use warren_apimachinery::value::ValueExt;

/// An event of `audit.k8s.io/v1`, filled as the request goes on.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) api_version: &'static str,
    pub(super) level: &'static str,
    #[serde(rename = "auditID")]
    pub(super) audit_id: String,
    pub(super) stage: &'static str,
    #[serde(rename = "requestURI")]
    pub(super) request_uri: String,
    pub(super) verb: &'static str,
    pub(super) user: UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) impersonated_user: Option<UserInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authentication_metadata: Option<AuthenticationMetadata>,
    #[serde(rename = "sourceIPs")]
    pub(super) source_ips: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_ref: Option<ObjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_object: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_object: Option<Value>,
    pub(super) request_received_timestamp: String,
    pub(super) stage_timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<Cow<'static, str>, String>,
}

/// How somebody may act as somebody else.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthenticationMetadata {
    pub(super) impersonation_constraint: &'static str,
}

/// What a request is about.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectRef {
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) resource: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) namespace: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) name: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) uid: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) api_group: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) api_version: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) resource_version: SmolStr,
    #[serde(skip_serializing_if = "SmolStr::is_empty")]
    pub(super) subresource: SmolStr,
}

impl ObjectRef {
    /// `None` for paths that are no resources.
    pub(super) fn of(asked: &Attributes<'_>) -> Option<Self> {
        asked.is_resource().then(|| Self {
            resource: asked.resource.into(),
            namespace: asked.namespace.into(),
            name: asked.name.into(),
            api_group: asked.group.into(),
            api_version: asked.version.into(),
            subresource: asked.subresource.into(),
            ..Self::default()
        })
    }

    /// What the path does not say, from the object of the request.
    pub(super) fn complete(&mut self, object: &Value) {
        let fields = [
            (&mut self.namespace, "/metadata/namespace"),
            (&mut self.name, "/metadata/name"),
            (&mut self.uid, "/metadata/uid"),
            (&mut self.resource_version, "/metadata/resourceVersion"),
        ];
        for (field, pointer) in fields {
            if field.is_empty() {
                *field = object.text(pointer).into();
            }
        }
    }
}

impl Event {
    /// The event as a line of the log.
    pub(super) fn line(&self) -> Bytes {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line.into()
    }
}

/// Takes `managedFields` out of an object, or out of the items of a list.
pub(super) fn without_managed_fields(mut object: Value) -> Value {
    object.take_at("/metadata/managedFields");
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            item.take_at("/metadata/managedFields");
        }
    }
    object
}

//! Who sends a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An authenticated (or anonymous) user, as upstream's `user.Info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserInfo {
    /// Such as `kubernetes-admin` or `system:serviceaccount:ns:name`.
    #[serde(rename = "username", default)]
    pub name: String,
    /// A unique identity across time; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Such as `system:masters`, `system:authenticated`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Further facts, such as the pod that a token is bound to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl UserInfo {
    /// One of our own components, such as `system:kube-controller-manager`.
    pub fn system(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
            ..Self::default()
        }
    }
}

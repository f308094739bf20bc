//! `patches`: changes to an object on its way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One change to an object on its way: exactly one of `expression` (with or without `reverseExpression`),
/// `reference` and `labels`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    /// What it changes, such as `spec.rules[*].host` or `metadata.annotations["a/b"]`. Where the object has no such
    /// path, nothing happens.
    pub path: String,
    /// A CEL expression of the value to send; `value` is the one at the path. (vCluster has JavaScript here.)
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// The same for the way back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reverse_expression: String,
    /// The value is a reference to another object: its name is translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<PatchReference>,
    /// The value is a map of labels or a label selector: its keys are translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<PatchLabels>,
}

/// `labels` of a patch: there is nothing to say about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchLabels {}

/// `reference` of a patch: what the value refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchReference {
    /// The `apiVersion` of the referenced object.
    pub api_version: String,
    /// Where the object itself says the `apiVersion`, below the patch's path; if it does not, `apiVersion` holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_version_path: String,
    /// The kind of the referenced object.
    pub kind: String,
    /// Where the object itself says the kind, below the patch's path; if it does not, `kind` holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind_path: String,
    /// Where the name stands below the patch's path; empty: the value is the name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_path: String,
    /// Where the namespace stands below the patch's path; empty or absent there: the object's own namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace_path: String,
}

//! `mappings.byName`: from names of one side to names of the other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `mappings`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mappings {
    /// From names of the side that the objects come from to names of the other side.
    ///
    /// For objects: `namespace/name` or `namespace/*` to the same of the virtual cluster; `""` stands for every object
    /// of the virtual cluster's own host namespace, and `/name` for one. For cluster-scoped objects: a name or `*`.
    /// For namespaces: a name or a pattern with `*`, and `${name}` for the virtual cluster's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_name: BTreeMap<String, String>,
}

//! How a kind is synced: the shapes that the kinds of `sync` share.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Mappings, Patch};
use crate::spec::{Selector, Switch};

/// A kind that is synced or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Synced {
    /// Whether it is.
    pub enabled: bool,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

impl Synced {
    /// Synced, as it is.
    pub const ON: Self = Self {
        enabled: true,
        patches: Vec::new(),
    };

    /// Reads a kind that is synced unless it is said otherwise.
    pub(super) fn on_unless_said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Said {
            #[serde(default = "yes")]
            enabled: bool,
            #[serde(default)]
            patches: Vec<Patch>,
        }
        let said = Said::deserialize(deserializer)?;
        Ok(Self {
            enabled: said.enabled,
            patches: said.patches,
        })
    }
}

pub(super) fn yes() -> bool {
    true
}

/// A kind of which only what is referenced is synced, unless all of it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReferencedOrAll {
    /// Whether it is synced.
    pub enabled: bool,
    /// Whether unreferenced objects are, too.
    pub all: bool,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

impl Default for ReferencedOrAll {
    fn default() -> Self {
        Self {
            enabled: true,
            all: false,
            patches: Vec::new(),
        }
    }
}

/// A kind of which the tenant sees what the selector selects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selected {
    /// Whether it is synced.
    pub enabled: bool,
    /// Which of its objects; empty: all.
    pub selector: Selector,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

/// A kind that is synced when it is useful, of which the tenant sees what the selector selects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SelectedAuto {
    /// Whether it is synced.
    pub enabled: Switch,
    /// Which of its objects; empty: all.
    pub selector: Selector,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

impl SelectedAuto {
    /// Whether it is on, given what `auto` means here.
    pub const fn is_on(&self, auto: bool) -> bool {
        self.enabled.is_on(auto)
    }
}

/// A kind that is synced when it is useful.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SyncedAuto {
    /// Whether it is synced.
    pub enabled: Switch,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

impl SyncedAuto {
    /// Whether it is on, given what `auto` means here.
    pub const fn is_on(&self, auto: bool) -> bool {
        self.enabled.is_on(auto)
    }
}

/// A namespaced kind of the host of which the tenant sees what the mappings name, read-only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mapped {
    /// Whether it is synced.
    pub enabled: bool,
    /// Which objects, and where the tenant sees them.
    pub mappings: Mappings,
    /// Changes to its objects on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
}

//! What the kinds of definitions are called, read out of each definition once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use smol_str::SmolStr;
use warren_apimachinery::resource::{CUSTOM_RESOURCE_DEFINITIONS, Scope};
use warren_apimachinery::{Object, ObjectKey, Resource, Revision};

use crate::sides::Sides;

/// As many definitions are remembered; above it all are forgotten and read again.
const REMEMBERED_MAX: usize = 4096;

/// See the module. By a definition's uid and the version that is asked for; what is known of another revision is read
/// again.
#[derive(Default)]
pub(super) struct Kinds(Mutex<HashMap<(SmolStr, SmolStr), (Revision, Resource)>>);

/// As much of a definition as names its kind.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Definition {
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    group: SmolStr,
    names: Names,
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    kind: SmolStr,
    plural: SmolStr,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    name: SmolStr,
    storage: bool,
}

impl Kinds {
    /// The resource that `plural.group[/version]` means, as the virtual cluster's definition has it; `None` until that
    /// is there. Without a version it is the one that is kept.
    pub(super) fn served(&self, sides: &Sides<'_>, name: &str, scope: Scope) -> Option<Resource> {
        let (name, version) = name.split_once('/').unwrap_or((name, ""));
        let key = ObjectKey::cluster(name);
        let definition = sides.virtual_cluster.get(&CUSTOM_RESOURCE_DEFINITIONS, &key)?;
        let (meta, version) = (definition.meta(), SmolStr::new(version));
        let known = (meta.uid.clone(), version);
        {
            let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((revision, resource)) = remembered.get(&known)
                && *revision == meta.revision
            {
                return Some(*resource);
            }
        }
        let resource = read(&definition, &known.1, scope)?;
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(known, (meta.revision, resource));
        Some(resource)
    }
}

fn read(definition: &Object, version: &str, scope: Scope) -> Option<Resource> {
    let Definition { spec } = definition.view().ok()?;
    let stored = spec.versions.iter().find(|version| version.storage);
    let version = match version {
        "" => stored?.name.as_str(),
        version => version,
    };
    Resource::interned(&spec.group, version, &spec.names.kind, &spec.names.plural, scope)
}

//! Which versions definitions serve, read without building what else they say: a definition of many versions has as
//! many `APIService`s, and each of them asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use smol_str::SmolStr;
use warren_apimachinery::{Object, Revision};

/// How many definitions are remembered, by what they were when they were read.
const REMEMBERED: usize = 64;

/// What was read last, the oldest first. Bound: [`REMEMBERED`]; lives with the controller.
#[derive(Default)]
pub(super) struct Definitions {
    read: Mutex<VecDeque<(SmolStr, Revision, Arc<Served>)>>,
}

/// The group of a definition and the names of the versions that it serves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) group: String,
    pub(super) versions: Vec<String>,
}

#[derive(Deserialize)]
struct Definition {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    group: String,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    name: String,
    served: bool,
}

impl Served {
    /// Nothing where the object is no definition.
    pub(super) fn of(object: &Object) -> Self {
        let Ok(Definition { spec }) = object.view() else {
            return Self::default();
        };
        let versions = spec.versions.into_iter().filter(|version| version.served);
        Self {
            group: spec.group,
            versions: versions.map(|version| version.name).collect(),
        }
    }

    /// The names of its `APIService`s.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.versions
            .iter()
            .map(|version| format!("{version}.{}", self.group))
    }
}

impl Definitions {
    pub(super) fn served(&self, object: &Object) -> Arc<Served> {
        let meta = object.meta();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let known = read
            .iter()
            .find(|(uid, revision, _)| *uid == meta.uid && *revision == meta.revision);
        if let Some((_, _, served)) = known {
            return Arc::clone(served);
        }
        let served = Arc::new(Served::of(object));
        if read.len() == REMEMBERED {
            read.pop_front();
        }
        read.push_back((meta.uid.clone(), meta.revision, Arc::clone(&served)));
        served
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn definition(uid: &str, revision: &str, versions: Value) -> Object {
        Object::from_value(
            &json!({"metadata": {"name": "foos.ex.io", "uid": uid, "resourceVersion": revision},
            "spec": {"group": "ex.io", "versions": versions}}),
        )
    }

    fn version(name: &str, served: bool) -> Value {
        json!({"name": name, "served": served, "schema": {"openAPIV3Schema": {"type": "object"}}})
    }

    #[test]
    fn only_served_versions_have_an_api_service() {
        let object = definition("u", "1", json!([version("v1", true), version("v2", false)]));
        let names: Vec<_> = Served::of(&object).names().collect();
        assert_eq!(names, ["v1.ex.io"]);
        assert_eq!(
            Served::of(&Object::from_value(&json!({"spec": 1}))),
            Served::default()
        );
    }

    #[test]
    fn a_definition_is_read_once_for_all_its_versions_and_again_when_it_changed() {
        let definitions = Definitions::default();
        let object = definition("u", "1", json!([version("v1", true)]));
        let first = definitions.served(&object);
        assert!(Arc::ptr_eq(&first, &definitions.served(&object)));
        let changed = definition("u", "2", json!([version("v1", false)]));
        assert!(definitions.served(&changed).versions.is_empty());
        for uid in 0..REMEMBERED {
            definitions.served(&definition(&uid.to_string(), "1", json!([])));
        }
        assert!(!Arc::ptr_eq(&first, &definitions.served(&object)), "bounded");
    }
}

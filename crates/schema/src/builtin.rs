//! The definitions of built-in kinds: embedded text, read one definition at a time when first asked for.
//!
//! The text stays in the binary's read-only pages; nothing is parsed at start. What was compiled is kept for
//! the life of the process, at most once per definition (771 of them). Descriptions are never compiled; only
//! `openapi` reads them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde_json::Value;
use smol_str::SmolStr;

use crate::compile;
use crate::model::Schema;

static DEFINITIONS: &str = include_str!("../data/definitions.tsv");
static DESCRIPTIONS: &str = include_str!("../data/descriptions.tsv");
static ENUMS: &str = include_str!("../data/enums.tsv");
static KINDS: &str = include_str!("../data/kinds.tsv");

/// Compiled definitions by name. Its bound is the number of definitions; it lives as long as the process.
static COMPILED: LazyLock<RwLock<HashMap<SmolStr, Arc<Schema>>>> = LazyLock::new(RwLock::default);

/// The schema of a definition such as `io.k8s.api.core.v1.PodSpec`; compiled on first use.
pub fn builtin(definition: &str) -> Option<Arc<Schema>> {
    // A poisoned lock still holds a whole map: entries are inserted complete.
    let known = COMPILED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = known.get(definition) {
        return Some(Arc::clone(schema));
    }
    drop(known);
    let raw = raw(definition)?;
    let schema = Arc::new(compile::definition(definition, &raw));
    let mut compiled = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    let kept = compiled.entry(SmolStr::new(definition)).or_insert(schema);
    Some(Arc::clone(kept))
}

/// The name of the definition of a kind, such as `io.k8s.api.apps.v1.Deployment`.
pub fn definition_for(group: &str, version: &str, kind: &str) -> Option<&'static str> {
    line(KINDS, &format!("{group}/{version}/{kind}"))
}

/// The definition's JSON as upstream publishes it in OpenAPI v2, without descriptions, and with our `x-go`.
pub(crate) fn raw(definition: &str) -> Option<Value> {
    serde_json::from_str(line(DEFINITIONS, definition)?).ok()
}

/// The descriptions of a definition: its own under the empty key, then by field.
pub(crate) fn descriptions(definition: &str) -> Option<Value> {
    serde_json::from_str(line(DESCRIPTIONS, definition)?).ok()
}

/// The values that a field may have where upstream publishes them, each with what it says about it:
/// `{"values": [["Always", " means …"], …], "before": "\n"}`.
pub(crate) fn published_values(definition: &str, field: &str) -> Option<Value> {
    serde_json::from_str(line(ENUMS, &format!("{definition}.{field}"))?).ok()
}

/// The names of all definitions, sorted.
pub fn definitions() -> impl Iterator<Item = &'static str> {
    DEFINITIONS
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, _)| name)
}

/// Finds the line that starts with `key` and a tab, in lines sorted by key, and answers what stands behind.
fn line(table: &'static str, key: &str) -> Option<&'static str> {
    let mut rest = table;
    while !rest.is_empty() {
        let middle = floor(rest);
        let start = rest.get(..middle)?.rfind('\n').map_or(0, |at| at + 1);
        let end = rest.get(start..)?.find('\n').map_or(rest.len(), |at| start + at);
        let (name, value) = rest.get(start..end)?.split_once('\t')?;
        match key.cmp(name) {
            std::cmp::Ordering::Equal => return Some(value),
            std::cmp::Ordering::Less => rest = rest.get(..start)?,
            std::cmp::Ordering::Greater => rest = rest.get(end + 1..).unwrap_or_default(),
        }
    }
    None
}

/// The last character boundary in the first half.
fn floor(text: &str) -> usize {
    let mut at = text.len() / 2;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ListType, Ref, Type};

    #[test]
    fn finds_every_definition_and_compiles_it() {
        let names: Vec<_> = definitions().collect();
        assert_eq!(names.len(), 771);
        for name in &names {
            assert!(builtin(name).is_some(), "{name}");
            assert!(descriptions(name).is_some(), "{name}");
        }
        assert!(builtin("io.k8s.api.core.v1.Nothing").is_none());
        assert!(builtin("").is_none());
        assert!(builtin("zzz").is_none());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn look(reference: &Ref) {
            match reference {
                Ref::Named(name) => assert!(raw(name).is_some(), "{name}"),
                Ref::Inline(schema) => walk(schema),
                Ref::Lazy(_) => panic!("of no custom resource"),
            }
        }
        fn walk(schema: &Schema) {
            schema.properties.values().for_each(look);
            schema.items.iter().chain(&schema.additional).for_each(look);
        }
        for name in definitions() {
            walk(&builtin(name).unwrap());
        }
    }

    #[test]
    fn finds_the_definition_of_a_kind() {
        assert_eq!(
            definition_for("apps", "v1", "Deployment"),
            Some("io.k8s.api.apps.v1.Deployment")
        );
        assert_eq!(definition_for("", "v1", "Pod"), Some("io.k8s.api.core.v1.Pod"));
        assert_eq!(definition_for("", "v1", "Nothing"), None);
    }

    #[test]
    fn reads_list_types_patch_strategies_and_defaults() {
        let pod = builtin("io.k8s.api.core.v1.PodSpec").unwrap();
        let containers = pod.properties["containers"].get();
        assert_eq!(containers.list, ListType::Map(Box::new(["name".into()])));
        assert!(containers.patch.merge);
        assert_eq!(containers.patch.merge_key.as_deref(), Some("name"));
        let volumes = pod.properties["volumes"].get();
        assert!(volumes.patch.merge && volumes.patch.retain_keys);
        assert_eq!(
            pod.properties["securityContext"].get().default,
            Some(serde_json::json!({}))
        );
        let strategy = builtin("io.k8s.api.apps.v1.DeploymentSpec").unwrap().properties["strategy"].get();
        assert!(strategy.patch.retain_keys && strategy.properties.contains_key("rollingUpdate"));
        let port = builtin("io.k8s.api.core.v1.ContainerPort").unwrap();
        assert_eq!(port.properties["protocol"].get().default, Some("TCP".into()));
        let quantity = builtin("io.k8s.apimachinery.pkg.api.resource.Quantity").unwrap();
        assert_eq!(quantity.kind, Type::Quantity);
    }

    #[test]
    fn every_default_belongs_to_a_field() {
        for (definition, fields) in compile::default_table() {
            let schema = builtin(definition).unwrap_or_else(|| panic!("{definition}"));
            for field in fields.as_object().unwrap().keys() {
                assert!(
                    schema.properties.contains_key(field.as_str()),
                    "{definition}.{field}"
                );
            }
        }
    }
}

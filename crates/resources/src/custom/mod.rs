//! Custom resources: a `Definition` made from a CustomResourceDefinition.
//!
//! One of several versions has a view for each of them: see `versions`.

pub(crate) mod approval;
mod checks;
pub(crate) mod embedded;
mod finalizers;
pub mod json_path;
pub(crate) mod rules;
mod scaled;
mod shared;
mod strategy;
mod versions;

use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, GroupVersionKind};
use warren_registry::definition::{Definition, ScalePaths, Subresource, Version};
use warren_registry::strategy::Strategy;
use warren_schema::{Ref, Source};

pub use self::approval::conformance;
pub use self::shared::{Known, shared};
use self::versions::{OwnVersion, ViewParts};

/// The finalizer of a definition whose instances go first.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

const VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

/// What a CustomResourceDefinition asks to be served.
///
/// # Errors
/// Why it cannot be: for its conditions.
pub fn definition(crd: &Value) -> Result<Definition, String> {
    let (group, names) = (crd.text("/spec/group"), crd.at("/spec/names"));
    let all = versions::read(crd)?;
    let stored = all.iter().find(|version| version.is_stored);
    let stored = stored.ok_or("no version is the storage version")?;
    let kind = SmolStr::new(names.text("/kind"));
    let plural = SmolStr::new(names.text("/plural"));
    let scope = if crd.text("/spec/scope") == "Namespaced" {
        Scope::Namespaced
    } else {
        Scope::Cluster
    };
    let texts = |pointer: &str| {
        names
            .items(pointer)
            .iter()
            .filter_map(Value::as_str)
            .map(SmolStr::new)
            .collect()
    };
    let make = |shown: &OwnVersion, parts: ViewParts| Definition {
        group: group.into(),
        kind: kind.clone(),
        plural: plural.clone(),
        singular: match names.text("/singular") {
            "" => kind.to_lowercase().into(),
            singular => singular.into(),
        },
        short_names: texts("/shortNames"),
        categories: texts("/categories"),
        scope,
        versions: parts.versions,
        storage_version: GroupVersionKind {
            group: group.into(),
            version: shown.version.name.clone(),
            kind: kind.clone(),
        },
        storage: GroupResource::new(group, plural.clone()),
        verbs: VERBS.map(SmolStr::new_static).into(),
        subresources: subresources(shown.described),
        strategy: Arc::clone(&shown.strategy) as Arc<dyn Strategy>,
        views: parts.views,
        conversion: parts.conversion,
    };
    let views = versions::views(crd, &all, stored, make);
    let parts = ViewParts {
        versions: versions::served(&all),
        views,
        conversion: None,
    };
    Ok(make(stored, parts))
}

fn is_terminating(crd: &Value) -> bool {
    let mut conditions = crd.items("/status/conditions").iter();
    conditions
        .any(|condition| condition.text("/type") == "Terminating" && condition.text("/status") == "True")
}

fn version(crd: &Value, version: &Value, source: Arc<Source>) -> Version {
    Version {
        name: version.text("/name").into(),
        schema: Ref::Lazy(source),
        deprecation: is_true(version, "deprecated").then(|| deprecation(crd, version)),
        defaults_on_read: has_default(version.at("/schema/openAPIV3Schema")),
    }
}

/// Whether a schema gives a default to any field.
fn has_default(schema: &Value) -> bool {
    let Some(map) = schema.as_object() else {
        return false;
    };
    let properties = schema.field("properties").as_object();
    let children = properties.into_iter().flat_map(serde_json::Map::values);
    let elements = [schema.field("items"), schema.field("additionalProperties")];
    map.contains_key("default") || children.chain(elements).any(has_default)
}

/// What users of a deprecated version read: its own words, else what upstream says for it.
fn deprecation(crd: &Value, version: &Value) -> String {
    if let Some(own) = version.field("deprecationWarning").as_str() {
        return own.to_owned();
    }
    let (group, kind) = (crd.text("/spec/group"), crd.text("/spec/names/kind"));
    let name = version.text("/name");
    let newer = crd
        .items("/spec/versions")
        .iter()
        .filter(|other| is_true(other, "served") && !is_true(other, "deprecated"))
        .map(|other| other.text("/name"))
        .filter(|other| priority(other) > priority(name))
        .max_by_key(|other| priority(other));
    let instead = newer.map_or_else(String::new, |newer| format!("; use {group}/{newer} {kind}"));
    format!("{group}/{name} {kind} is deprecated{instead}")
}

fn is_true(value: &Value, field: &str) -> bool {
    value.field(field) == &Value::Bool(true)
}

fn subresources(version: &Value) -> Box<[Subresource]> {
    let verbs = || ["get", "patch", "update"].map(SmolStr::new_static).into();
    let mut all = Vec::new();
    if !version.at("/subresources/status").is_null() {
        all.push(Subresource {
            name: "status".into(),
            kind: None,
            verbs: verbs(),
            scale: None,
        });
    }
    let scale = version.at("/subresources/scale");
    if !scale.is_null() {
        let pointer = |path: &str| SmolStr::from(path.replace('.', "/"));
        let selector = scale.text("/labelSelectorPath");
        all.push(Subresource {
            name: "scale".into(),
            kind: Some(GroupVersionKind {
                group: "autoscaling".into(),
                version: "v1".into(),
                kind: "Scale".into(),
            }),
            verbs: verbs(),
            scale: Some(ScalePaths {
                spec_replicas: pointer(scale.text("/specReplicasPath")),
                status_replicas: pointer(scale.text("/statusReplicasPath")),
                selector: (!selector.is_empty()).then(|| pointer(selector)),
            }),
        });
    }
    all.into()
}

/// Upstream's order of versions: `v2` before `v1` before `v1beta2` before `v1alpha1`, others last.
fn priority(name: &str) -> (u8, u32, u32) {
    let Some(rest) = name.strip_prefix('v') else {
        return (0, 0, 0);
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (major, tail) = rest.split_at(digits);
    let Ok(major) = major.parse() else {
        return (0, 0, 0);
    };
    let minor = |text: &str| text.parse().unwrap_or_default();
    if tail.is_empty() {
        (3, major, 0)
    } else if let Some(minor_text) = tail.strip_prefix("beta") {
        (2, major, minor(minor_text))
    } else if let Some(minor_text) = tail.strip_prefix("alpha") {
        (1, major, minor(minor_text))
    } else {
        (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::strategy::Custom;
    use super::*;

    fn crd() -> Value {
        json!({"spec": {
            "group": "acme.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
            "versions": [
                {"name": "v1alpha1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}},
                {"name": "v1", "served": true, "storage": true,
                    "subresources": {"status": {}, "scale": {
                        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                        "spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 3}}}}}}}]}})
    }

    #[test]
    fn a_definition_is_served_as_it_says() {
        let definition = definition(&crd()).unwrap();
        assert_eq!(
            definition
                .versions
                .iter()
                .map(|v| v.name.as_str())
                .collect::<Vec<_>>(),
            ["v1", "v1alpha1"]
        );
        assert_eq!(definition.singular, "widget");
        let scale = definition.subresource("scale").unwrap().scale.as_ref().unwrap();
        assert_eq!(scale.spec_replicas, "/spec/replicas");
        let errors = definition.strategy.validate(&json!({"spec": {"size": 7}}));
        assert_eq!(errors.len(), 1, "{errors:?}");
        let columns = definition.strategy.own_columns().unwrap();
        assert_eq!(
            columns.iter().map(|column| column.name).collect::<Vec<_>>(),
            ["Name", "Size"]
        );
        let cells = definition.strategy.cells(
            &json!({"metadata": {"name": "a"}, "spec": {"size": 2}}),
            jiff::Timestamp::UNIX_EPOCH,
        );
        assert_eq!(cells, [json!("a"), json!(2)]);
    }

    #[test]
    fn a_deprecated_version_says_so_and_what_to_use() {
        let check = |deprecated: &[(usize, Value)], expect: [Option<&str>; 2]| {
            let mut crd = crd();
            for (at, warning) in deprecated {
                crd.set(&format!("/spec/versions/{at}/deprecated"), true);
                crd.set(
                    &format!("/spec/versions/{at}/deprecationWarning"),
                    warning.clone(),
                );
            }
            let definition = definition(&crd).unwrap();
            let told = definition
                .versions
                .iter()
                .map(|version| version.deprecation.as_deref());
            assert_eq!(told.collect::<Vec<_>>(), expect);
        };
        let kind = crd().text("/spec/names/kind").to_owned();
        let group = crd().text("/spec/group").to_owned();
        let old = format!("{group}/v1alpha1 {kind} is deprecated");
        let instead = format!("{old}; use {group}/v1 {kind}");
        let alpha = usize::from(crd().text("/spec/versions/0/name") != "v1alpha1");
        check(&[(alpha, json!(null))], [None, Some(&instead)]);
        check(&[(alpha, json!("Go away"))], [None, Some("Go away")]);
        let both = [(alpha, json!(null)), (1 - alpha, json!("Old"))];
        check(&both, [Some("Old"), Some(&old)]);
    }

    #[test]
    fn status_is_separate_only_where_it_is_a_subresource() {
        let custom = |version: &Value| {
            Custom::new(version, Source::of(version.at("/schema/openAPIV3Schema")), false).unwrap()
        };
        assert!(custom(crd().at("/spec/versions/1")).traits().status);
        assert!(!custom(crd().at("/spec/versions/0")).traits().status);
    }
}

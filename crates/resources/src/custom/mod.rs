//! Custom resources: a `Definition` made from a CustomResourceDefinition.
//!
//! Conversion between versions is by `None` only.

pub(crate) mod json_path;
pub(crate) mod rules;
mod strategy;

use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::resource::Scope;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{GroupResource, GroupVersionKind};
use warren_registry::definition::{Definition, ScalePaths, Subresource, Version};
use warren_schema::{Ref, Schema, Type, from_json_schema};

use self::strategy::Custom;

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
    if crd.text("/spec/conversion/strategy") == "Webhook" {
        return Err("conversion by webhook is not supported".to_owned());
    }
    let all = crd.items("/spec/versions");
    let served: Vec<&Value> = all
        .iter()
        .filter(|version| version.at("/served") == &Value::Bool(true))
        .collect();
    let stored = all
        .iter()
        .find(|version| version.at("/storage") == &Value::Bool(true));
    let stored = stored.ok_or("no version is the storage version")?;
    let mut versions = served
        .iter()
        .map(|version| self::version(crd, version))
        .collect::<Result<Vec<_>, _>>()?;
    versions.sort_by_key(|version| std::cmp::Reverse(priority(&version.name)));
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
    Ok(Definition {
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
        versions: versions.into(),
        storage_version: GroupVersionKind {
            group: group.into(),
            version: stored.text("/name").into(),
            kind: kind.clone(),
        },
        storage: GroupResource::new(group, plural),
        verbs: VERBS.map(SmolStr::new_static).into(),
        subresources: subresources(stored),
        strategy: Arc::new(Custom::new(stored, is_terminating(crd))?),
    })
}

fn is_terminating(crd: &Value) -> bool {
    let mut conditions = crd.items("/status/conditions").iter();
    conditions
        .any(|condition| condition.text("/type") == "Terminating" && condition.text("/status") == "True")
}

fn version(crd: &Value, version: &Value) -> Result<Version, String> {
    let name = version.text("/name");
    Ok(Version {
        name: name.into(),
        schema: Ref::Inline(schema(version)?),
        deprecation: is_true(version, "deprecated").then(|| deprecation(crd, version)),
        defaults_on_read: has_default(version.at("/schema/openAPIV3Schema")),
    })
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

/// The compiled schema of a version; `metadata` is the API's own whatever the schema says of it.
fn schema(version: &Value) -> Result<Arc<Schema>, String> {
    let described = version.at("/schema/openAPIV3Schema");
    let compiled = from_json_schema(described).map_err(|errors| {
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    })?;
    let mut schema = Schema::clone(&compiled);
    let text = || Ref::Inline(Arc::new(Schema::of(Type::String)));
    schema.properties.insert("apiVersion".into(), text());
    schema.properties.insert("kind".into(), text());
    let metadata = Ref::Named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into());
    schema.properties.insert("metadata".into(), metadata);
    Ok(Arc::new(schema))
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
    use warren_registry::strategy::Strategy;

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
    fn what_cannot_be_served_says_why() {
        let mut webhook = crd();
        webhook.set("/spec/conversion/strategy", "Webhook");
        assert!(definition(&webhook).err().unwrap().contains("webhook"));
    }

    #[test]
    fn status_is_separate_only_where_it_is_a_subresource() {
        assert!(
            Custom::new(crd().at("/spec/versions/1"), false)
                .unwrap()
                .traits()
                .status
        );
        assert!(
            !Custom::new(crd().at("/spec/versions/0"), false)
                .unwrap()
                .traits()
                .status
        );
    }
}

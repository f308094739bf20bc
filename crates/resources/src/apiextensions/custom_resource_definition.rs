//! Definitions of custom resources. Whether one is served, and the conditions that say so, is the fleet's.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::time;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::internal::internal;
use super::{formats, names, spec};
use crate::check::{self, Errors};
use crate::custom::CLEANUP;
use crate::custom::approval::{self, Approval};
use crate::table::columns;

/// The strategy of definitions of custom resources.
pub(crate) struct CustomResourceDefinition;

impl Strategy for CustomResourceDefinition {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            status: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        if object.items("/status/storedVersions").is_empty() {
            remember_stored(object);
        }
        let kind = object.text("/spec/names/kind").to_owned();
        if kind.is_empty() {
            return;
        }
        for (pointer, value) in [
            ("/spec/names/singular", kind.to_lowercase()),
            ("/spec/names/listKind", format!("{kind}List")),
        ] {
            if object.text(pointer).is_empty() {
                object.set(pointer, value);
            }
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set(
            "/status",
            json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}}),
        );
        remember_stored(object);
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        remember_stored(new);
    }

    fn begin_deletion(&self, object: &mut Value, now: Timestamp) -> bool {
        let mut finalizers = object.items("/metadata/finalizers").to_vec();
        if !finalizers.iter().any(|known| known == CLEANUP) {
            finalizers.push(CLEANUP.into());
        }
        object.set("/metadata/finalizers", finalizers);
        let condition = json!({
            "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            "lastTransitionTime": time::format(now)});
        let mut conditions = object.items("/status/conditions").to_vec();
        conditions.retain(|known| known.text("/type") != "Terminating");
        conditions.push(condition);
        object.set("/status/conditions", conditions);
        true
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let own_name = object.text("/metadata/name");
        let expected = format!(
            "{}.{}",
            object.text("/spec/names/plural"),
            object.text("/spec/group")
        );
        if own_name != expected {
            errors.push(Error::invalid(
                &Path::new("metadata.name"),
                own_name,
                "must be spec.names.plural+\".\"+spec.group",
            ));
        }
        spec::spec(&mut errors, &internal(object.field("spec")));
        errors.extend(accepted_names(object));
        stored_versions(&mut errors, object);
        approved(&mut errors, object, None);
        preserves_unknown(&mut errors, object, &Value::Null);
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        spec::spec(&mut errors, &internal(new.field("spec")));
        let mut fixed = |field: &str, pointer: &str| {
            check::immutable(&mut errors, &Path::new(field), new.at(pointer), old.at(pointer));
        };
        if is_established(old) {
            fixed("spec.scope", "/spec/scope");
            fixed("spec.names.kind", "/spec/names/kind");
        }
        fixed("spec.group", "/spec/group");
        fixed("spec.names.plural", "/spec/names/plural");
        errors.extend(accepted_names(new));
        stored_versions(&mut errors, new);
        approved(&mut errors, new, Some(old));
        preserves_unknown(&mut errors, new, old);
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        accepted_names(new)
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        let known = old.map(formats::unknown).unwrap_or_default();
        let new = formats::unknown(new).into_iter();
        new.filter(|format| !known.contains(format))
            .map(|format| format!("unrecognized format {format:?}"))
            .collect()
    }

    fn columns(&self) -> &'static [Column] {
        columns("customresourcedefinitions.apiextensions.k8s.io")
    }
}

/// Objects may be kept in any version that ever was the storage version.
fn remember_stored(object: &mut Value) {
    let versions = object.items("/spec/versions");
    let stored = versions
        .iter()
        .find(|version| version.field("storage").as_bool() == Some(true))
        .map(|version| version.field("name").clone());
    let mut known = object.items("/status/storedVersions").to_vec();
    known.extend(stored.filter(|stored| !known.contains(stored)));
    object.set("/status/storedVersions", known);
}

fn is_established(object: &Value) -> bool {
    object
        .items("/status/conditions")
        .iter()
        .any(|condition| condition.text("/type") == "Established" && condition.text("/status") == "True")
}

/// Checks the names that were accepted.
fn accepted_names(object: &Value) -> Errors {
    let mut errors = Errors::new();
    let path = Path::new("status.acceptedNames");
    names::names(&mut errors, &path, object.at("/status/acceptedNames"));
    errors
}

fn preserves_unknown(errors: &mut Errors, new: &Value, old: &Value) {
    let preserves = |object: &Value| object.at("/spec/preserveUnknownFields").as_bool() == Some(true);
    if preserves(new) && !preserves(old) {
        errors.push(Error::invalid(
            &Path::new("spec.preserveUnknownFields"),
            true,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
}

/// Groups of the community's own names need its word.
fn approved(errors: &mut Errors, object: &Value, old: Option<&Value>) {
    if !approval::is_protected(object.text("/spec/group")) {
        return;
    }
    // What was let in without it may stay so.
    let word = |object: &Value| {
        object
            .at("/metadata/annotations")
            .field(approval::ANNOTATION)
            .clone()
    };
    if old.is_some_and(|old| word(old) == word(object)) {
        return;
    }
    let path = Path::new("metadata.annotations").key(approval::ANNOTATION);
    let found = approval::of(object);
    match found {
        Approval::Approved | Approval::Bypassed => {}
        Approval::Missing => errors.push(Error::required(&path, approval::demand(found))),
        Approval::Invalid => errors.push(Error::invalid(&path, word(object), approval::demand(found))),
    }
}

fn stored_versions(errors: &mut Errors, object: &Value) {
    let path = Path::new("status.storedVersions");
    let (stored, versions) = (
        object.items("/status/storedVersions"),
        object.items("/spec/versions"),
    );
    if stored.is_empty() {
        errors.push(Error::invalid(
            &path,
            Value::Null,
            "must have at least one stored version",
        ));
        return;
    }
    for version in versions {
        let is_stored = version.field("storage").as_bool() == Some(true);
        if is_stored && !stored.contains(version.field("name")) {
            let why = format!("must have the storage version {}", version.text("/name"));
            errors.push(Error::invalid(&path, stored.to_vec(), why));
        }
    }
    for (at, stored) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version.field("name") == stored) {
            let v = stored.as_str().unwrap_or_default();
            errors.push(Error::invalid(
                &path.index(at),
                v,
                format!("missing from spec.versions; {v} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {v} and removes {v} from status.storedVersions"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Value {
        let mut object = json!({"metadata": {"name": "foos.ex.io"}, "spec": {"group": "ex.io", "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo"}, "conversion": {"strategy": "None"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
        CustomResourceDefinition.default(&mut object);
        CustomResourceDefinition.prepare_for_create(&mut object);
        object
    }

    fn check(pointer: &str, value: Value, expected: &[&str]) {
        let mut object = definition();
        if !pointer.is_empty() {
            object.set(pointer, value);
        }
        let errors = CustomResourceDefinition.validate_create(&object);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{pointer}");
    }

    #[test]
    fn names_versions_and_schemas_are_checked() {
        check("", Value::Null, &[]);
        check(
            "/spec/group",
            "ex".into(),
            &[
                "metadata.name: Invalid value: \"foos.ex.io\": must be spec.names.plural+\".\"+spec.group",
                "spec.group: Invalid value: \"ex\": should be a domain with at least one dot",
            ],
        );
        check(
            "/spec/scope",
            "World".into(),
            &["spec.scope: Unsupported value: \"World\": supported values: \"Cluster\", \"Namespaced\""],
        );
        check(
            "/spec/versions/0/schema",
            Value::Null,
            &["spec.versions[0].schema.openAPIV3Schema: Required value"],
        );
        check(
            "/spec/versions/0/schema/openAPIV3Schema",
            json!({}),
            &["spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root"],
        );
        check(
            "/spec/names/listKind",
            "Foo".into(),
            &["spec.names.listKind: Invalid value: \"Foo\": kind and listKind may not be the same"],
        );
        check(
            "/spec/versions/0/additionalPrinterColumns",
            json!([{"name": "A", "type": "text", "jsonPath": ".spec.a"}]),
            &[
                "spec.additionalPrinterColumns[0].type: Invalid value: \"text\": must be one of boolean,date,integer,number,string",
            ],
        );
        check(
            "/spec/versions/0/subresources/scale",
            json!({"specReplicasPath": ".replicas", "statusReplicasPath": ".status.replicas"}),
            &[
                "spec.subresources.scale.specReplicasPath: Invalid value: \".replicas\": should be a json path under .spec",
            ],
        );
    }

    #[test]
    fn exactly_one_version_is_stored() {
        let mut object = definition();
        object.set("/spec/versions/0/storage", false);
        let errors = CustomResourceDefinition.validate_create(&object);
        assert!(
            errors[0]
                .to_string()
                .ends_with(": must have exactly one version marked as storage version")
        );
    }

    #[test]
    fn the_communitys_groups_need_approval() {
        let mut object = definition();
        object.set("/spec/group", "x.k8s.io");
        object.set("/metadata/name", "foos.x.k8s.io");
        let errors = CustomResourceDefinition.validate_create(&object);
        assert_eq!(
            errors[0].path.to_string(),
            "metadata.annotations[api-approved.kubernetes.io]"
        );
        object.set(
            "/metadata/annotations/api-approved.kubernetes.io",
            "unapproved, a test",
        );
        assert!(CustomResourceDefinition.validate_create(&object).is_empty());
    }

    #[test]
    fn a_version_that_was_stored_stays() {
        let old = definition();
        assert_eq!(old.at("/status/storedVersions"), &json!(["v1"]));
        let mut new = old.clone();
        new.set("/spec/versions/0/name", "v2");
        CustomResourceDefinition.prepare_for_update(&mut new, &old);
        let errors = CustomResourceDefinition.validate_update(&new, &old);
        assert!(
            errors[0]
                .to_string()
                .starts_with("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; ")
        );
        let mut new = old.clone();
        new.set("/spec/group", "other.io");
        assert_eq!(
            CustomResourceDefinition.validate_update(&new, &old)[0].to_string(),
            "spec.group: Invalid value: \"other.io\": field is immutable"
        );
    }
}

//! What is checked of a custom resource, in upstream's order: its schema, the fields of its scale, the objects that it
//! embeds, its sets and maps, its rules.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::field::{Error, ErrorType, Path};
use warren_apimachinery::value::ValueExt;
use warren_schema::{Schema, Source};

use super::scaled::Scaled;
use super::{embedded, rules};

/// The checks of one version.
pub(super) struct Checks {
    source: Arc<Source>,
    has_rules: bool,
    scale: Option<Scaled>,
}

impl Checks {
    /// Of a version of a definition.
    pub(super) fn new(version: &Value, source: Arc<Source>) -> Self {
        Self {
            source,
            has_rules: rules::has_rules(version.at("/schema/openAPIV3Schema")),
            scale: Scaled::new(version.at("/subresources/scale")),
        }
    }

    /// What is wrong with a new object.
    pub(super) fn create(&self, object: &Value) -> Vec<Error> {
        let schema = self.schema();
        let mut errors = schema.validate(object, &Path::root());
        self.scaled(object, &mut errors);
        errors.extend(embedded::validate(&schema, object));
        errors.extend(schema.validate_lists(object, &Path::root()));
        self.rules(object, None, &mut errors);
        errors
    }

    /// What is wrong with a changed object, and was not before.
    pub(super) fn replace(&self, new: &Value, old: &Value) -> Vec<Error> {
        let schema = self.schema();
        let mut errors = schema.validate_change(new, old, &Path::root());
        self.scaled(new, &mut errors);
        errors.extend(embedded::validate(&schema, new));
        self.lists(new, old, &mut errors);
        self.rules(new, Some(old), &mut errors);
        errors
    }

    /// What is wrong with a changed status. Upstream's messages call its fields by their path below it.
    pub(super) fn status(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Vec::new();
        if let (Some(status), Some(schema)) = (new.get("status"), self.schema().field("status")) {
            let path = Path::new("status");
            errors = schema.get().validate_change(status, old.field("status"), &path);
        }
        if let Some(scale) = &self.scale {
            scale.status(new, &mut errors);
        }
        self.lists(new, old, &mut errors);
        self.rules(new, Some(old), &mut errors);
        errors
    }

    /// Compiled when first used, here and below.
    fn schema(&self) -> Arc<Schema> {
        self.source.schema()
    }

    fn node(&self) -> Option<Arc<Option<rules::Node>>> {
        self.has_rules.then(|| self.source.derived(rules::Node::of_root))
    }

    /// What the rules find wrong that was so before.
    pub(super) fn tolerated(&self, new: &Value, old: &Value) -> Vec<String> {
        let Some(rules) = self.node() else {
            return Vec::new();
        };
        let Some(rules) = &*rules else { return Vec::new() };
        let findings = rules::evaluate(rules, &self.schema(), new, Some(old));
        findings.tolerated.iter().map(ToString::to_string).collect()
    }

    fn scaled(&self, object: &Value, errors: &mut Vec<Error>) {
        if let Some(scale) = &self.scale {
            scale.spec(object, errors);
            scale.status(object, errors);
        }
    }

    /// Sets and maps may stay as they are, even if something occurs in them twice.
    fn lists(&self, new: &Value, old: &Value, errors: &mut Vec<Error>) {
        let schema = self.schema();
        let found = schema.validate_lists(new, &Path::root());
        if !found.is_empty() && schema.validate_lists(old, &Path::root()).is_empty() {
            errors.extend(found);
        }
    }

    /// The rules, unless something was found that keeps them from being evaluated.
    fn rules(&self, new: &Value, old: Option<&Value>, errors: &mut Vec<Error>) {
        let Some(rules) = self.node() else {
            return;
        };
        let Some(rules) = &*rules else { return };
        if errors.iter().any(|error| blocks_rules(error.kind)) {
            errors.push(Error::invalid(
                &Path::root(),
                Value::Null,
                "some validation rules were not checked because the object was invalid; correct the existing errors \
                 to complete validation",
            ));
        } else {
            errors.extend(rules::evaluate(rules, &self.schema(), new, old).errors);
        }
    }
}

/// Whether an error of the schema may mean that values are not what expressions take them for.
fn blocks_rules(kind: ErrorType) -> bool {
    matches!(
        kind,
        ErrorType::NotSupported
            | ErrorType::Required
            | ErrorType::TooLong
            | ErrorType::TooMany
            | ErrorType::TypeInvalid
    )
}

//! Labels and annotations of an object: what they may look like, and how they are told apart by selectors.

use serde_json::Value;

use crate::field::{Error, Path};
use crate::name;

/// Checks a map of labels, as upstream's `ValidateLabels`: each error stands at `path` itself.
pub fn validate(labels: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        errors.extend(validate_key(key, path));
        let text = value.as_str().unwrap_or_default();
        errors.extend(
            name::label_value(text)
                .into_iter()
                .map(|why| Error::invalid(path, text, why)),
        );
    }
    errors
}

/// Checks one key of labels.
pub fn validate_key(key: &str, path: &Path) -> Vec<Error> {
    name::qualified_name(key)
        .into_iter()
        .map(|why| Error::invalid(path, key, why))
        .collect()
}

/// Checks a map of annotations, as upstream's `ValidateAnnotations`: keys in any case, and their size in all.
pub fn validate_annotations(annotations: &Value, path: &Path) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let why = name::qualified_name(&key.to_lowercase());
        errors.extend(why.into_iter().map(|why| Error::invalid(path, key.as_str(), why)));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > name::ANNOTATIONS_MAX {
        errors.push(Error::too_long(path, name::ANNOTATIONS_MAX));
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refuses_bad_keys_and_values_at_the_map_itself() {
        let errors = validate(&json!({"a": "b!", "c d": "e"}), &Path::new("metadata.labels"));
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 2);
        assert!(said[0].starts_with(r#"metadata.labels: Invalid value: "b!": a valid label must be"#));
        assert!(said[1].starts_with(r#"metadata.labels: Invalid value: "c d": name part must consist"#));
    }

    #[test]
    fn bounds_annotations_together() {
        let big = json!({"Example.com/A": "x".repeat(name::ANNOTATIONS_MAX)});
        let errors = validate_annotations(&big, &Path::new("metadata.annotations"));
        assert_eq!(
            errors[0].to_string(),
            "metadata.annotations: Too long: may not be more than 262144 bytes"
        );
        assert_eq!(errors.len(), 1);
    }
}

//! Value validations of a custom resource's schema: bounds, patterns, counts.

/// `minimum`, `maxLength`, `pattern` and the like.
#[derive(Clone, Debug, Default)]
pub struct Rules {}

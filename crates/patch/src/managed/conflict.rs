//! Conflicts of an apply with other owners, and the answer that names them.

use std::collections::BTreeMap;

use warren_apimachinery::Status;
use warren_apimachinery::status::{Cause, StatusReason};

use super::element::PathElement;
use super::owners::{Identity, Operation};
use super::set::show;

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    owner: Identity,
    path: Vec<PathElement>,
}

/// Why an apply was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The configuration is not one: 400 with this message.
    #[error("{0}")]
    Malformed(String),
    /// Others own what is applied, and `force` was not given: 409.
    #[error("{}", message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration does not fit the schema: upstream answers 500 without a reason.
    #[error("{0}")]
    DoesNotFit(String),
}

impl From<ApplyError> for Status {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Malformed(message) => Self::bad_request(message),
            ApplyError::DoesNotFit(message) => Self::unclassified(message),
            ApplyError::Conflicts(conflicts) => {
                let causes = conflicts
                    .iter()
                    .map(|conflict| Cause {
                        reason: "FieldManagerConflict".into(),
                        message: format!("conflict with {}", conflict.owner_in_words()),
                        field: conflict.field(),
                    })
                    .collect();
                Self::new(StatusReason::Conflict, message(&conflicts)).with_causes(causes)
            }
        }
    }
}

impl Conflict {
    pub(crate) fn new(owner: Identity, path: Vec<PathElement>) -> Self {
        Self { owner, path }
    }

    /// The field, such as `.spec.replicas`.
    pub fn field(&self) -> String {
        show(&self.path)
    }

    /// The name of the manager that owns it.
    pub fn manager(&self) -> &str {
        &self.owner.manager
    }

    pub(crate) fn path(&self) -> &[PathElement] {
        &self.path
    }

    fn owner_in_words(&self) -> String {
        self.owner.to_string()
    }
}

/// As messages name an owner: `"x" with subresource "status" using apps/v1`.
impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.manager.as_str())?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource.as_str())?;
        }
        if self.operation == Operation::Update {
            write!(f, " using {}", self.version())?;
        }
        Ok(())
    }
}

fn message(conflicts: &[Conflict]) -> String {
    if let [one] = conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            one.owner,
            one.field()
        );
    }
    let mut by_owner: BTreeMap<&Identity, Vec<String>> = BTreeMap::new();
    for conflict in conflicts {
        by_owner
            .entry(&conflict.owner)
            .or_default()
            .push(conflict.field());
    }
    let mut lines = Vec::new();
    for (owner, fields) in by_owner {
        lines.push(format!("conflicts with {owner}:"));
        lines.extend(fields.into_iter().map(|field| format!("- {field}")));
    }
    format!(
        "Apply failed with {} conflicts: {}",
        conflicts.len(),
        lines.join("\n")
    )
}

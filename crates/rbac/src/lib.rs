//! May this subject do this? Pure evaluation of RBAC rules.
//!
//! Owns rules, bindings, their evaluation, escalation checks and aggregation. Does not own where roles are
//! read from or when an index is rebuilt (`access` does).

mod aggregation;
mod attributes;
mod binding;
mod escalation;
mod index;
mod rule;

pub use aggregation::{Aggregation, aggregated_rules};
pub use attributes::Attributes;
pub use binding::{Binding, RoleKind, RoleRef, Subject, SubjectKind};
pub use escalation::{breakdown, compact, covers, escalation_text};
pub use index::{Decision, Index, ResolvedRules, Roles};
pub use rule::Rule;

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// The group whose members may do everything.
pub const MASTERS: &str = "system:masters";

/// Go's `%q` of a list of strings: `["a" "b"]`.
pub(crate) fn quoted_list<T: AsRef<str>>(items: &[T]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("{:?}", item.as_ref())).collect();
    format!("[{}]", quoted.join(" "))
}

//! The last look at a host object before it is sent: does it ask for what the host's owner does not allow, or reach for
//! what is another's?
//!
//! Admission in the virtual cluster says the same first and better, but a tenant administers that one. This one knows
//! nothing of how the object came to be: whatever a rule, a patch or a webhook of the tenant's makes, passes here.

mod objects;
mod pod;
mod scheduling;

use serde_json::Value;
use warren_apimachinery::Resource;

pub use self::scheduling::tolerable;
use crate::tenant::Tenant;

/// Which of Kubernetes' Pod Security Standards the host's owner asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standard {
    /// None.
    Privileged,
    /// Nothing that is known to lead out of a container.
    #[default]
    Baseline,
    /// What is best for a pod, and nothing more.
    Restricted,
}

/// What the host's owner allows a tenant. The default is what holds where nothing is configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// What pods may ask of their node.
    pub standard: Standard,
    /// Keys of nodes' labels (or patterns with `*`) that pods may select by; `None`: any but those of the nodes' roles.
    pub node_labels: Option<Vec<String>>,
    /// Keys of taints (or patterns with `*`) that pods may tolerate; `None`: any but those of the nodes' roles.
    pub taints: Option<Vec<String>>,
    /// Keys of nodes' labels that the owner selects by, for every pod.
    pub owners_node_labels: Vec<String>,
    /// Tolerations that the owner gives every pod.
    pub owners_tolerations: Vec<Value>,
    /// The highest value of a priority class.
    pub max_priority: i32,
    /// The host names (or `*.` and a domain) that ingresses and routes may claim; `None`: any.
    pub hosts: Option<Vec<String>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            standard: Standard::Baseline,
            node_labels: None,
            taints: None,
            owners_node_labels: Vec::new(),
            owners_tolerations: Vec::new(),
            max_priority: 1_000_000_000,
            hosts: None,
        }
    }
}

/// The fields of a host object that the tenant may not have there, by path; empty: it may be sent.
pub fn forbidden(tenant: &Tenant, limits: &Limits, resource: &Resource, object: &Value) -> Vec<String> {
    let mut found = objects::forbidden(tenant, limits, resource, object);
    if resource.group.is_empty() && resource.plural == "pods" {
        let spec = object.get("spec").unwrap_or(&Value::Null);
        found.extend(pod_spec(limits, spec));
        found.extend(scheduling::unbound(tenant, limits, spec));
    }
    found
}

/// What a tenant's own pod asks of nodes and may not, so that it can be refused before it is translated.
pub fn pod_spec(limits: &Limits, spec: &Value) -> Vec<String> {
    let mut found = match limits.standard {
        Standard::Privileged => Vec::new(),
        Standard::Baseline => pod::baseline(spec),
        Standard::Restricted => pod::restricted(spec),
    };
    found.extend(scheduling::nodes(limits, spec));
    found
}

/// Whether one of the patterns (each with at most one `*`) fits; without any, all but the nodes' roles.
fn allows(patterns: Option<&[String]>, key: &str) -> bool {
    match patterns {
        None => !key.starts_with("node-role.kubernetes.io/"),
        Some(patterns) => patterns.iter().any(|pattern| match pattern.split_once('*') {
            None => pattern == key,
            Some((start, end)) => {
                key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end)
            }
        }),
    }
}

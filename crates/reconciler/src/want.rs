//! What of a host is kept in the cache of its port.
//!
//! An in-process port holds everything and does not ask; a remote one watches what is wanted and nothing else.

use smol_str::SmolStr;
use warren_apimachinery::Resource;

/// Which objects of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// Those that carry our label, in all namespaces: one watch for all virtual clusters.
    Ours,
    /// All, whoever made them: for kinds of the host's own, such as nodes and classes. Includes `Ours`.
    All,
    /// All of one namespace, whoever made them: what is mapped from the host by configuration.
    In(SmolStr),
    /// For events: those about objects that are in the cache, the newest of them.
    About,
}

/// Objects of a host that somebody needs to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    /// The resource, in the version that our code reads.
    pub resource: Resource,
    /// Which of its objects.
    pub which: Which,
}

impl Want {
    /// Those that carry our label.
    pub fn ours(resource: Resource) -> Self {
        Self {
            resource,
            which: Which::Ours,
        }
    }

    /// All objects of a resource.
    pub fn all(resource: Resource) -> Self {
        Self {
            resource,
            which: Which::All,
        }
    }

    /// All objects of a resource in one namespace.
    pub fn of_namespace(resource: Resource, namespace: impl Into<SmolStr>) -> Self {
        Self {
            resource,
            which: Which::In(namespace.into()),
        }
    }
}

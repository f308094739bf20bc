//! Whose a host object is: written into every object we make, and read back before one is touched.

use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Value};

use crate::label::{MANAGED_BY, NAMESPACE};
use crate::side::Virtual;
use crate::tenant::Tenant;

/// The annotation of a host object that names the kind of its virtual object.
pub const OBJECT_KIND: &str = "warren.dev/object-kind";
/// The annotation of a host object that names the namespace of its virtual object.
pub const OBJECT_NAMESPACE: &str = "warren.dev/object-namespace";
/// The annotation of a host object that names its virtual object.
pub const OBJECT_NAME: &str = "warren.dev/object-name";
/// The annotation of a host object that holds the uid of its virtual object.
pub const OBJECT_UID: &str = "warren.dev/object-uid";

/// The virtual object that a host object stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Its kind, such as `Pod`.
    pub kind: SmolStr,
    /// Its key.
    pub key: Virtual<ObjectKey>,
    /// Its uid; empty for objects that stand for no single one.
    pub uid: Virtual<SmolStr>,
}

/// What is known about a host object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Not made by us for this tenant: never touched.
    Foreign,
    /// Made by us for this tenant.
    Ours(Identity),
}

impl Tenant {
    /// Writes ownership into a host object that is about to be created: labels and annotations.
    pub fn mark(&self, object: &mut Value, identity: &Identity) {
        if let Some(labels) = object.object_at("/metadata/labels") {
            labels.insert(MANAGED_BY.to_owned(), self.cluster().into());
            if !identity.key.0.namespace.is_empty() {
                labels.insert(NAMESPACE.to_owned(), identity.key.0.namespace.as_str().into());
            }
        }
        if let Some(annotations) = object.object_at("/metadata/annotations") {
            annotations.insert(OBJECT_KIND.to_owned(), identity.kind.as_str().into());
            annotations.insert(
                OBJECT_NAMESPACE.to_owned(),
                identity.key.0.namespace.as_str().into(),
            );
            annotations.insert(OBJECT_NAME.to_owned(), identity.key.0.name.as_str().into());
            annotations.insert(OBJECT_UID.to_owned(), identity.uid.0.as_str().into());
        }
    }

    /// Reads ownership. A label alone proves nothing: label and annotations must agree with each other. That they
    /// also lead to the object's own name is for the caller to check, who knows the resource.
    pub fn identify(&self, object: &Value) -> Ownership {
        let metadata = object.field("metadata");
        let labels = metadata.field("labels");
        let annotations = metadata.field("annotations");
        let text = |value: &Value| value.as_str().map(SmolStr::new);
        let (Some(kind), Some(namespace), Some(name), Some(uid)) = (
            text(annotations.field(OBJECT_KIND)),
            text(annotations.field(OBJECT_NAMESPACE)),
            text(annotations.field(OBJECT_NAME)),
            text(annotations.field(OBJECT_UID)),
        ) else {
            return Ownership::Foreign;
        };
        let labelled = labels.field(MANAGED_BY).as_str() == Some(self.cluster())
            && labels.field(NAMESPACE).as_str().unwrap_or_default() == namespace;
        if !labelled {
            return Ownership::Foreign;
        }
        let key = Virtual(ObjectKey { namespace, name });
        Ownership::Ours(Identity {
            kind,
            key,
            uid: Virtual(uid),
        })
    }
}

//! For what passes between a tenant and the host without being kept in step, such as streams and metrics: the host
//! object that stands for a virtual one, and how to speak of it.

use std::sync::Arc;

use warren_apimachinery::{Object, ObjectKey, Resource};
use warren_reconciler::Cluster;
use warren_translate::Identity;

use crate::binding::Binding;
use crate::sides::{host_key, ours};
use crate::wording::Wording;

/// A host object that stands for one virtual object, this incarnation of it.
#[derive(Clone, Debug)]
pub struct Counterpart {
    /// The host object.
    pub object: Arc<Object>,
    wording: Wording,
}

impl Counterpart {
    /// The host object of `virtual_object`; `None` while there is none, where the place is somebody else's, and where it
    /// stands for an object of that name that is gone.
    pub fn find(
        binding: &Binding,
        host: &dyn Cluster,
        resource: &Resource,
        virtual_object: &Object,
    ) -> Option<Self> {
        let key = virtual_object.key();
        let object = host.get(resource, &host_key(binding, resource, &key))?;
        let identity = ours(binding, &object)?;
        let meta = virtual_object.meta();
        // A Service's host object is made before the virtual one has a uid.
        let is_this_one = identity.uid.0.is_empty() || identity.uid.0 == meta.uid;
        if identity.kind != resource.kind || identity.key.0 != key || !is_this_one {
            return None;
        }
        let mut wording = Wording::of(binding, &meta.namespace);
        wording.replace(&object.meta().name, &meta.name);
        wording.replace(&object.meta().uid, &meta.uid);
        Some(Self { object, wording })
    }

    /// Where the host object is.
    pub fn host_key(&self) -> ObjectKey {
        self.object.key()
    }

    /// What the host says of the object, in words of the virtual cluster.
    pub fn reworded(&self, text: &str) -> String {
        self.wording.of_text(text)
    }
}

/// The virtual object that a host object stands for; `None` for what is not of this virtual cluster.
pub fn stands_for(binding: &Binding, host_object: &Object) -> Option<Identity> {
    ours(binding, host_object)
}

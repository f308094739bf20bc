//! The storage.k8s.io group.

mod csi_driver;
mod csi_node;
mod csi_storage_capacity;
mod parameters;
mod storage_class;
mod volume_attachment;
mod volume_attributes_class;

pub(crate) use self::parameters::driver;

use std::sync::Arc;

use warren_registry::strategy::Strategy;

/// The strategy of a resource of the group; `None` for one that has no file of its own.
pub(crate) fn strategy(plural: &str) -> Option<Arc<dyn Strategy>> {
    Some(match plural {
        "csidrivers" => Arc::new(csi_driver::CsiDriver),
        "csinodes" => Arc::new(csi_node::CsiNode),
        "csistoragecapacities" => Arc::new(csi_storage_capacity::CsiStorageCapacity),
        "storageclasses" => Arc::new(storage_class::StorageClass),
        "volumeattachments" => Arc::new(volume_attachment::VolumeAttachment),
        "volumeattributesclasses" => Arc::new(volume_attributes_class::VolumeAttributesClass),
        _ => return None,
    })
}

//! A tenant's own priority classes on the host, under names of their own and never above the configured cap. What the
//! host shows its tenants is `shown`'s.

use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, resource};

use crate::from_host::is_ours;
use crate::mirrored::{Carry, Row, Setting, name_on_host};
use crate::sides::Sides;

/// Every cluster has these of itself.
const SYSTEM: &str = "system-";

/// The kind.
pub(crate) const ROW: Row = Row {
    fields: &["value", "description", "preemptionPolicy"],
    follows: &["/description"],
    fixed: &["/value", "/preemptionPolicy"],
    shape,
    ..Row::new("sync-priority-classes", resource::PRIORITY_CLASSES, |spec| {
        Setting::of(&spec.sync.to_host.priority_classes)
    })
};

/// A tenant's default is not the host's, so `globalDefault` stays behind.
fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    if value.text("/metadata/name").starts_with(SYSTEM) {
        return Carry::No;
    }
    let cap = i64::from(sides.binding.spec.policies.pods.max_priority);
    host.set("/value", value.int("/value").unwrap_or_default().min(cap));
    Carry::Yes
}

/// The class that a host pod names for the virtual class `name`; `None` when no such class is on the host.
pub(crate) fn host_name(sides: &Sides<'_>, name: &str) -> Option<SmolStr> {
    let class = sides
        .virtual_cluster
        .get(&resource::PRIORITY_CLASSES, &ObjectKey::cluster(name))?;
    if is_ours(&class) {
        return Some(SmolStr::new(name));
    }
    let carried = sides.binding.spec.sync.to_host.priority_classes.enabled && !name.starts_with(SYSTEM);
    carried.then(|| name_on_host(sides, &resource::PRIORITY_CLASSES, "", name))
}

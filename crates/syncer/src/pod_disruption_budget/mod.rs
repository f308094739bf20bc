//! Pod disruption budgets: a drain of the host's nodes respects them. Their status is the virtual cluster's own
//! controller's, which sees the same pods: nothing comes back.

use serde_json::Value;
use warren_apimachinery::resource;
use warren_apimachinery::value::ValueExt;
use warren_translate::Virtual;

use crate::mirrored::{Carry, Row, Setting};
use crate::sides::Sides;

/// The kind.
pub(crate) const ROW: Row = Row {
    shape,
    ..Row::new(
        "sync-pod-disruption-budgets",
        resource::POD_DISRUPTION_BUDGETS,
        |spec| Setting::of(&spec.sync.to_host.pod_disruption_budgets),
    )
};

/// The budget is of this namespace's pods only.
fn shape(sides: &Sides<'_>, value: &Value, host: &mut Value) -> Carry {
    let namespace = Virtual(value.text("/metadata/namespace"));
    let tenant = &sides.binding.tenant;
    let selector = tenant.host_selector(value.at("/spec/selector"), Some(namespace));
    if !selector.is_null() {
        host.set("/spec/selector", selector);
    }
    Carry::Yes
}

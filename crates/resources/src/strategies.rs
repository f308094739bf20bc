//! Which strategy belongs to which resource: each group's directory answers for its own kinds.

use std::sync::Arc;

use warren_registry::strategy::Strategy;

use crate::apps;
use crate::core;
use crate::core::event::{Event, View};
use crate::generic::Generic;

/// The strategy of a built-in resource; the generic one for a kind that has no file of its own.
pub(crate) fn strategy(group: &str, plural: &str, has_status: bool) -> Arc<dyn Strategy> {
    let own = match group {
        "" => core::strategy(plural),
        "apps" => apps::strategy(plural),
        "events.k8s.io" => Some(Arc::new(Event(View::Events)) as Arc<dyn Strategy>),
        _ => None,
    };
    own.unwrap_or_else(|| Arc::new(Generic::new(group, plural, has_status)))
}

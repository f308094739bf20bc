//! Pod disruption budgets: a drain of the host's nodes respects them.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Resource, resource};
use warren_config::VirtualClusterSpec;
use warren_translate::Virtual;

use crate::binding::Bindings;
use crate::mirrored::{Kind, rule};
use crate::sides::Sides;

/// The rule.
pub(crate) struct PodDisruptionBudgets {
    pub(crate) bindings: Arc<dyn Bindings>,
}

impl Kind for PodDisruptionBudgets {
    const RESOURCE: Resource = resource::POD_DISRUPTION_BUDGETS;
    const STATUS: bool = false;

    fn is_on(spec: &VirtualClusterSpec) -> bool {
        spec.sync.to_host.pod_disruption_budgets.enabled
    }

    fn content(sides: &Sides<'_>, value: &Value) -> Option<Map<String, Value>> {
        let mut spec = value.at("/spec").clone();
        let namespace = Virtual(value.text("/metadata/namespace"));
        let selector = sides
            .binding
            .tenant
            .host_selector(spec.at("/selector"), Some(namespace));
        if !selector.is_null() {
            spec.set("/selector", selector);
        }
        Some(Map::from_iter([("spec".to_owned(), spec)]))
    }
}

rule!(PodDisruptionBudgets, "sync-pod-disruption-budgets");

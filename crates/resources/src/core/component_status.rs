//! Component statuses, which upstream keeps for old scripts. Nothing writes any here, so that lists are empty.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::table::{columns, name};

/// The strategy of component statuses.
pub(crate) struct ComponentStatus;

impl Strategy for ComponentStatus {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn columns(&self) -> &'static [Column] {
        columns("componentstatuses")
    }

    fn cells(&self, object: &Value, _now: Timestamp) -> Vec<Value> {
        let healthy = object
            .items("/conditions")
            .iter()
            .find(|condition| condition.text("/type") == "Healthy");
        let status = match healthy.map(|condition| condition.text("/status")) {
            Some("True") => "Healthy",
            Some(_) => "Unhealthy",
            None => "Unknown",
        };
        let text = |pointer| {
            healthy
                .map(|condition| condition.text(pointer))
                .unwrap_or_default()
        };
        vec![
            name(object),
            status.into(),
            text("/message").into(),
            text("/error").into(),
        ]
    }
}

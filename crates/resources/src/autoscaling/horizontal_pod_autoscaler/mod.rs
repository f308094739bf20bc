//! Horizontal pod autoscalers: kept as v2, shown as v1 where that is asked for.

mod convert;
mod defaults;
mod old_metrics;
mod table;
mod validate;

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::Error;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::Errors;
use crate::table::columns;

/// The strategy of horizontal pod autoscalers.
pub(crate) struct HorizontalPodAutoscaler;

impl Strategy for HorizontalPodAutoscaler {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn convert_to_storage(&self, version: &str, object: &mut Value) {
        if version == "v1" {
            convert::to_v2(object);
        }
    }

    fn convert_from_storage(&self, version: &str, object: &mut Value) {
        if version == "v1" {
            convert::to_v1(object);
        }
    }

    fn default(&self, object: &mut Value) {
        defaults::default(object);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate::spec(&mut errors, object.field("spec"));
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate::status(&mut errors, new.field("status"));
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("horizontalpodautoscalers.autoscaling")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        // A row shows what v2 knows, whichever version it is asked for in.
        if object.at("/spec/metrics").is_null() {
            let mut whole = object.clone();
            convert::to_v2(&mut whole);
            return table::cells(&whole, now);
        }
        table::cells(object, now)
    }
}

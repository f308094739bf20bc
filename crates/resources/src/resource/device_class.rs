//! Device classes. CEL selectors are kept and not compiled here.

use jiff::Timestamp;
use serde_json::Value;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::table::{age, columns, name};

/// The strategy of device classes.
pub(crate) struct DeviceClass;

impl Strategy for DeviceClass {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn columns(&self) -> &'static [Column] {
        columns("deviceclasses.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), age(object, now)]
    }
}

//! The status of an object: built as JSON without empty fields, written only when it differs.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Resource, Status};
use warren_reconciler::{Cluster, Part};

/// Builds a status as Go's `omitempty` would write it.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// A field that is always there.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A number that is left out when it is 0.
    pub(crate) fn number(self, name: &str, value: i64) -> Self {
        if value == 0 { self } else { self.with(name, value) }
    }

    /// A text that is left out when it is empty.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            self
        } else {
            self.with(name, value)
        }
    }

    /// A list that is left out when it is empty.
    pub(crate) fn list(self, name: &str, value: Vec<Value>) -> Self {
        if value.is_empty() {
            self
        } else {
            self.with(name, value)
        }
    }

    /// A field that is left out when it is `null` or `None`.
    pub(crate) fn option(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value.map(Into::into) {
            None | Some(Value::Null) => self,
            Some(value) => self.with(name, value),
        }
    }

    /// The finished object.
    pub(crate) fn build(self) -> Value {
        Value::Object(self.0)
    }
}

/// Writes `status` unless the object has it already. The write is conditional on the revision that was read.
pub(crate) async fn write(
    cluster: &dyn Cluster,
    resource: &Resource,
    object: &Arc<Object>,
    status: Value,
) -> Result<Arc<Object>, Status> {
    let mut value = object.to_value();
    let old = value.at("/status");
    if *old == status || (old.is_null() && status == json!({})) {
        return Ok(object.clone());
    }
    value.set("/status", status);
    cluster.update(resource, Part::Status, value).await
}

/// The list at a JSON pointer, to be changed.
pub(crate) fn list(value: &Value, pointer: &str) -> Vec<Value> {
    value.items(pointer).to_vec()
}

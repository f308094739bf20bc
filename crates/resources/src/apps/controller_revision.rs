//! Controller revisions: what stateful sets and daemon sets looked like before.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The strategy of controller revisions.
pub(crate) struct ControllerRevision;

impl Strategy for ControllerRevision {
    fn traits(&self) -> Traits {
        Traits::default()
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        check::not_negative(&mut errors, &Path::new("revision"), object.field("revision"));
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let problem = match object.field("data") {
            Value::Null => "data is mandatory",
            Value::Object(_) => return Vec::new(),
            _ => "data must be a valid JSON object",
        };
        vec![Error::required(&Path::new("data"), problem)]
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("data", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("controllerrevisions.apps")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            controller(object).into(),
            object.int("/revision").unwrap_or_default().into(),
            age(object, now),
        ]
    }
}

/// `statefulset.apps/web`, or `<none>`.
fn controller(object: &Value) -> String {
    let controller = object
        .items("/metadata/ownerReferences")
        .iter()
        .find(|owner| owner.field("controller").as_bool() == Some(true));
    let Some(controller) = controller else {
        return "<none>".to_owned();
    };
    let kind = controller.text("/kind").to_lowercase();
    let name = controller.text("/name");
    match controller.text("/apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

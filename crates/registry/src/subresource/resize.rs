//! `pods/resize`: requests and limits of running containers.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

/// Takes only the resources and resize policies of containers from the new object.
pub(super) fn isolate(new: &mut Value, old: &Value) {
    let mut kept = old.clone();
    for list in ["/spec/containers", "/spec/initContainers"] {
        let sent = new.take_at(list).unwrap_or_default();
        let Some(Value::Array(containers)) = kept.pointer_mut(list) else {
            continue;
        };
        for container in containers {
            let name = container.text("/name");
            let Some(asked) = sent.items("").iter().find(|sent| sent.text("/name") == name) else {
                continue;
            };
            for field in ["/resources", "/resizePolicy"] {
                match asked.at(field) {
                    Value::Null => container.take_at(field),
                    value => {
                        container.set(field, value.clone());
                        None
                    }
                };
            }
        }
    }
    match new.take_at("/metadata/managedFields") {
        Some(fields) => kept.set("/metadata/managedFields", fields),
        None => {
            kept.take_at("/metadata/managedFields");
        }
    }
    *new = kept;
}

//! `pods/resize`: requests and limits of running containers, and of the pod.

use serde_json::Value;
use warren_apimachinery::value::ValueExt;

const LISTS: [&str; 2] = ["/spec/containers", "/spec/initContainers"];

/// Takes only resources and resize policies from the new object. Where containers came, went or changed their
/// places, all of it is taken: validation then says what is wrong.
pub(super) fn isolate(new: &mut Value, old: &Value) {
    if LISTS
        .iter()
        .any(|list| new.items(list).len() != old.items(list).len())
    {
        return;
    }
    let mut kept = old.clone();
    for list in LISTS {
        let sent = new.take_at(list).unwrap_or_default();
        let Some(Value::Array(containers)) = kept.pointer_mut(list) else {
            continue;
        };
        let same_names = containers
            .iter()
            .zip(sent.items(""))
            .all(|(container, sent)| container.text("/name") == sent.text("/name"));
        if !same_names {
            kept.set(list, sent);
            continue;
        }
        for (container, sent) in containers.iter_mut().zip(sent.items("")) {
            take(container, sent, "/resources");
            take(container, sent, "/resizePolicy");
        }
    }
    take(&mut kept, new, "/spec/resources");
    take(&mut kept, new, "/metadata/managedFields");
    *new = kept;
}

fn take(kept: &mut Value, new: &Value, pointer: &str) {
    match new.at(pointer) {
        Value::Null => {
            kept.take_at(pointer);
        }
        value => kept.set(pointer, value.clone()),
    }
}

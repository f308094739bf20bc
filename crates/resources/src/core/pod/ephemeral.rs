//! Updates through `pods/ephemeralcontainers`: such containers are added, and stay as they are.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::{update, validate_pod};
use crate::check::{Errors, same};
use crate::diff::diff;
use crate::pod_template::MIRROR;

/// Checks an update.
pub(super) fn validate(new: &Value, old: &Value) -> Errors {
    if let Some(refused) = refused_for_static(old, "static pods do not support ephemeral containers") {
        return refused;
    }
    let mut errors = Errors::new();
    validate_pod(&mut errors, new);
    update::annotations(&mut errors, new, old);
    let path = Path::new("spec.ephemeralContainers");
    let now = new.items("/spec/ephemeralContainers");
    for was in old.items("/spec/ephemeralContainers") {
        let name = was.text("/name");
        match now.iter().rfind(|container| container.text("/name") == name) {
            None => errors.push(Error::forbidden(
                &path,
                format!("existing ephemeral containers {name:?} may not be removed\n"),
            )),
            Some(container) if !same(container, was) => errors.push(Error::forbidden(
                &path,
                format!(
                    "existing ephemeral containers {name:?} may not be changed\n{}",
                    diff("EphemeralContainer", was, container)
                ),
            )),
            Some(_) => {}
        }
    }
    errors
}

/// Pods that their node made itself cannot change in this way.
pub(super) fn refused_for_static(old: &Value, why: &str) -> Option<Errors> {
    let mirror = old.at("/metadata/annotations").field(MIRROR);
    (!mirror.is_null()).then(|| vec![Error::forbidden(&Path::new("[]"), why)])
}

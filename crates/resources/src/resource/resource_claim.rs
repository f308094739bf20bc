//! Claims of devices.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const REQUESTS_MAX: usize = 32;

/// The strategy of claims.
pub(crate) struct ResourceClaim;

impl Strategy for ResourceClaim {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        requests(&mut errors, &Path::new("spec"), object.field("spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("spec", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("resourceclaims.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), state(object).into(), age(object, now)]
    }
}

/// Checks the requests of a claim's specification at `path`.
pub(super) fn requests(errors: &mut Errors, path: &Path, spec: &Value) {
    let (path, requests) = (path.child("devices.requests"), spec.items("/devices/requests"));
    if requests.len() > REQUESTS_MAX {
        errors.push(Error::too_many(&path, requests.len(), REQUESTS_MAX));
    }
    let mut seen = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let path = path.index(at);
        let own_name = request.text("/name");
        if check::required(errors, &path.child("name"), own_name) {
            check::dns_label(errors, &path.child("name"), own_name);
        }
        if seen.contains(&own_name) {
            errors.push(Error::duplicate(&path.child("name"), own_name));
        }
        seen.push(own_name);
        let exactly = request.field("exactly");
        if !exactly.is_null() {
            let at = path.child("exactly.deviceClassName");
            check::required(errors, &at, exactly.text("/deviceClassName"));
        }
    }
}

fn state(claim: &Value) -> String {
    let is_deleted = !claim.at("/metadata/deletionTimestamp").is_null();
    let is_allocated = !claim.at("/status/allocation").is_null();
    let mut states = Vec::new();
    if is_deleted {
        states.push("deleted");
    }
    if is_allocated {
        states.push("allocated");
    } else if !is_deleted {
        states.push("pending");
    }
    if !claim.items("/status/reservedFor").is_empty() {
        states.push("reserved");
    }
    states.join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_stays_and_tells_its_state() {
        let old =
            json!({"spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "c"}}]}}});
        assert!(ResourceClaim.validate(&old).is_empty());
        let new =
            json!({"spec": {"devices": {"requests": [{"name": "b", "exactly": {"deviceClassName": "c"}}]}}});
        assert_eq!(ResourceClaim.validate_update(&new, &old).len(), 1);
        let twice = json!({"spec": {"devices": {"requests": [{"name": "a"}, {"name": "a", "exactly": {}}]}}});
        let found: Vec<String> = ResourceClaim
            .validate(&twice)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "spec.devices.requests[1].name: Duplicate value: \"a\"",
                "spec.devices.requests[1].exactly.deviceClassName: Required value",
            ]
        );
        assert_eq!(state(&old), "pending");
        assert_eq!(
            state(&json!({"status": {"allocation": {}, "reservedFor": [{}]}})),
            "allocated,reserved"
        );
    }
}

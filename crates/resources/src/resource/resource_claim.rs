//! Claims of devices.

use jiff::Timestamp;
use serde_json::{Map, Value};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::{claim_status, device_claim};
use crate::check::{self, Errors};
use crate::go_literal::go_literal;
use crate::table::{age, columns, name};

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

    fn default(&self, object: &mut Value) {
        device_claim::default(object, "/spec");
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        device_claim::check(&mut errors, &Path::new("spec"), object.field("spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        spec_stays("ResourceClaimSpec", new, old)
    }

    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        claim_status::check(new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("resourceclaims.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), state(object).into(), age(object, now)]
    }
}

/// Refuses another specification, which is shown as Go shows a struct of this type.
pub(super) fn spec_stays(kind: &str, new: &Value, old: &Value) -> Errors {
    let mut errors = check::immutable_field("spec", new, old);
    if let Some(error) = errors.pop() {
        errors.push(error.shown_as(go_literal(kind, new.field("spec"))));
    }
    errors
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
        let mut old = old;
        ResourceClaim.default(&mut old);
        assert!(ResourceClaim.validate_create(&old).is_empty());
        let new =
            json!({"spec": {"devices": {"requests": [{"name": "b", "exactly": {"deviceClassName": "c"}}]}}});
        assert_eq!(ResourceClaim.validate_update(&new, &old).len(), 1);
        let twice = json!({"spec": {"devices": {"requests": [{"name": "a"}, {"name": "a", "exactly": {"count": 1, "allocationMode": "ExactCount"}}]}}});
        let found: Vec<String> = ResourceClaim
            .validate_create(&twice)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
                "spec.devices.requests[1].exactly.deviceClassName: Required value",
                "spec.devices.requests[1]: Duplicate value: \"a\"",
            ]
        );
        assert_eq!(state(&old), "pending");
        assert_eq!(
            state(&json!({"status": {"allocation": {}, "reservedFor": [{}]}})),
            "allocated,reserved"
        );
    }
}

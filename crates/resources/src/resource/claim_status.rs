//! What was allocated for a claim, and who uses it.

use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;

use super::device_claim::reference;
use super::part::{driver, list, pool, unique};
use crate::check::{self, Errors};
use crate::conditions;
use crate::go_literal::go_literal;

const CONSUMERS_MAX: usize = 256;
const RESULTS_MAX: usize = 32;
const CONDITIONS_MAX: usize = 8;

/// Checks a new status.
pub(super) fn check(new: &Value, old: &Value) -> Errors {
    let mut errors = Errors::new();
    let path = Path::new("status");
    consumers(&mut errors, &path.child("reservedFor"), new);
    let requests = new.items("/spec/devices/requests");
    let devices_path = path.child("devices");
    let devices = new.items("/status/devices");
    let allocated = new.items("/status/allocation/devices/results");
    list(
        &mut errors,
        &devices_path,
        devices,
        usize::MAX,
        |errors, path, value| {
            device(errors, path, value, allocated);
        },
    );
    reserved(&mut errors, &path.child("reservedFor"), new, old);
    let (allocation, before) = (new.at("/status/allocation"), old.at("/status/allocation"));
    let path = path.child("allocation");
    if !allocation.is_null() && !before.is_null() {
        check::immutable(&mut errors, &path, allocation, before);
    } else if !allocation.is_null() {
        let path = path.child("devices.results");
        list(
            &mut errors,
            &path,
            allocated,
            RESULTS_MAX,
            |errors, path, value| {
                result(errors, path, value, requests);
            },
        );
    }
    errors
}

fn consumers(errors: &mut Errors, path: &Path, claim: &Value) {
    let all = claim.items("/status/reservedFor");
    list(errors, path, all, CONSUMERS_MAX, |errors, path, value| {
        for field in ["resource", "name", "uid"] {
            let text = value.field(field).as_str().unwrap_or_default();
            check::required(errors, &path.child(field), text);
        }
    });
    if all.len() <= CONSUMERS_MAX {
        unique(errors, path, all, "/uid");
    }
}

fn reserved(errors: &mut Errors, path: &Path, new: &Value, old: &Value) {
    let all = new.items("/status/reservedFor");
    if all.is_empty() {
        return;
    }
    let before = old.items("/status/reservedFor");
    if new.at("/status/allocation").is_null() {
        let why = "may not be specified when `allocated` is not set";
        errors.push(Error::forbidden(path, why));
    } else if !new.at("/metadata/deletionTimestamp").is_null() && !all.iter().all(|one| before.contains(one))
    {
        errors.push(Error::forbidden(
            path,
            "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
        ));
    }
}

fn result(errors: &mut Errors, path: &Path, result: &Value, requests: &[Value]) {
    reference(errors, &path.child("request"), result.text("/request"), requests);
    named(errors, path, result);
}

fn named(errors: &mut Errors, path: &Path, device: &Value) {
    driver(errors, &path.child("driver"), device.text("/driver"));
    pool(errors, &path.child("pool"), device.text("/pool"));
    check::dns_label(errors, &path.child("device"), device.text("/device"));
}

fn device(errors: &mut Errors, path: &Path, device: &Value, allocated: &[Value]) {
    named(errors, path, device);
    let id = |device: &Value| {
        let field = |name: &str| device.field(name).as_str().unwrap_or_default().to_owned();
        json!({"driver": field("driver"), "pool": field("pool"), "device": field("device"), "shareID": field("shareID")})
    };
    let own = id(device);
    if !allocated.iter().any(|result| id(result) == own) {
        let shown = go_literal("SharedDeviceID", &own);
        let error = Error::invalid(path, own, "must be an allocated device in the claim");
        errors.push(error.shown_as(shown));
    }
    let (path, conditions) = (path.child("conditions"), device.items("/conditions"));
    if conditions.len() > CONDITIONS_MAX {
        errors.push(Error::too_many(&path, conditions.len(), CONDITIONS_MAX));
    }
    errors.extend(conditions::check(&path, conditions));
}

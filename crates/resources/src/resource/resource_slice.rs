//! The devices that a driver offers.

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::device;
use super::part::{driver, list, pool as pool_name, unique};
use crate::check::{self, Errors};
use crate::pod_template::{elements, node_selector};
use crate::table::{age, columns, name};

const DEVICES_MAX: usize = 128;
/// Where devices have taints or draw on counters.
const ADVANCED_DEVICES_MAX: usize = 64;

/// The strategy of offers of devices.
pub(crate) struct ResourceSlice;

impl Strategy for ResourceSlice {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        driver(&mut errors, &path.child("driver"), spec.text("/driver"));
        pool(&mut errors, &path.child("pool"), spec.field("pool"));
        nodes(&mut errors, &path, spec);
        let devices = spec.items("/devices");
        if !spec.field("sharedCounters").is_null() && !spec.field("devices").is_null() {
            errors.push(Error::invalid(
                &path,
                "",
                "only one of `sharedCounters` or `devices` is allowed",
            ));
        }
        let is_advanced = |device: &Value| {
            !device.items("/taints").is_empty() || !device.items("/consumesCounters").is_empty()
        };
        let most = if devices.iter().any(is_advanced) {
            ADVANCED_DEVICES_MAX
        } else {
            DEVICES_MAX
        };
        let path = path.child("devices");
        list(&mut errors, &path, devices, most, device::check);
        if devices.len() <= most {
            unique(&mut errors, &path, devices, "/name");
        }
        errors
    }

    // The time of a taint is the server's where the client gave none.
    fn prepare_for_create(&self, object: &mut Value) {
        let now = object.at("/metadata/creationTimestamp").clone();
        for device in elements(object, "/spec/devices") {
            for taint in elements(device, "/taints") {
                if taint.field("timeAdded").is_null() {
                    taint.set("/timeAdded", now.clone());
                }
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        for (field, pointer) in [
            ("spec.driver", "/spec/driver"),
            ("spec.pool.name", "/spec/pool/name"),
            ("spec.nodeName", "/spec/nodeName"),
        ] {
            check::immutable(&mut errors, &Path::new(field), new.at(pointer), old.at(pointer));
        }
        errors
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        Box::new([
            ("spec.driver".into(), object.text("/spec/driver").into()),
            ("spec.nodeName".into(), object.text("/spec/nodeName").into()),
        ])
    }

    fn columns(&self) -> &'static [Column] {
        columns("resourceslices.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let node = match object.text("/spec/nodeName") {
            "" => "<unset>",
            node => node,
        };
        vec![
            name(object),
            node.into(),
            object.text("/spec/driver").into(),
            object.text("/spec/pool/name").into(),
            age(object, now),
        ]
    }
}

fn pool(errors: &mut Errors, path: &Path, pool: &Value) {
    pool_name(errors, &path.child("name"), pool.text("/name"));
    let slices = pool.int("/resourceSliceCount").unwrap_or_default();
    if slices <= 0 {
        errors.push(Error::invalid(
            &path.child("resourceSliceCount"),
            slices,
            "must be greater than zero",
        ));
    }
    if let Some(generation) = pool.int("/generation").filter(|generation| *generation < 0) {
        errors.push(Error::invalid(
            &path.child("generation"),
            generation,
            "must be greater than or equal to zero",
        ));
    }
}

/// Which nodes have the devices: said in exactly one way.
fn nodes(errors: &mut Errors, path: &Path, spec: &Value) {
    const ONE_OF: &str =
        "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    let mut set = Vec::new();
    match spec.field("nodeName").as_str() {
        None => {}
        Some("") => errors.push(Error::invalid(
            &path.child("nodeName"),
            "",
            "must be either unset or set to a non-empty string",
        )),
        Some(node) => {
            set.push("`nodeName`");
            check::dns_subdomain(errors, &path.child("nodeName"), node);
        }
    }
    let selector = spec.field("nodeSelector");
    if !selector.is_null() {
        set.push("`nodeSelector`");
        let path = path.child("nodeSelector");
        node_selector(errors, &path, selector);
        if selector.items("/nodeSelectorTerms").len() != 1 {
            errors.push(Error::invalid(
                &path.child("nodeSelectorTerms"),
                selector.field("nodeSelectorTerms").clone(),
                "must have exactly one node selector term",
            ));
        }
    }
    for (field, shown) in [
        ("allNodes", "`allNodes`"),
        ("perDeviceNodeSelection", "`perDeviceNodeSelection`"),
    ] {
        match spec.field(field).as_bool() {
            None => {}
            Some(true) => set.push(shown),
            Some(false) => errors.push(Error::invalid(
                &path.child(field),
                false,
                "must be either unset or set to true",
            )),
        }
    }
    match set.len() {
        0 => errors.push(Error::required(path, ONE_OF)),
        1 => {}
        _ => errors.push(Error::invalid(
            path,
            format!("{{{}}}", set.join(", ")),
            format!("{ONE_OF}, but multiple fields are set"),
        )),
    }
}

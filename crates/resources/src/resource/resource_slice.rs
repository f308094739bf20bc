//! The devices that a driver offers.

use jiff::Timestamp;
use serde_json::Value;
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

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
        let driver = object.text("/spec/driver");
        if check::required(&mut errors, &Path::new("spec.driver"), driver) {
            check::dns_subdomain(&mut errors, &Path::new("spec.driver"), driver);
        }
        check::required(
            &mut errors,
            &Path::new("spec.pool.name"),
            object.text("/spec/pool/name"),
        );
        errors
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

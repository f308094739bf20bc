//! Device classes.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::part::{configuration, list, selectors};
use crate::check::Errors;
use crate::table::{age, columns, name};

const LIST_MAX: usize = 32;

/// The strategy of device classes.
pub(crate) struct DeviceClass;

impl Strategy for DeviceClass {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        selectors(&mut errors, &path.child("selectors"), spec.items("/selectors"));
        list(
            &mut errors,
            &path.child("config"),
            spec.items("/config"),
            LIST_MAX,
            configuration,
        );
        if let Some(resource) = spec
            .field("extendedResourceName")
            .as_str()
            .filter(|resource| !is_extended(resource))
        {
            errors.push(Error::invalid(
                &path.child("extendedResourceName"),
                resource,
                "must be a valid extended resource name",
            ));
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("deviceclasses.resource.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), age(object, now)]
    }
}

/// A name with a domain that is not the community's own.
fn is_extended(resource: &str) -> bool {
    let own = resource.split('/').next().unwrap_or_default();
    let is_native = !resource.contains('/') || own == "kubernetes.io" || own.ends_with(".kubernetes.io");
    !is_native
        && !resource.starts_with("requests.")
        && names::qualified_name(&format!("requests.{resource}")).is_empty()
}

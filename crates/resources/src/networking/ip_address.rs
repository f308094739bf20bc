//! IP addresses that are in use.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{address, name as names};
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

/// The strategy of IP addresses.
pub(crate) struct IpAddress;

impl Strategy for IpAddress {
    fn traits(&self) -> Traits {
        Traits {
            name: NameRule::Custom,
            ..Traits::default()
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let own_name = object.text("/metadata/name");
        check::text(
            &mut errors,
            &Path::new("metadata.name"),
            own_name,
            address::canonical_ip(own_name),
        );
        let (path, parent) = (Path::new("spec.parentRef"), object.at("/spec/parentRef"));
        if parent.is_null() {
            errors.push(Error::required(&path, ""));
            return errors;
        }
        let group = parent.text("/group");
        if !group.is_empty() {
            check::dns_subdomain(&mut errors, &path.child("group"), group);
        }
        for field in ["resource", "name", "namespace"] {
            let (path, value) = (
                path.child(field),
                parent.field(field).as_str().unwrap_or_default(),
            );
            let is_given = if field == "namespace" {
                !value.is_empty()
            } else {
                check::required(&mut errors, &path, value)
            };
            if is_given {
                check::text(&mut errors, &path, value, names::path_segment(value));
            }
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (parent, before) = (new.at("/spec/parentRef"), old.at("/spec/parentRef"));
        if !check::same(parent, before) {
            let fields = ["Group", "Resource", "Namespace", "Name"].map(|field| {
                let value = parent.field(&field.to_lowercase()).as_str().unwrap_or_default();
                format!("{field:?}:{}", Value::from(value))
            });
            errors.push(
                Error::invalid(&Path::new("spec.parentRef"), Value::Null, check::IMMUTABLE)
                    .shown_as(format!("{{{}}}", fields.join(","))),
            );
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("ipaddresses.networking.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![name(object), parent(object).into(), age(object, now)]
    }
}

/// `services/default/kubernetes`, with the group behind a dot.
fn parent(object: &Value) -> String {
    let parent = object.at("/spec/parentRef");
    if parent.is_null() {
        return "<none>".to_owned();
    }
    let mut text = parent.text("/resource").to_lowercase();
    let mut add = |separator: char, part: &str| {
        if !part.is_empty() {
            text.push(separator);
            text.push_str(part);
        }
    };
    add('.', &parent.text("/group").to_lowercase());
    add('/', parent.text("/namespace"));
    add('/', parent.text("/name"));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_names_itself_and_its_owner() {
        let object = json!({"metadata": {"name": "10.0.0.1"},
            "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "kubernetes"}}});
        assert!(IpAddress.validate(&object).is_empty());
        assert_eq!(parent(&object), "services/default/kubernetes");
        let errors = IpAddress.validate(&json!({"metadata": {"name": "x"}}));
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "metadata.name: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
                "spec.parentRef: Required value",
            ]
        );
    }
}

//! API services: who serves a version of a group.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const GROUP_PRIORITY_MAX: i64 = 20_000;
const VERSION_PRIORITY_MAX: i64 = 1_000;

/// The strategy of API services.
pub(crate) struct ApiService;

impl Strategy for ApiService {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            unconditional_update: false,
            name: NameRule::PathSegment,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", Map::new());
        if object.at("/spec/service").is_null() {
            let local = json!({"type": "Available", "status": "True", "reason": "Local",
                "lastTransitionTime": object.at("/metadata/creationTimestamp"),
                "message": "Local APIServices are always available"});
            object.set("/status/conditions", vec![local]);
        }
    }

    fn default(&self, object: &mut Value) {
        if object.at("/spec/insecureSkipTLSVerify") == &Value::Bool(false) {
            object.take_at("/spec/insecureSkipTLSVerify");
        }
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        const STATES: &[&str] = &["True", "False", "Unknown"];
        let mut errors = Errors::new();
        let path = Path::new("status.conditions");
        for (at, condition) in new.items("/status/conditions").iter().enumerate() {
            check::one_of(
                &mut errors,
                &path.index(at).child("status"),
                condition.text("/status"),
                STATES,
            );
        }
        errors
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        group_version(&mut errors, object);
        let mut priority = |field: &str, most: i64| {
            let value = spec.field(field).as_i64().unwrap_or_default();
            if !(1..=most).contains(&value) {
                let why = format!("must be positive and less than {most}");
                errors.push(Error::invalid(&path.child(field), value, why));
            }
        };
        priority("groupPriorityMinimum", GROUP_PRIORITY_MAX);
        priority("versionPriority", VERSION_PRIORITY_MAX);
        let bundle = spec.text("/caBundle");
        let is_insecure = spec.field("insecureSkipTLSVerify").as_bool() == Some(true);
        let mut refuse = |field: &str, value: Value, why: &str| {
            errors.push(Error::invalid(&path.child(field), value, why))
        };
        if spec.field("service").is_null() {
            if !bundle.is_empty() {
                let size = format!("{} bytes", bundle.trim_end_matches('=').len() * 3 / 4);
                refuse(
                    "caBundle",
                    size.into(),
                    "local APIServices may not have a caBundle",
                );
            }
            if is_insecure {
                refuse(
                    "insecureSkipTLSVerify",
                    true.into(),
                    "local APIServices may not have insecureSkipTLSVerify",
                );
            }
            return errors;
        }
        service(&mut errors, &path.child("service"), spec.field("service"));
        if is_insecure && !bundle.is_empty() {
            errors.push(Error::invalid(
                &path.child("insecureSkipTLSVerify"),
                true,
                "may not be true if caBundle is present",
            ));
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        columns("apiservices.apiregistration.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let service = object.at("/spec/service");
        let shown = if service.is_null() {
            "Local".to_owned()
        } else {
            format!("{}/{}", service.text("/namespace"), service.text("/name"))
        };
        vec![
            name(object),
            shown.into(),
            available(object).into(),
            age(object, now),
        ]
    }
}

fn available(object: &Value) -> String {
    let mut conditions = object.items("/status/conditions").iter();
    match conditions.find(|condition| condition.text("/type") == "Available") {
        None => "Unknown".to_owned(),
        Some(condition) if condition.text("/status") == "True" => "True".to_owned(),
        Some(condition) => format!("{} ({})", condition.text("/status"), condition.text("/reason")),
    }
}

fn group_version(errors: &mut Errors, object: &Value) {
    let (group, version) = (object.text("/spec/group"), object.text("/spec/version"));
    let (own_name, expected) = (object.text("/metadata/name"), format!("{version}.{group}"));
    if own_name != expected {
        errors.push(Error::invalid(
            &Path::new("metadata.name"),
            own_name,
            format!("must be `spec.version+\".\"+spec.group`: {expected:?}"),
        ));
    }
    if group.is_empty() && version != "v1" {
        errors.push(Error::required(
            &Path::new("spec.group"),
            "only v1 may have an empty group and it better be legacy kube",
        ));
    }
    for (field, value, wrong) in [
        ("spec.group", group, names::dns1123_subdomain(group)),
        ("spec.version", version, names::dns1035_label(version)),
    ] {
        let may_be_empty = field == "spec.group" && value.is_empty();
        if !wrong.is_empty() && !may_be_empty {
            errors.push(Error::invalid(&Path::new(field), value, wrong.join(",")));
        }
    }
}

fn service(errors: &mut Errors, path: &Path, service: &Value) {
    for field in ["namespace", "name"] {
        let value = service.field(field).as_str().unwrap_or_default();
        check::required(errors, &path.child(field), value);
    }
    let port = service.int("/port").unwrap_or(443);
    let wrong = names::port_number(port);
    if !wrong.is_empty() {
        errors.push(Error::invalid(
            &path.child("port"),
            port,
            format!("port is not valid: {}", wrong.join(",")),
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(pointer: &str, value: Value, expected: &[&str]) {
        let mut object = json!({"metadata": {"name": "v1.a.b"}, "spec": {"group": "a.b", "version": "v1",
            "groupPriorityMinimum": 1000, "versionPriority": 15}});
        object.set(pointer, value);
        let errors = ApiService.validate(&object);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{pointer}");
    }

    #[test]
    fn names_priorities_and_services_are_checked() {
        check("/spec/versionPriority", 1.into(), &[]);
        check(
            "/spec/versionPriority",
            0.into(),
            &["spec.versionPriority: Invalid value: 0: must be positive and less than 1000"],
        );
        check(
            "/metadata/name",
            "x".into(),
            &["metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1.a.b\""],
        );
        check(
            "/spec/insecureSkipTLSVerify",
            true.into(),
            &[
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ],
        );
        check(
            "/spec/service",
            json!({"name": "s"}),
            &["spec.service.namespace: Required value"],
        );
    }

    #[test]
    fn a_row_tells_why_a_service_is_not_there() {
        let object = |condition: Value| json!({"status": {"conditions": [condition]}});
        assert_eq!(available(&json!({})), "Unknown");
        assert_eq!(
            available(&object(json!({"type": "Available", "status": "True"}))),
            "True"
        );
        assert_eq!(
            available(&object(
                json!({"type": "Available", "status": "False", "reason": "MissingEndpoints"})
            )),
            "False (MissingEndpoints)"
        );
    }
}

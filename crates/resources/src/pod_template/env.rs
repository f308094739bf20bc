//! Environment variables and where their values come from.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use super::paths::no_backsteps;
use super::resources::plain_quantity;
use super::spec::every_container;
use crate::check::{self, Errors};

const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The fields that a downward API volume may show.
const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// Every field that a downward API reference can name at all.
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.host",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTE_DIVISORS: &[&str] = &[
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Where a downward API reference stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an environment variable.
    Env,
    /// In a volume, whose files name their container.
    Volume,
}

/// Checks `env`.
pub(super) fn env(errors: &mut Errors, path: &Path, all: &[Value]) {
    for (at, variable) in all.iter().enumerate() {
        let at = path.index(at);
        let name = variable.text("/name");
        if check::required(errors, &at.child("name"), name) {
            check::text(errors, &at.child("name"), name, name::env_name(name));
        }
        value_from(errors, &at.child("valueFrom"), variable);
    }
}

fn value_from(errors: &mut Errors, path: &Path, variable: &Value) {
    let source = variable.field("valueFrom");
    if source.is_null() {
        return;
    }
    let mut sources = 0;
    let mut each = |field: &str, rule: &mut dyn FnMut(&mut Errors, &Path, &Value)| {
        let value = source.field(field);
        if !value.is_null() {
            sources += 1;
            rule(errors, &path.child(field), value);
        }
    };
    each("fieldRef", &mut |errors, path, value| {
        field_ref(errors, path, value, Place::Env);
    });
    each("resourceFieldRef", &mut |errors, path, value| {
        resource_field_ref(errors, path, value, Place::Env);
    });
    each("configMapKeyRef", &mut key_ref);
    each("secretKeyRef", &mut key_ref);
    each("fileKeyRef", &mut file_key_ref);
    let problem = if sources == 0 {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
    } else if !variable.text("/value").is_empty() {
        "may not be specified when `value` is not empty"
    } else if sources > 1 {
        "may not have more than one field specified at a time"
    } else {
        return;
    };
    errors.push(Error::invalid(path, "", problem));
}

/// Checks a `fieldRef`.
pub(super) fn field_ref(errors: &mut Errors, path: &Path, reference: &Value, place: Place) {
    let field = reference.text("/fieldPath");
    let version = reference.text("/apiVersion");
    let field_path = path.child("fieldPath");
    if !check::required(errors, &path.child("apiVersion"), version)
        || !check::required(errors, &field_path, field)
    {
        return;
    }
    let subscripted = field.strip_suffix("']").and_then(|rest| rest.split_once("['"));
    let base = subscripted.map_or(field, |(base, _)| base);
    let takes_keys = matches!(base, "metadata.annotations" | "metadata.labels");
    let problem = if version != "v1" {
        Some(format!("unsupported pod version: {version}"))
    } else if subscripted.is_some() && !takes_keys {
        Some(format!("field label does not support subscript: {field}"))
    } else if !KNOWN_FIELDS.contains(&base) {
        Some(format!("field label not supported: {field}"))
    } else {
        None
    };
    if let Some(problem) = problem {
        errors.push(Error::invalid(
            &field_path,
            field,
            format!("error converting fieldPath: {problem}"),
        ));
        return;
    }
    let supported = match place {
        Place::Env => ENV_FIELDS,
        Place::Volume => VOLUME_FIELDS,
    };
    match subscripted {
        Some(("metadata.annotations", key)) => check::qualified_name(errors, path, &key.to_lowercase()),
        Some(("metadata.labels", key)) => check::qualified_name(errors, path, key),
        Some(_) => {}
        // An old name of what is no longer told apart.
        None if field == "spec.host" => check::one_of(errors, &field_path, "spec.nodeName", supported),
        None => check::one_of(errors, &field_path, field, supported),
    }
}

/// Checks a `resourceFieldRef`.
pub(super) fn resource_field_ref(errors: &mut Errors, path: &Path, reference: &Value, place: Place) {
    let resource = reference.text("/resource");
    let is_huge = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if place == Place::Volume && reference.text("/containerName").is_empty() {
        errors.push(Error::required(&path.child("containerName"), ""));
    } else if check::required(errors, &path.child("resource"), resource) && !is_huge {
        check::one_of(errors, &path.child("resource"), resource, RESOURCES);
    }
    let divisor = plain_quantity(reference.field("divisor"));
    if divisor.is_empty() || divisor == "0" {
        return;
    }
    let bytes = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
    let (allowed, problem) = match resource {
        "limits.cpu" | "requests.cpu" => (
            &["1m", "1"][..],
            "only divisor's values 1m and 1 are supported with the cpu resource".to_owned(),
        ),
        "limits.memory" | "requests.memory" => (
            BYTE_DIVISORS,
            format!("only divisor's values {bytes} are supported with the memory resource"),
        ),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => (
            BYTE_DIVISORS,
            format!("only divisor's values {bytes} are supported with the local ephemeral storage resource"),
        ),
        _ if is_huge => (
            BYTE_DIVISORS,
            format!("only divisor's values {bytes} are supported with the hugepages resource"),
        ),
        _ => return,
    };
    if !allowed.contains(&divisor.as_str()) {
        errors.push(Error::invalid(&path.child("divisor"), resource, problem));
    }
}

fn key_ref(errors: &mut Errors, path: &Path, reference: &Value) {
    check::dns_subdomain(errors, &path.child("name"), reference.text("/name"));
    let key = reference.text("/key");
    if check::required(errors, &path.child("key"), key) {
        check::text(errors, &path.child("key"), key, name::config_map_key(key));
    }
}

fn file_key_ref(errors: &mut Errors, path: &Path, reference: &Value) {
    let mut each = |field: &str, rule: &dyn Fn(&mut Errors, &Path, &str)| {
        let (path, value) = (
            path.child(field),
            reference.field(field).as_str().unwrap_or_default(),
        );
        if check::required(errors, &path, value) {
            rule(errors, &path, value);
        }
    };
    each("key", &|errors, path, key| {
        check::text(errors, path, key, name::env_name(key))
    });
    each("volumeName", &|errors, path, volume| {
        check::dns_label(errors, path, volume)
    });
    each("path", &|errors, path, file| no_backsteps(errors, path, file));
}

/// Files of variables lie in empty directories of the pod.
pub(super) fn file_volumes(errors: &mut Errors, path: &Path, spec: &Value) {
    for (container_path, container) in every_container(path, spec) {
        for (at, variable) in container.items("/env").iter().enumerate() {
            let reference = variable.at("/valueFrom/fileKeyRef");
            if reference.is_null() {
                continue;
            }
            let volume = reference.text("/volumeName");
            let path = container_path
                .child("env")
                .index(at)
                .child("valueFrom.fileKeyRef.volumeName");
            let named = |known: &&Value| known.text("/name") == volume;
            match spec.items("/volumes").iter().rfind(named) {
                None => errors.push(Error::not_found(&path, volume)),
                Some(source) if source.field("emptyDir").is_null() => errors.push(Error::invalid(
                    &path,
                    volume,
                    "referenced volume must be of type emptyDir",
                )),
                Some(_) => {}
            }
        }
    }
}

/// Checks `envFrom`.
pub(super) fn env_from(errors: &mut Errors, path: &Path, all: &[Value]) {
    for (at, source) in all.iter().enumerate() {
        let at = path.index(at);
        let prefix = source.text("/prefix");
        if !prefix.is_empty() {
            check::text(errors, &at.child("prefix"), prefix, name::env_name(prefix));
        }
        let mut sources = 0;
        for field in ["configMapRef", "secretRef"] {
            let reference = source.field(field);
            if reference.is_null() {
                continue;
            }
            sources += 1;
            let (name_path, name) = (at.child(field).child("name"), reference.text("/name"));
            if check::required(errors, &name_path, name) {
                // Upstream takes the name for the beginning of one here, so it may end in a dash.
                check::text(
                    errors,
                    &name_path,
                    name,
                    name::dns1123_subdomain(&name::mask_trailing_dash(name)),
                );
            }
        }
        match sources {
            0 => errors.push(Error::invalid(
                path,
                "",
                "must specify one of: `configMapRef` or `secretRef`",
            )),
            1 => {}
            _ => errors.push(Error::invalid(
                path,
                "",
                "may not have more than one field specified at a time",
            )),
        }
    }
}

//! What single sources of volumes ask for beyond fields that must be there.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name;
use warren_apimachinery::value::ValueExt;

use crate::check::{self, Errors};

/// A unit number, as iSCSI and Fibre Channel have them.
fn lun(errors: &mut Errors, path: &Path, lun: i64) {
    for message in name::in_range(lun, 0, 255) {
        errors.push(Error::invalid(path, lun, message));
    }
}

/// Checks an iSCSI source.
pub(super) fn iscsi(errors: &mut Errors, path: &Path, source: &Value) {
    let iqn = source.text("/iqn");
    if !iqn.is_empty() {
        iscsi_name(errors, &path.child("iqn"), iqn);
    }
    lun(errors, &path.child("lun"), source.int("/lun").unwrap_or_default());
    let on = |field: &str| source.field(field).as_bool() == Some(true);
    let asks = on("chapAuthDiscovery") || on("chapAuthSession");
    if asks && source.field("secretRef").is_null() {
        errors.push(Error::required(&path.child("secretRef"), ""));
    }
    if let Some(initiator) = source.field("initiatorName").as_str() {
        iscsi_name(errors, &path.child("initiatorname"), initiator);
    }
}

fn iscsi_name(errors: &mut Errors, path: &Path, name: &str) {
    let is_valid = match name.get(..3) {
        Some("iqn") => is_iqn(name),
        Some("eui") => hexadecimal(name, "eui.", &[16]),
        Some("naa") => hexadecimal(name, "naa.", &[32]),
        _ => {
            let problem = "must be valid format starting with iqn, eui, or naa";
            errors.push(Error::invalid(path, name, problem));
            return;
        }
    };
    if !is_valid {
        errors.push(Error::invalid(path, name, "must be valid format"));
    }
}

/// `iqn.YYYY-MM.domain` and, after a colon, anything of a few characters.
fn is_iqn(name: &str) -> bool {
    let Some((date, rest)) = name
        .strip_prefix("iqn.")
        .and_then(|rest| rest.split_once('.'))
        .filter(|(date, _)| date.len() == 7)
    else {
        return false;
    };
    let is_date = date
        .split_once('-')
        .is_some_and(|(year, month)| year.len() == 4 && digits(year) && digits(month));
    let plain = |c: char| c.is_ascii_alphanumeric();
    let (domain, tail) = rest.split_once(':').unwrap_or((rest, "x"));
    let is_domain = domain.split('.').all(|part| {
        part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || c == '-')
    });
    is_date && is_domain && !tail.is_empty() && !tail.ends_with(':')
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn hexadecimal(name: &str, prefix: &str, lengths: &[usize]) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| lengths.contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Checks a Fibre Channel source.
pub(super) fn fc(errors: &mut Errors, path: &Path, source: &Value) {
    let (targets, ids) = (source.items("/targetWWNs"), source.items("/wwids"));
    let targets_path = path.child("targetWWNs");
    if targets.is_empty() && ids.is_empty() {
        errors.push(Error::required(
            &targets_path,
            "must specify either targetWWNs or wwids, but not both",
        ));
    }
    if targets.is_empty() {
        return;
    }
    if !ids.is_empty() {
        errors.push(Error::invalid(
            &targets_path,
            targets.to_vec(),
            "targetWWNs and wwids can not be specified simultaneously",
        ));
    }
    match source.int("/lun") {
        None => errors.push(Error::required(
            &path.child("lun"),
            "lun is required if targetWWNs is specified",
        )),
        Some(number) => lun(errors, &path.child("lun"), number),
    }
}

/// Checks a Flocker source.
pub(super) fn flocker(errors: &mut Errors, path: &Path, source: &Value) {
    let (name, uuid) = (source.text("/datasetName"), source.text("/datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        errors.push(Error::required(
            path,
            "one of datasetName and datasetUUID is required",
        ));
    }
    if !name.is_empty() && !uuid.is_empty() {
        errors.push(Error::invalid(
            path,
            "resource",
            "datasetName and datasetUUID can not be specified simultaneously",
        ));
    }
    if name.contains('/') {
        errors.push(Error::invalid(
            &path.child("datasetName"),
            name,
            "must not contain '/'",
        ));
    }
}

/// Checks the options of a FlexVolume source.
pub(super) fn flex(errors: &mut Errors, path: &Path, source: &Value) {
    let options = source.field("options").as_object();
    for key in options.into_iter().flatten().map(|(key, _)| key) {
        let namespace = key
            .split_once('/')
            .map_or(key.as_str(), |(namespace, _)| namespace);
        let namespace = format!(".{}", namespace.to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            errors.push(Error::invalid(
                &path.child("options").key(key),
                key.as_str(),
                "kubernetes.io and k8s.io namespaces are reserved",
            ));
        }
    }
}

/// Checks a Quobyte source.
pub(super) fn quobyte(errors: &mut Errors, path: &Path, source: &Value) {
    const REGISTRY: &str = "must be a host:port pair or multiple pairs separated by commas";
    let (registry, registry_path) = (source.text("/registry"), path.child("registry"));
    if registry.is_empty() {
        errors.push(Error::required(&registry_path, REGISTRY));
    } else if source.text("/tenant").len() >= 65 {
        errors.push(Error::required(
            &path.child("tenant"),
            "must be a UUID and may not exceed a length of 64 characters",
        ));
    } else {
        let wrong = registry.split(',').filter(|pair| !is_host_and_port(pair));
        errors.extend(wrong.map(|_| Error::invalid(&registry_path, registry, REGISTRY)));
    }
    check::required(errors, &path.child("volume"), source.text("/volume"));
}

/// A colon that is the only one, or behind brackets.
fn is_host_and_port(pair: &str) -> bool {
    match pair.rsplit_once(':') {
        Some((host, _)) if host.starts_with('[') => host.ends_with(']'),
        Some((host, port)) => !host.contains([':', '[', ']']) && !port.contains(['[', ']']),
        None => false,
    }
}

/// Checks an Azure disk.
pub(super) fn azure_disk(errors: &mut Errors, path: &Path, source: &Value) {
    let kind = source.field("kind").as_str();
    for (field, supported) in [
        ("cachingMode", &["None", "ReadOnly", "ReadWrite"]),
        ("kind", &["Dedicated", "Managed", "Shared"]),
    ] {
        if let Some(value) = source.field(field).as_str() {
            check::one_of(errors, &path.child(field), value, supported);
        }
    }
    let uri = source.text("/diskURI");
    let (prefix, form) = match kind {
        None => return,
        Some("Managed") => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        Some(_) => (
            "https://",
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        ),
    };
    if !uri.starts_with(prefix) {
        errors.push(Error::not_supported(&path.child("diskURI"), uri, &[form]));
    }
}

/// Checks a StorageOS source.
pub(super) fn storage_os(errors: &mut Errors, path: &Path, source: &Value) {
    for field in ["volumeName", "volumeNamespace"] {
        let value = source.field(field).as_str().unwrap_or_default();
        if !value.is_empty() {
            check::dns_label(errors, &path.child(field), value);
        }
    }
    secret_ref(errors, path, source);
}

/// A reference to a secret, when there is one, must name it.
pub(super) fn secret_ref(errors: &mut Errors, path: &Path, source: &Value) {
    let secret = source.field("secretRef");
    if !secret.is_null() {
        check::required(errors, &path.child("secretRef.name"), secret.text("/name"));
    }
}

//! What each plugin can be told, and what of it is refused.

use std::collections::BTreeSet;

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name::{dns1123_label, dns1123_subdomain};
use warren_apimachinery::value::ValueExt;

use super::super::asked::aggregate;
use super::super::event_rate_limit::{EventLimits, Kind, Limit};
use super::super::pod_security::{Level, PodSecurityDefaults, Standard, Version};
use super::super::resource_quota::LimitedResource;
use super::super::settings::{AdmissionSettings, Tolerations};
use super::strict::{Fields, Shape, check, is_of_kind};

/// Sets up one plugin; what it is told is `null` where nothing is said.
pub(super) type Take = fn(&mut AdmissionSettings, &Value) -> Result<(), String>;

const POD_SECURITY: Fields = &[
    ("apiVersion", Shape::Text),
    ("kind", Shape::Text),
    ("defaults.enforce", Shape::Text),
    ("defaults.enforce-version", Shape::Text),
    ("defaults.audit", Shape::Text),
    ("defaults.audit-version", Shape::Text),
    ("defaults.warn", Shape::Text),
    ("defaults.warn-version", Shape::Text),
    ("exemptions.usernames", Shape::Texts),
    ("exemptions.namespaces", Shape::Texts),
    ("exemptions.runtimeClasses", Shape::Texts),
];
const RESOURCE_QUOTA: Fields = &[
    ("apiVersion", Shape::Text),
    ("kind", Shape::Text),
    ("limitedResources[].apiGroup", Shape::Text),
    ("limitedResources[].resource", Shape::Text),
    ("limitedResources[].matchContains", Shape::Texts),
    ("limitedResources[].matchScopes[].scopeName", Shape::Text),
    ("limitedResources[].matchScopes[].operator", Shape::Text),
    ("limitedResources[].matchScopes[].values", Shape::Texts),
];

fn none_or(errors: Vec<Error>) -> Result<(), String> {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match errors.is_empty() {
        true => Ok(()),
        false => Err(aggregate(&errors)),
    }
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

pub(super) fn pod_security(settings: &mut AdmissionSettings, told: &Value) -> Result<(), String> {
    if told.is_null() {
        return Ok(());
    }
    const VERSIONS: [&str; 3] = [
        "pod-security.admission.config.k8s.io/v1",
        "pod-security.admission.config.k8s.io/v1beta1",
        "pod-security.admission.config.k8s.io/v1alpha1",
    ];
    check(told, "PodSecurityConfiguration", &VERSIONS, POD_SECURITY)?;
    let mut errors = Vec::new();
    let defaults = told.at("/defaults");
    let mut standard = |mode: &str| read_standard(defaults, mode, &mut errors);
    let (enforce, warn, audit) = (standard("enforce"), standard("warn"), standard("audit"));
    let names = told.at("/exemptions");
    let is_user = |name: &str| match name {
        "" => vec!["username must not be empty".to_owned()],
        _ => Vec::new(),
    };
    errors.extend(checked(names, "namespaces", dns1123_label));
    errors.extend(checked(names, "runtimeClasses", dns1123_subdomain));
    errors.extend(checked(names, "usernames", is_user));
    none_or(errors)?;
    let mut read = PodSecurityDefaults {
        users: texts(names.at("/usernames")),
        namespaces: texts(names.at("/namespaces")),
        runtime_classes: texts(names.at("/runtimeClasses")),
        ..PodSecurityDefaults::default()
    };
    (read.modes.enforce, read.modes.warn, read.modes.audit) = (enforce, warn, audit);
    settings.pod_security = read;
    Ok(())
}

fn read_standard(defaults: &Value, mode: &str, errors: &mut Vec<Error>) -> Standard {
    let path = Path::new("defaults");
    let read = |field: &str, otherwise: &str| match defaults.field(field).as_str() {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => otherwise.to_owned(),
    };
    let (level, version) = (
        read(mode, "privileged"),
        read(&format!("{mode}-version"), "latest"),
    );
    let mut tell = |field: &str, text: &str, why: &str| {
        errors.push(Error::invalid(&path.child(field), text, why));
    };
    let read = Level::parse(&level);
    if let Err(why) = read {
        tell(mode, &level, why);
    }
    let asked = Version::parse(&version);
    if let Err(why) = asked {
        tell(&format!("{mode}-version"), &version, why);
    }
    Standard {
        level: read.unwrap_or(Level::Restricted),
        version: asked.unwrap_or(Version::Latest),
    }
}

/// Names that are no names, and those that stand twice.
fn checked(exemptions: &Value, field: &str, bad: impl Fn(&str) -> Vec<String>) -> Vec<Error> {
    let path = Path::new("exemptions").child(field);
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for (at, name) in texts(exemptions.field(field)).into_iter().enumerate() {
        let why = bad(&name);
        if !why.is_empty() {
            errors.push(Error::invalid(&path.index(at), name, why.join(", ")));
        } else if !seen.insert(name.clone()) {
            errors.push(Error::duplicate(&path.index(at), name));
        }
    }
    errors
}

/// Upstream reads this one without asking for its kind.
pub(super) fn pod_node_selector(settings: &mut AdmissionSettings, told: &Value) -> Result<(), String> {
    let selectors = told.at("/podNodeSelectorPluginConfig").as_object();
    let selectors = selectors.into_iter().flatten();
    settings.node_selectors = selectors
        .filter_map(|(namespace, selector)| Some((namespace.clone(), selector.as_str()?.to_owned())))
        .collect();
    Ok(())
}

pub(super) fn pod_toleration_restriction(
    settings: &mut AdmissionSettings,
    told: &Value,
) -> Result<(), String> {
    if told.is_null() {
        return Ok(());
    }
    is_of_kind(
        told,
        "Configuration",
        &["podtolerationrestriction.admission.k8s.io/v1alpha1"],
    )?;
    settings.tolerations = Tolerations {
        default: told.items("/default").to_vec(),
        whitelist: told.items("/whitelist").to_vec(),
    };
    Ok(())
}

pub(super) fn event_rate_limit(settings: &mut AdmissionSettings, told: &Value) -> Result<(), String> {
    if !told.is_null() {
        is_of_kind(
            told,
            "Configuration",
            &["eventratelimit.admission.k8s.io/v1alpha1"],
        )?;
    }
    let path = Path::new("limits");
    let limits = told.items("/limits");
    let mut errors = Vec::new();
    if limits.is_empty() {
        errors.push(Error::invalid(&path, Value::Null, "must not be empty"));
    }
    let mut read = Vec::new();
    for (at, limit) in limits.iter().enumerate() {
        let path = path.index(at);
        let number = |field: &str| {
            let number = limit
                .field(field)
                .as_i64()
                .and_then(|number| i32::try_from(number).ok());
            number.unwrap_or_default()
        };
        let named = Kind::ALL.iter().find(|(name, _)| *name == limit.text("/type"));
        if named.is_none() {
            let names = Kind::ALL.map(|(name, _)| name);
            errors.push(Error::not_supported(
                &path.child("type"),
                limit.text("/type"),
                &names,
            ));
        }
        for field in ["burst", "qps"] {
            if number(field) <= 0 {
                errors.push(Error::invalid(
                    &path.child(field),
                    number(field),
                    "must be positive",
                ));
            }
        }
        let cache = number("cacheSize");
        if cache < 0 && limit.text("/type") != "Server" {
            errors.push(Error::invalid(
                &path.child("cacheSize"),
                cache,
                "must not be negative",
            ));
        }
        if let Some((_, kind)) = named {
            let cache = usize::try_from(cache).unwrap_or_default();
            read.push(Limit::new(*kind, number("qps"), number("burst"), cache));
        }
    }
    none_or(errors)?;
    settings.event_limits = EventLimits::new(read);
    Ok(())
}

pub(super) fn resource_quota(settings: &mut AdmissionSettings, told: &Value) -> Result<(), String> {
    if told.is_null() {
        return Ok(());
    }
    const VERSIONS: [&str; 3] = [
        "apiserver.config.k8s.io/v1",
        "resourcequota.admission.k8s.io/v1beta1",
        "resourcequota.admission.k8s.io/v1alpha1",
    ];
    let kind = match told.text("/apiVersion") {
        "apiserver.config.k8s.io/v1" => "ResourceQuotaConfiguration",
        _ => "Configuration",
    };
    check(told, kind, &VERSIONS, RESOURCE_QUOTA)?;
    let path = Path::new("limitedResources");
    let limited = told.items("/limitedResources");
    let nameless = limited
        .iter()
        .enumerate()
        .filter(|(_, limited)| limited.text("/resource").is_empty());
    none_or(
        nameless
            .map(|(at, _)| Error::required(&path.index(at).child("resource"), ""))
            .collect(),
    )?;
    settings.limited_resources = limited.iter().map(LimitedResource::read).collect();
    Ok(())
}

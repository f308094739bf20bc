//! Persistent volume claims.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::quantity::Quantity;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::{self, Errors, same};
use crate::diff::diff;
use crate::table::{age, columns, name};

/// Ways to mount a volume, in upstream's order.
pub(crate) const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
/// How a volume appears, in upstream's order.
pub(crate) const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The strategy of persistent volume claims.
pub(crate) struct PersistentVolumeClaim;

impl Strategy for PersistentVolumeClaim {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", json!({"phase": "Pending"}));
        settle_data_source(object, None);
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        settle_data_source(new, Some(old));
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        validate_spec(&mut errors, &Path::new("spec"), object.field("spec"));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        update(&mut errors, new, old);
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        status(&mut errors, &Path::new("status"), new.field("status"));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        let mut warnings: Vec<String> = annotation_warning(new).into_iter().collect();
        warnings.extend(spec_warnings(&Path::new("spec"), new.field("spec")));
        warnings
    }

    fn columns(&self) -> &'static [Column] {
        columns("persistentvolumeclaims")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let deleting = !object.at("/metadata/deletionTimestamp").is_null();
        let phase = if deleting {
            "Terminating"
        } else {
            object.text("/status/phase")
        };
        let volume = object.text("/spec/volumeName");
        let (capacity, modes) = if volume.is_empty() {
            (String::new(), String::new())
        } else {
            (
                object.text("/status/capacity/storage").to_owned(),
                access_modes(object.items("/status/accessModes")),
            )
        };
        vec![
            name(object),
            phase.into(),
            volume.into(),
            capacity.into(),
            modes.into(),
            storage_class(object).into(),
            or_unset(object.text("/spec/volumeAttributesClassName")),
            age(object, now),
            or_unset(object.text("/spec/volumeMode")),
        ]
    }
}

/// A text, or `<unset>`.
pub(crate) fn or_unset(text: &str) -> Value {
    if text.is_empty() { "<unset>" } else { text }.into()
}

/// The class of a claim or a volume: the field, or the annotation that came before it.
pub(crate) fn storage_class(object: &Value) -> &str {
    match object.at("/metadata/annotations").field(BETA_CLASS).as_str() {
        Some(class) => class,
        None => object.text("/spec/storageClassName"),
    }
}

/// Access modes as kubectl shortens them, in upstream's order.
pub(crate) fn access_modes(modes: &[Value]) -> String {
    [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ]
    .into_iter()
    .filter(|(mode, _)| modes.iter().any(|given| given.as_str() == Some(mode)))
    .map(|(_, short)| short)
    .collect::<Vec<_>>()
    .join(",")
}

/// `dataSource` and `dataSourceRef` say the same; whichever is given fills the other. Upstream drops what the old
/// field could never hold, and what lies in another namespace.
fn settle_data_source(claim: &mut Value, old: Option<&Value>) {
    const SOURCE: &str = "/spec/dataSource";
    const REFERENCE: &str = "/spec/dataSourceRef";
    let had = |pointer: &str| old.is_some_and(|old| !old.at(pointer).is_null());
    if !had(REFERENCE) && !claim.at(REFERENCE).text("/namespace").is_empty() {
        claim.take_at(REFERENCE);
    }
    if claim.at(REFERENCE).is_null() {
        let source = claim.at(SOURCE);
        let is_known = matches!(
            (source.text("/apiGroup"), source.text("/kind")),
            ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
        );
        if !is_known && !had(SOURCE) && !had(REFERENCE) {
            claim.take_at(SOURCE);
            return;
        }
        if source.is_null() {
            return;
        }
        let source = source.clone();
        claim.set(REFERENCE, source);
    } else if claim.at(SOURCE).is_null() {
        let reference = claim.at(REFERENCE).clone();
        claim.set(SOURCE, reference);
    }
}

/// What upstream warns about in the specification of a claim at `path`.
pub(crate) fn spec_warnings(path: &Path, spec: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for list in ["requests", "limits"] {
        let amount = spec.field("resources").field(list).field("storage");
        let amount = Quantity::from_json(amount).unwrap_or(Quantity::ZERO);
        if amount.milli_value() % 1000 != 0 {
            let path = path.child("resources").child(list).key("storage");
            warnings.push(format!(
                "{path}: fractional byte value \"{amount}\" is invalid, must be an integer"
            ));
        }
    }
    warnings
}

/// The old annotation for the class of a claim or a volume.
pub(crate) fn annotation_warning(object: &Value) -> Option<String> {
    let annotation = object.at("/metadata/annotations").field(BETA_CLASS);
    (!annotation.is_null()).then(|| {
        format!(
            "metadata.annotations[{BETA_CLASS}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
        )
    })
}

/// Checks access modes, as volumes and claims have them.
pub(crate) fn validate_access_modes(errors: &mut Errors, path: &Path, modes: &[Value]) {
    let modes: Vec<&str> = modes.iter().filter_map(Value::as_str).collect();
    for mode in &modes {
        check::one_of(errors, path, mode, ACCESS_MODES);
    }
    let others = modes
        .iter()
        .any(|mode| ACCESS_MODES.contains(mode) && *mode != "ReadWriteOncePod");
    if others && modes.contains(&"ReadWriteOncePod") {
        errors.push(Error::forbidden(
            path,
            "may not use ReadWriteOncePod with other access modes",
        ));
    }
}

/// Checks the specification of a claim or of a template of one.
pub(crate) fn validate_spec(errors: &mut Errors, path: &Path, spec: &Value) {
    let modes_path = path.child("accessModes");
    if spec.items("/accessModes").is_empty() {
        errors.push(Error::required(&modes_path, "at least 1 access mode is required"));
    }
    check::label_selector(errors, &path.child("selector"), spec.field("selector"));
    validate_access_modes(errors, &modes_path, spec.items("/accessModes"));
    let storage = spec.at("/resources/requests/storage");
    let storage_path = path.child("resources").key("storage");
    if storage.is_null() {
        errors.push(Error::required(&storage_path, ""));
    } else {
        positive_quantity(errors, &storage_path, storage);
    }
    for field in ["storageClassName", "volumeAttributesClassName"] {
        let class = spec.field(field).as_str().unwrap_or_default();
        if !class.is_empty() {
            check::dns_subdomain(errors, &path.child(field), class);
        }
    }
    if let Some(mode) = spec.field("volumeMode").as_str() {
        check::one_of(errors, &path.child("volumeMode"), mode, VOLUME_MODES);
    }
    for field in ["dataSource", "dataSourceRef"] {
        data_source(errors, &path.child(field), spec.field(field));
    }
    data_sources_agree(errors, path, spec);
}

/// An amount above zero.
pub(crate) fn positive_quantity(errors: &mut Errors, path: &Path, value: &Value) {
    let amount = Quantity::from_json(value).unwrap_or(Quantity::ZERO);
    if amount <= Quantity::ZERO {
        errors.push(Error::invalid(
            path,
            amount.to_string(),
            "must be greater than zero",
        ));
    }
}

fn data_source(errors: &mut Errors, path: &Path, source: &Value) {
    if source.is_null() {
        return;
    }
    check::required(errors, &path.child("name"), source.text("/name"));
    check::required(errors, &path.child("kind"), source.text("/kind"));
    let (group, kind) = (source.text("/apiGroup"), source.text("/kind"));
    if !group.is_empty() {
        check::dns_subdomain(errors, &path.child("apiGroup"), group);
    } else if kind != "PersistentVolumeClaim" {
        errors.push(Error::invalid(
            path,
            kind,
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        ));
    }
    let namespace = source.text("/namespace");
    if !namespace.is_empty() {
        check::dns_label(errors, &path.child("namespace"), namespace);
    }
}

fn data_sources_agree(errors: &mut Errors, path: &Path, spec: &Value) {
    let (source, reference) = (spec.field("dataSource"), spec.field("dataSourceRef"));
    if source.is_null() || reference.is_null() {
        return;
    }
    let problem = if !reference.text("/namespace").is_empty() {
        "may not be specified when dataSourceRef.namespace is specified"
    } else if !same(source, reference) {
        "must match dataSourceRef"
    } else {
        return;
    };
    // Upstream shows the path in place of the value, which prints as nothing.
    errors.push(Error::invalid(path, Value::Null, problem).shown_as("{}"));
}

/// A claim is immutable, so that quotas hold; a bound one may grow, and an unbound one be bound.
fn update(errors: &mut Errors, new: &Value, old: &Value) {
    const STORAGE: &str = "/resources/requests/storage";
    let (spec, was) = (new.field("spec"), old.field("spec"));
    let mut munged = spec.clone();
    if was.text("/volumeName").is_empty() {
        munged.take_at("/volumeName");
    }
    let annotation = |object: &Value| {
        let class = object.at("/metadata/annotations").field(BETA_CLASS);
        class.as_str().map(str::to_owned)
    };
    if annotation(new) != annotation(old) {
        errors.push(Error::invalid(
            &Path::new("metadata.annotations").child(BETA_CLASS),
            annotation(new).unwrap_or_default(),
            check::IMMUTABLE,
        ));
    }
    // A claim that waited for a default class may be given one.
    let is_upgrade = was.field("storageClassName").is_null()
        && annotation(old).is_none_or(|class| class == spec.text("/storageClassName"));
    if is_upgrade {
        munged.take_at("/storageClassName");
    }
    if new.text("/status/phase") == "Bound" {
        if !munged.at("/resources/requests").is_null() {
            munged.set(STORAGE, was.at(STORAGE).clone());
        }
        match was.field("volumeAttributesClassName") {
            Value::Null => {
                munged.take_at("/volumeAttributesClassName");
            }
            class if !munged.field("volumeAttributesClassName").is_null() => {
                munged.set("/volumeAttributesClassName", class.clone());
            }
            _ => {}
        }
    }
    let mut base = was.clone();
    if was.text("/volumeName").is_empty() {
        base.take_at("/volumeName");
    }
    if !same(&munged, &base) {
        let difference = diff("PersistentVolumeClaimSpec", &base, &munged);
        errors.push(Error::forbidden(
            &Path::new("spec"),
            format!("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{difference}"),
        ));
    }
    shrink(errors, new, old);
    check::immutable(
        errors,
        &Path::new("volumeMode"),
        spec.field("volumeMode"),
        was.field("volumeMode"),
    );
    let (class, old_class) = (
        spec.field("volumeAttributesClassName"),
        was.field("volumeAttributesClassName"),
    );
    if !old_class.is_null() && class != old_class {
        let to = match class.as_str() {
            None => "nil",
            Some("") => "an empty string",
            Some(_) => return,
        };
        errors.push(Error::forbidden(
            &Path::new("spec.volumeAttributesClassName"),
            format!("update from non-nil value to {to} is forbidden"),
        ));
    }
}

/// A failed expansion may be taken back, down to what the volume has.
fn shrink(errors: &mut Errors, new: &Value, old: &Value) {
    const STORAGE: &str = "/spec/resources/requests/storage";
    let amount = |value: &Value| Quantity::from_json(value).unwrap_or(Quantity::ZERO);
    let asked = amount(new.at(STORAGE));
    if asked < amount(old.at(STORAGE)) && asked <= amount(old.at("/status/capacity/storage")) {
        errors.push(Error::forbidden(
            &Path::new("spec.resources.requests.storage"),
            "field can not be less than status.capacity",
        ));
    }
}

/// What a volume has, and how far its expansion is.
fn status(errors: &mut Errors, path: &Path, status: &Value) {
    const RESIZING: &[&str] = &[
        "ControllerResizeInProgress",
        "ControllerResizeInfeasible",
        "NodeResizeInProgress",
        "NodeResizeInfeasible",
        "NodeResizePending",
    ];
    for (resource, value) in status.field("capacity").as_object().into_iter().flatten() {
        not_below_zero(errors, &path.child("capacity").key(resource), value);
    }
    let states_path = path.child("allocatedResourceStatuses");
    let states = status.field("allocatedResourceStatuses").as_object();
    for (resource, state) in states.into_iter().flatten() {
        resizable(errors, &states_path, resource);
        if !RESIZING.contains(&state.as_str().unwrap_or_default()) {
            errors.push(Error::not_supported(&states_path, resource.as_str(), RESIZING));
        }
    }
    let amounts_path = path.child("allocatedResources");
    let amounts = status.field("allocatedResources").as_object();
    for (resource, value) in amounts.into_iter().flatten() {
        if resizable(errors, &amounts_path, resource) {
            not_below_zero(errors, &amounts_path.key(resource), value);
        }
    }
}

pub(super) fn not_below_zero(errors: &mut Errors, path: &Path, value: &Value) {
    let amount = Quantity::from_json(value).unwrap_or(Quantity::ZERO);
    if amount.value() < 0 {
        errors.push(Error::invalid(
            path,
            amount.value(),
            "must be a valid resource quantity",
        ));
    }
}

/// Whether a claim can have more of a resource: of upstream's own, storage alone.
fn resizable(errors: &mut Errors, path: &Path, resource: &str) -> bool {
    let wrong = errors.len();
    check::qualified_name(errors, path, resource);
    let is_native = !resource.contains('/') || resource.contains("kubernetes.io/");
    if errors.len() == wrong && is_native && resource != "storage" {
        errors.push(Error::not_supported(path, resource, &["storage"]));
    }
    errors.len() == wrong
}

//! Namespaces.

use jiff::Timestamp;
use serde_json::{Value, json};
use smol_str::SmolStr;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::name as names;
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, NameRule, Strategy, Traits};

use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Finalizers without a domain that upstream knows.
const STANDARD_FINALIZERS: &[&str] = &["kubernetes", "orphan", "foregroundDeletion"];

/// The strategy of namespaces. What happens while one is deleted is the registry's and a controller's.
pub(crate) struct Namespace;

impl Strategy for Namespace {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            name: NameRule::DnsLabel,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        label_with_name(object);
    }

    fn prepare_for_create(&self, object: &mut Value) {
        // The name may have been generated since the defaults were filled in.
        label_with_name(object);
        object.set("/status", json!({"phase": "Active"}));
        let mut finalizers = object.items("/spec/finalizers").to_vec();
        if !finalizers.contains(&"kubernetes".into()) {
            finalizers.push("kubernetes".into());
        }
        object.set("/spec/finalizers", finalizers);
    }

    fn prepare_for_update(&self, new: &mut Value, old: &Value) {
        // Finalizers change through `/finalize` only.
        match old.at("/spec/finalizers") {
            Value::Null => {
                new.take_at("/spec/finalizers");
            }
            finalizers => new.set("/spec/finalizers", finalizers.clone()),
        }
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let path = Path::new("spec.finalizers");
        for finalizer in object.items("/spec/finalizers") {
            validate_finalizer(&mut errors, &path, finalizer);
        }
        errors
    }

    fn validate_subresource_update(&self, subresource: &str, new: &Value, _old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        if subresource == "finalize" {
            let path = Path::new("spec.finalizers");
            for (at, finalizer) in new.items("/spec/finalizers").iter().enumerate() {
                validate_finalizer(&mut errors, &path.index(at), finalizer);
            }
        }
        errors
    }

    fn validate_status_update(&self, new: &Value, _old: &Value) -> Vec<Error> {
        let phase = new.text("/status/phase");
        let (expected, state) = if new.at("/metadata/deletionTimestamp").is_null() {
            ("Active", "empty")
        } else {
            ("Terminating", "not empty")
        };
        if phase == expected {
            return Vec::new();
        }
        vec![Error::invalid(
            &Path::new("status.Phase"),
            phase,
            format!("may only be '{expected}' if `deletionTimestamp` is {state}"),
        )]
    }

    fn fields(&self, object: &Value) -> Box<[(SmolStr, SmolStr)]> {
        Box::new([("status.phase".into(), object.text("/status/phase").into())])
    }

    fn columns(&self) -> &'static [Column] {
        columns("namespaces")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.text("/status/phase").into(),
            age(object, now),
        ]
    }
}

fn label_with_name(namespace: &mut Value) {
    let name = namespace.text("/metadata/name").to_owned();
    if !name.is_empty()
        && let Some(labels) = namespace.object_at("/metadata/labels")
    {
        labels.insert(NAME_LABEL.to_owned(), name.into());
    }
}

fn validate_finalizer(errors: &mut Errors, path: &Path, finalizer: &Value) {
    let finalizer = finalizer.as_str().unwrap_or_default();
    check::text(errors, path, finalizer, names::qualified_name(finalizer));
    if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        errors.push(Error::invalid(
            path,
            finalizer,
            "name is neither a standard finalizer name nor is it fully qualified",
        ));
    }
}

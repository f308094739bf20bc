//! Volume attachments.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::parameters::driver;
use crate::check::{self, Errors};
use crate::table::{age, columns, name};

const ONE_SOURCE: &str = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

/// The strategy of volume attachments.
pub(crate) struct VolumeAttachment;

impl Strategy for VolumeAttachment {
    fn traits(&self) -> Traits {
        Traits {
            status: true,
            unconditional_update: false,
            ..Traits::default()
        }
    }

    fn prepare_for_create(&self, object: &mut Value) {
        object.set("/status", json!({"attached": false}));
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        let (path, spec) = (Path::new("spec"), object.field("spec"));
        check::required(&mut errors, &path.child("attacher"), spec.text("/attacher"));
        source(&mut errors, &path.child("source"), spec.field("source"));
        check::dns_subdomain(&mut errors, &path.child("nodeName"), spec.text("/nodeName"));
        errors
    }

    fn validate_create(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        driver(
            &mut errors,
            &Path::new("spec.attacher"),
            object.text("/spec/attacher"),
        );
        if let Some(volume) = object.at("/spec/source/persistentVolumeName").as_str() {
            let path = Path::new("spec.source.persistentVolumeName");
            check::dns_subdomain(&mut errors, &path, volume);
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        check::immutable_field("spec", new, old)
    }

    fn columns(&self) -> &'static [Column] {
        columns("volumeattachments.storage.k8s.io")
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        vec![
            name(object),
            object.text("/spec/attacher").into(),
            object.text("/spec/source/persistentVolumeName").into(),
            object.text("/spec/nodeName").into(),
            (object.at("/status/attached").as_bool() == Some(true)).into(),
            age(object, now),
        ]
    }
}

fn source(errors: &mut Errors, path: &Path, source: &Value) {
    let volume = source.field("persistentVolumeName");
    match (volume.as_str(), source.field("inlineVolumeSpec").is_null()) {
        (None, true) => errors.push(Error::required(path, ONE_SOURCE)),
        (Some(_), false) => errors.push(Error::forbidden(path, ONE_SOURCE)),
        (Some(""), true) => errors.push(Error::required(
            &path.child("persistentVolumeName"),
            "must specify non empty persistentVolumeName",
        )),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_volume_is_attached_to_one_node() {
        let attachment =
            json!({"spec": {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}}});
        assert!(VolumeAttachment.validate(&attachment).is_empty());
        let errors =
            VolumeAttachment.validate(&json!({"spec": {"attacher": "a.b", "nodeName": "n", "source": {}}}));
        assert_eq!(
            errors[0].to_string(),
            format!("spec.source: Required value: {ONE_SOURCE}")
        );
        let mut other = attachment.clone();
        other.set("/spec/nodeName", "m");
        assert_eq!(VolumeAttachment.validate_update(&other, &attachment).len(), 1);
    }
}

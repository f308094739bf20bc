//! Volume attachments.

use jiff::Timestamp;
use serde_json::{Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use super::parameters::driver;
use crate::check::{self, Errors};
use crate::core::inline_volume;
use crate::go_literal::go_literal;
use crate::table::{age, columns, name};

const METADATA_MAX: usize = 256 * 1024;
const MESSAGE_MAX: usize = 1024;
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
        driver(&mut errors, &path.child("attacher"), spec.text("/attacher"));
        source(&mut errors, &path.child("source"), spec.field("source"));
        check::dns_subdomain(&mut errors, &path.child("nodeName"), spec.text("/nodeName"));
        status(&mut errors, &Path::new("status"), object.field("status"));
        if let Some(volume) = object.at("/spec/source/persistentVolumeName").as_str() {
            let path = Path::new("spec.source.persistentVolumeName");
            check::dns_subdomain(&mut errors, &path, volume);
        }
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        if !check::same(new.field("spec"), old.field("spec")) {
            errors.push(
                Error::invalid(&Path::new("spec"), Value::Null, check::IMMUTABLE)
                    .shown_as(go_literal("VolumeAttachmentSpec", new.field("spec"))),
            );
        }
        errors
    }

    /// Upstream checks the whole object here, too.
    fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<Error> {
        self.validate_replacement(new, old)
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
        (None, false) => {
            let path = path.child("inlineVolumeSpec");
            inline_volume(errors, &path, source.field("inlineVolumeSpec"));
        }
        _ => {}
    }
}

fn status(errors: &mut Errors, path: &Path, status: &Value) {
    let metadata = status.field("attachmentMetadata").as_object();
    let size: usize = metadata
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > METADATA_MAX {
        errors.push(Error::too_long(&path.child("attachmentMetadata"), METADATA_MAX));
    }
    for field in ["attachError", "detachError"] {
        let (path, error) = (path.child(field), status.field(field));
        if error.text("/message").len() > MESSAGE_MAX {
            // Upstream names the other limit.
            errors.push(Error::too_long(&path.child("message"), METADATA_MAX));
        }
        if let Some(code) = error.int("/errorCode").filter(|code| *code < 0) {
            let path = path.child("errorCode");
            errors.push(Error::invalid(
                &path,
                code,
                "must be between 0 and 2147483647, inclusive",
            ));
        }
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

//! Pod templates as objects of their own.

use jiff::Timestamp;
use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_registry::strategy::{Column, Strategy, Traits};

use crate::check::Errors;
use crate::pod_template::{default_template, drop_disabled_of_template, template, template_warnings};
use crate::table::{columns, containers_and_images, map_text, name};

/// The strategy of pod templates.
pub(crate) struct PodTemplate;

impl Strategy for PodTemplate {
    fn traits(&self) -> Traits {
        Traits {
            generation: true,
            ..Traits::default()
        }
    }

    fn default(&self, object: &mut Value) {
        default_template(object, "/template");
    }

    fn prepare_for_create(&self, object: &mut Value) {
        drop_disabled_of_template(object, "/template");
    }

    fn prepare_for_update(&self, new: &mut Value, _old: &Value) {
        drop_disabled_of_template(new, "/template");
    }

    fn validate(&self, object: &Value) -> Vec<Error> {
        let mut errors = Errors::new();
        template(&mut errors, &Path::new("template"), object.field("template"));
        errors
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        template_warnings(&Path::new("template"), new.field("template"))
    }

    fn columns(&self) -> &'static [Column] {
        columns("podtemplates")
    }

    fn cells(&self, object: &Value, _now: Timestamp) -> Vec<Value> {
        let (containers, images) = containers_and_images(object.at("/template/spec"));
        vec![
            name(object),
            containers.into(),
            images.into(),
            map_text(object.at("/template/metadata/labels")).into(),
        ]
    }
}

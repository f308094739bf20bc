//! `scale`: how many replicas, of whatever kind, as `autoscaling/v1` `Scale`.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, Status};

use crate::Written;
use crate::commit::Refusal;
use crate::create::Ownership;
use crate::definition::{Definition, ScalePaths};
use crate::operation::Operation;
use crate::request::Patch;

/// How often a scale without a `resourceVersion` starts over because others were quicker.
const ROUNDS: usize = 64;

/// The `Scale` of an object.
pub(super) fn of(definition: &Definition, object: &Value) -> Result<Arc<Object>, Status> {
    let scale = scale(paths(definition)?, object);
    Ok(Arc::new(Object::from_value(&scale)))
}

fn paths(definition: &Definition) -> Result<&ScalePaths, Status> {
    definition
        .subresource("scale")
        .and_then(|subresource| subresource.scale.as_ref())
        .ok_or_else(Status::path_not_found)
}

fn scale(paths: &ScalePaths, object: &Value) -> Value {
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        let value = object.field("metadata").field(field);
        if !value.is_null() {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let mut spec = Map::new();
    let replicas = object.int(&paths.spec_replicas).unwrap_or_default();
    if replicas != 0 {
        spec.insert("replicas".to_owned(), replicas.into());
    }
    let mut status = Map::new();
    status.insert(
        "replicas".to_owned(),
        object.int(&paths.status_replicas).unwrap_or_default().into(),
    );
    let selector = paths
        .selector
        .as_ref()
        .map(|pointer| selector_text(object.at(pointer)))
        .unwrap_or_default();
    if !selector.is_empty() {
        status.insert("selector".to_owned(), selector.into());
    }
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    })
}

/// The text form of a selector: a `LabelSelector`, a plain map, or text already.
fn selector_text(selector: &Value) -> String {
    match selector {
        Value::String(text) => text.clone(),
        Value::Object(map) if map.contains_key("matchLabels") || map.contains_key("matchExpressions") => {
            LabelSelector::from_json(selector).map_or_else(|_| String::new(), |s| s.to_string())
        }
        Value::Object(_) => {
            LabelSelector::from_map(selector).map_or_else(|_| String::new(), |s| s.to_string())
        }
        _ => String::new(),
    }
}

impl Operation<'_> {
    /// PUT of a `Scale`.
    pub(crate) async fn update_scale(&self, scale: Value) -> Result<Written, Status> {
        self.check_name(&scale)?;
        self.rescale(|_| Ok(scale.clone())).await
    }

    /// PATCH of a `Scale`.
    pub(crate) async fn patch_scale(&self, patch: &Patch) -> Result<Written, Status> {
        self.rescale(|now| {
            let mut scale = now.clone();
            match patch {
                Patch::Json(operations) => warren_patch::json_patch(&mut scale, operations)?,
                // A `Scale` has no lists: a strategic merge, and an apply by its only owner, are merges.
                Patch::Merge(patch)
                | Patch::Strategic(patch)
                | Patch::Apply {
                    configuration: patch, ..
                } => warren_patch::merge_patch(&mut scale, patch)?,
            }
            Ok(scale)
        })
        .await
    }

    async fn rescale(&self, next: impl Fn(&Value) -> Result<Value, Status>) -> Result<Written, Status> {
        let paths = paths(self.definition)?;
        for _ in 0..ROUNDS {
            let current = self.existing()?;
            let asked = next(&scale(paths, &current.value))?;
            let revision = asked.text("/metadata/resourceVersion");
            if !revision.is_empty() && revision != current.value.text("/metadata/resourceVersion") {
                break;
            }
            let mut new = current.value.clone();
            new.set(&paths.spec_replicas, replicas(&asked)?);
            let changed = self.change(&current, new, Ownership::Update).await;
            if let Some(object) = Refusal::unless_outrun(changed)? {
                return Ok(Written {
                    object: of(self.definition, &object.to_value())?,
                    created: false,
                });
            }
        }
        Err(self.modified())
    }
}

/// The replicas that a `Scale` asks for.
fn replicas(scale: &Value) -> Result<i64, Status> {
    let asked = scale.at("/spec/replicas");
    let Some(replicas) = (if asked.is_null() { Some(0) } else { asked.as_i64() }) else {
        return Err(Status::bad_request(
            "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32",
        ));
    };
    if replicas >= 0 {
        return Ok(replicas);
    }
    let error = Error::invalid(
        &Path::new("spec").child("replicas"),
        replicas,
        "must be greater than or equal to 0",
    );
    Err(Status::invalid(
        "autoscaling",
        "Scale",
        scale.text("/metadata/name"),
        &[error],
    ))
}

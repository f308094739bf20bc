//! `scale`: how many replicas, of whatever kind, as `autoscaling/v1` `Scale`.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::selector::LabelSelector;
use warren_apimachinery::value::{ValueExt, go_kind};
use warren_apimachinery::{Object, Status, time};
use warren_patch::{Apply, OwnershipUpdate};
use warren_schema::Schema;

use super::scale_owners;
use crate::commit::Refusal;
use crate::create::Ownership;
use crate::decode::Expected;
use crate::definition::{Definition, ScalePaths};
use crate::operation::Operation;
use crate::patch::{source, undecodable};
use crate::request::Patch;
use crate::{Written, metadata};

/// How often a scale without a `resourceVersion` starts over because others were quicker.
const ROUNDS: usize = 64;

const SCALE: Expected<'static> = Expected {
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
};
pub(super) const API_VERSION: &str = "autoscaling/v1";

/// The `Scale` of an object.
pub(super) fn of(definition: &Definition, object: &Value) -> Result<Arc<Object>, Status> {
    let scale = shown(paths(definition)?, object);
    Ok(Arc::new(Object::from_value(&scale)))
}

fn paths(definition: &Definition) -> Result<&ScalePaths, Status> {
    definition
        .subresource("scale")
        .and_then(|subresource| subresource.scale.as_ref())
        .ok_or_else(Status::path_not_found)
}

/// The `Scale` of an object, as clients and admission see it.
pub(crate) fn shown(paths: &ScalePaths, object: &Value) -> Value {
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
        "apiVersion": API_VERSION,
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

/// What becomes of the scale, and of who owns the fields of its object.
struct Next {
    scale: Value,
    /// The owners of the object's fields.
    owners: Vec<Value>,
}

fn schema() -> Result<Arc<Schema>, Status> {
    SCALE
        .builtin()
        .ok_or_else(|| Status::internal("no schema of Scale"))
}

fn patched(scale: &Value, patch: &Patch) -> Result<Value, Status> {
    let mut scale = scale.clone();
    match patch {
        Patch::Json(operations) => warren_patch::json_patch(&mut scale, operations)?,
        // A `Scale` has no lists, so that a strategic merge is a merge.
        Patch::Merge(patch) | Patch::Strategic(patch) => warren_patch::merge_patch(&mut scale, patch)?,
        Patch::Apply { .. } => {}
    }
    Ok(scale)
}

impl Operation<'_> {
    /// PUT of a `Scale`.
    pub(crate) async fn update_scale(&self, scale: Value) -> Result<Written, Status> {
        let mut scale = self.registry.decode_part(self.cx, SCALE, scale)?;
        metadata::settle_namespace(&mut scale, self.definition, &self.key.namespace)?;
        self.check_name(&scale)?;
        self.rescale(|object, now| self.owned(object, now, scale.clone()))
            .await
    }

    /// PATCH of a `Scale`.
    pub(crate) async fn patch_scale(&self, patch: &Patch) -> Result<Written, Status> {
        self.rescale(|object, now| {
            if let Patch::Apply { configuration, force } = patch {
                let next = self.apply_scale(object, now.clone(), configuration, *force)?;
                self.check_doubled()?;
                return Ok(next);
            }
            let mut scale = patched(now, patch)?;
            self.registry
                .decode_part_raw(self.cx, SCALE, source(patch), &mut scale)
                .map_err(|error| {
                    let text = || patched(now, patch).map(|scale| scale.to_string());
                    undecodable(error, patch, text)
                })?;
            self.check_name(&scale)?;
            self.owned(object, now, scale)
        })
        .await
    }

    /// A scale that was written other than by apply, and who owns its field then.
    fn owned(&self, object: &Value, now: &Value, scale: Value) -> Result<Next, Status> {
        let replicas = scale_owners::field(&paths(self.definition)?.spec_replicas);
        let owners = object.items("/metadata/managedFields");
        let of_scale = scale_owners::of_scale(owners, &replicas);
        let (mut before, mut after) = (now.clone(), scale);
        before.set("/metadata/managedFields", of_scale);
        warren_patch::update(OwnershipUpdate {
            schema: &*schema()?,
            before: Some(&before),
            after: &mut after,
            manager: self.cx.field_manager,
            api_version: API_VERSION,
            subresource: "scale",
            now: &time::format(self.registry.now()),
            reset: &[&["status"]],
            in_version: &|_, _, _| None,
        });
        Ok(self.next(owners, after, &replicas))
    }

    /// The scale, and the owners of the object by those of the scale.
    fn next(&self, owners: &[Value], mut scale: Value, replicas: &str) -> Next {
        let now = scale.take_at("/metadata/managedFields").unwrap_or_default();
        let api_version = self.definition.api_version(self.cx.version);
        let owners = scale_owners::of_object(owners, now.items(""), replicas, &api_version);
        Next { scale, owners }
    }

    /// Applies to the scale, whose only field belongs to who owns the replicas of the object.
    fn apply_scale(
        &self,
        object: &Value,
        mut scale: Value,
        configuration: &Value,
        force: bool,
    ) -> Result<Next, Status> {
        let replicas = scale_owners::field(&paths(self.definition)?.spec_replicas);
        let before = object.items("/metadata/managedFields");
        scale.set(
            "/metadata/managedFields",
            scale_owners::of_scale(before, &replicas),
        );
        let applied = warren_patch::apply(Apply {
            schema: &*schema()?,
            live: Some(&scale),
            configuration,
            manager: self.cx.field_manager,
            api_version: API_VERSION,
            kind: SCALE.kind,
            subresource: "scale",
            force,
            now: &time::format(self.registry.now()),
            reset: &[],
            in_version: &|_, _, _| None,
        })?;
        Ok(self.next(before, applied, &replicas))
    }

    async fn rescale(
        &self,
        next: impl Fn(&Value, &Value) -> Result<Next, Status>,
    ) -> Result<Written, Status> {
        let paths = paths(self.definition)?;
        for _ in 0..ROUNDS {
            let current = self.existing().await?;
            let next = next(&current.value, &shown(paths, &current.value))?;
            let is_builtin = self.registry.is_builtin(self.definition);
            let replicas = replicas(&next.scale, is_builtin)?;
            self.check_uid(&next.scale, &current)?;
            let revision = next.scale.text("/metadata/resourceVersion");
            if !revision.is_empty() && revision != current.value.text("/metadata/resourceVersion") {
                break;
            }
            let mut new = current.value.clone();
            new.set(&paths.spec_replicas, replicas);
            if next.owners.is_empty() {
                new.take_at("/metadata/managedFields");
            } else {
                new.set("/metadata/managedFields", next.owners);
            }
            let changed = self.change(&current, new, Ownership::Applied).await;
            if let Some(object) = Refusal::unless_outrun(changed)? {
                let object = self.registry.opened(self.definition, object).await?;
                return Ok(Written {
                    object: of(self.definition, &object.to_value())?,
                    created: false,
                });
            }
        }
        Err(self.modified())
    }
}

/// The replicas that a `Scale` asks for. Of a custom resource its own checks look at the number.
pub(crate) fn replicas(scale: &Value, is_builtin: bool) -> Result<i64, Status> {
    let asked = scale.at("/spec/replicas");
    let Some(replicas) = (if asked.is_null() { Some(0) } else { asked.as_i64() }) else {
        return Err(Status::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal {} into Go struct field ScaleSpec.spec.replicas of type int32",
            go_kind(asked)
        )));
    };
    if replicas >= 0 || !is_builtin {
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

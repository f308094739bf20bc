//! Parts of objects with paths of their own: one file each.

mod approval;
mod binding;
mod eviction;
mod pod_condition;
mod reset;
mod resize;
pub(crate) mod scale;
mod scale_owners;
mod status;
mod token;
mod unbinding;

pub(crate) use approval::stamp_conditions;
pub(crate) use reset::reset_fields;

use std::sync::Arc;

use serde_json::{Value, json};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Object, ObjectKey, Status};
use warren_reconciler::Part;

use crate::definition::Definition;
use crate::operation::Operation;
use crate::{Registry, Request};

impl Registry {
    /// GET of a part: the object itself, or its `Scale`.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub async fn read_part(
        &self,
        definition: &Definition,
        part: Part,
        key: &ObjectKey,
    ) -> Result<Arc<Object>, Status> {
        let object = self.read(definition, key).await?;
        match part {
            Part::Sub("scale") => scale::of(definition, &object.to_value()),
            _ => Ok(object),
        }
    }

    /// POST to a subresource: `binding` and `eviction` of pods, `token` of service accounts (and the legacy
    /// `bindings` resource: `binding` of the pod that the body names). Answers 201 with what is returned. `unbinding` of
    /// pods is for our own code alone: the API has no path for it.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn post(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        key: &ObjectKey,
        subresource: &str,
        body: Value,
    ) -> Result<Value, Status> {
        let part = match subresource {
            "binding" => Part::Sub("binding"),
            "eviction" => Part::Sub("eviction"),
            "token" => Part::Sub("token"),
            "unbinding" => Part::Sub("unbinding"),
            _ => return Err(Status::method_not_allowed()),
        };
        let operation = self.operation(cx, definition, part, key);
        match subresource {
            "binding" => operation.bind(&body).await,
            "eviction" => operation.evict(&body).await,
            "unbinding" => operation.unbind(&body).await,
            _ => operation.issue_token(body).await,
        }
    }
}

impl Operation<'_> {
    /// The body must be about the object that the path names.
    fn check_body_name(&self, body: &Value, kind: &str) -> Result<(), Status> {
        let name = body.text("/metadata/name");
        if name.is_empty() || name == self.key.name {
            return Ok(());
        }
        Err(Status::bad_request(format!(
            "name in URL does not match name in {kind} object"
        )))
    }
}

impl Operation<'_> {
    /// Takes everything from the old object that a write to this part may not change.
    pub(crate) fn isolate(&self, new: &mut Value, old: &Value) {
        if self.part != Part::Status {
            return isolate(self.part, self.definition, new, old);
        }
        let origin = if self.registry.is_builtin(self.definition) {
            status::Origin::BuiltIn
        } else {
            status::Origin::Custom
        };
        status::isolate(origin, self.definition, new, old);
    }
}

fn isolate(part: Part, definition: &Definition, new: &mut Value, old: &Value) {
    match part {
        Part::Main => {
            if definition.strategy.traits().status {
                match old.get("status") {
                    Some(status) => new.set("/status", status.clone()),
                    None => {
                        new.take_at("/status");
                    }
                }
            }
        }
        Part::Sub("ephemeralcontainers") => only(new, old, &["/spec/ephemeralContainers"]),
        Part::Sub("resize") => resize::isolate(new, old),
        Part::Sub("finalize") => with_metadata(new, old, &["/spec/finalizers"]),
        Part::Sub("approval") => approval::isolate(new, old),
        Part::Sub("scale") => {
            let paths = definition
                .subresource("scale")
                .and_then(|scale| scale.scale.as_ref());
            let pointer = paths.map_or("/spec/replicas", |paths| paths.spec_replicas.as_str());
            only(new, old, &[pointer]);
        }
        Part::Sub(_) | Part::Status => only(new, old, &[]),
    }
}

/// Whether the strategy has a hook of its own for this part, in place of `validate` and `validate_update`.
pub(crate) fn validates_itself(part: Part) -> bool {
    matches!(
        part,
        Part::Sub("ephemeralcontainers" | "resize" | "finalize" | "approval")
    )
}

/// The old object with nothing but what stands at `pointers` (and the bookkeeping of who owns what) from the
/// new one.
fn only(new: &mut Value, old: &Value, pointers: &[&str]) {
    let mut kept = old.clone();
    for pointer in pointers.iter().chain(&["/metadata/managedFields"]) {
        match new.take_at(pointer) {
            Some(value) => kept.set(pointer, value),
            None => {
                kept.take_at(pointer);
            }
        }
    }
    *new = kept;
}

/// The old object with the metadata and what stands at `pointers` from the new one.
fn with_metadata(new: &mut Value, old: &Value, pointers: &[&str]) {
    let metadata = new.at("/metadata").clone();
    only(new, old, pointers);
    new.set("/metadata", metadata);
}

/// The `Status` that binding and eviction answer.
fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

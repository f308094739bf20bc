//! PATCH: what shall be different.

use serde_json::Value;
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, time};
use warren_patch::{Apply, go_text, json_patch, merge_patch, strategic_merge};
use warren_reconciler::Part;
use warren_schema::yaml_error;

use crate::commit::Refusal;
use crate::create::Ownership;
use crate::decode::{Source, Undecodable};
use crate::definition::Definition;
use crate::operation::Operation;
use crate::request::Patch;
use crate::{FieldValidation, Registry, Request, Written, metadata};

/// How often a patch that carries no `resourceVersion` is applied anew because others were quicker: upstream's
/// `MaxRetryWhenPatchConflicts`, and the first time.
const ROUNDS: usize = 6;

impl Registry {
    /// Patches an object or a part of it; an apply may create it.
    ///
    /// # Errors
    /// What the client reads.
    pub async fn patch(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        part: Part,
        key: &ObjectKey,
        patch: Patch,
    ) -> Result<Written, Status> {
        let operation = self.operation(cx, definition, part, key);
        if part == Part::Sub("scale") {
            return operation.patch_scale(&patch).await;
        }
        let written = operation.patch(&patch).await?;
        operation.shown(written).await
    }
}

impl Operation<'_> {
    async fn patch(&self, patch: &Patch) -> Result<Written, Status> {
        for _ in 0..ROUNDS {
            let Some(current) = self.current().await? else {
                return self.patch_missing(patch).await;
            };
            let new = self.patched(patch, Some(&current.value)).await?;
            let asked = new.text("/metadata/resourceVersion");
            if asked != current.value.text("/metadata/resourceVersion") {
                self.check_revision(asked, &current)?;
            }
            let changed = self.change(&current, new, ownership(patch)).await;
            if let Some(object) = Refusal::unless_outrun(changed)? {
                return Ok(Written {
                    object,
                    created: false,
                });
            }
        }
        Err(self.modified())
    }

    /// There is nothing to patch: an apply creates, the others fail.
    async fn patch_missing(&self, patch: &Patch) -> Result<Written, Status> {
        let Patch::Apply { configuration, .. } = patch else {
            return Err(self.not_found());
        };
        if self.part != Part::Main {
            return Err(self.not_found());
        }
        let uid = configuration.text("/metadata/uid");
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            let resource = self.definition.group_resource();
            return Err(Status::conflict(&resource, &self.key.name, &why));
        }
        let object = self.patched(patch, None).await?;
        self.create_missing(object, Ownership::Applied).await
    }

    /// The object with the patch applied, decoded and in the definition's version again.
    async fn patched(&self, patch: &Patch, live: Option<&Value>) -> Result<Value, Status> {
        let document = self.apply(patch, live).await?;
        let source = source(patch);
        let decoded = self
            .registry
            .decode_raw(self.cx, self.definition, (self.part, source), document);
        let mut object = match decoded {
            Ok(object) => object,
            Err(error) => {
                let again = self.apply(patch, live).await;
                return Err(undecodable(error, patch, || {
                    again.map(|document| document.to_string())
                }));
            }
        };
        if source == Source::Applied {
            self.check_doubled()?;
        }
        metadata::settle_namespace(&mut object, self.definition, &self.key.namespace)?;
        self.check_name(&object)?;
        Ok(object)
    }

    /// Keys that stand twice in an applied configuration: upstream looks for them once the apply has worked.
    pub(crate) fn check_doubled(&self) -> Result<(), Status> {
        let lines = self.cx.duplicate_fields;
        if lines.is_empty() || self.cx.field_validation == FieldValidation::Ignore {
            return Ok(());
        }
        if self.cx.field_validation == FieldValidation::Strict {
            return Err(Status::bad_request(format!(
                "error strict decoding YAML: error converting YAML to JSON: {}",
                yaml_error(lines)
            )));
        }
        for line in lines {
            self.cx.warnings.add(line.as_str());
        }
        Ok(())
    }

    /// Applies the patch in the version that the client speaks.
    async fn apply(&self, patch: &Patch, live: Option<&Value>) -> Result<Value, Status> {
        let live = live.map(|live| self.registry.in_version(self.cx.version, self.definition, live));
        if let Patch::Apply { configuration, force } = patch {
            return self
                .apply_configuration(live.as_ref(), configuration, *force)
                .await;
        }
        let mut document = live.unwrap_or_default();
        self.registry
            .apply_to(self.cx.version, self.definition, &mut document, patch)?;
        Ok(document)
    }

    async fn apply_configuration(
        &self,
        live: Option<&Value>,
        configuration: &Value,
        force: bool,
    ) -> Result<Value, Status> {
        let schema = self
            .registry
            .schema(self.definition, self.cx.version)
            .ok_or_else(|| Status::internal("no schema for this kind"))?;
        let api_version = self.definition.api_version(self.cx.version);
        let now = time::format(self.registry.now());
        let applied = self.with_versions(|in_version| {
            warren_patch::apply(Apply {
                schema: &schema,
                live,
                configuration,
                manager: self.cx.field_manager,
                api_version: &api_version,
                kind: &self.definition.kind,
                subresource: self.subresource().unwrap_or_default(),
                force,
                now: &now,
                reset: self.reset_fields(),
                in_version,
            })
        });
        let applied = applied.await??;
        Ok(applied)
    }
}

impl Registry {
    /// Applies a patch that is not an apply to `document`, which is of `version`.
    pub(crate) fn apply_to(
        &self,
        version: &str,
        definition: &Definition,
        document: &mut Value,
        patch: &Patch,
    ) -> Result<(), Status> {
        match patch {
            Patch::Json(operations) => json_patch(document, operations)?,
            Patch::Merge(patch) => merge_patch(document, patch)?,
            Patch::Strategic(patch) => {
                let schema = self
                    .schema(definition, version)
                    .ok_or_else(|| Status::internal("no schema for this kind"))?;
                strategic_merge(&schema, document, patch)?;
            }
            Patch::Apply { .. } => {}
        }
        Ok(())
    }
}

fn ownership(patch: &Patch) -> Ownership {
    match patch {
        Patch::Apply { .. } => Ownership::Applied,
        _ => Ownership::Update,
    }
}

pub(crate) const fn source(patch: &Patch) -> Source {
    match patch {
        Patch::Json(_) | Patch::Merge(_) => Source::Patched,
        Patch::Strategic(_) => Source::Merged,
        Patch::Apply { .. } => Source::Applied,
    }
}

/// A patch whose outcome is no object of its kind: 422 where a body would be a 400, with the patched object (the
/// patch itself, as Go prints it, where it is a strategic one).
pub(crate) fn undecodable(
    error: Undecodable,
    patch: &Patch,
    patched: impl FnOnce() -> Result<String, Status>,
) -> Status {
    let why = match error {
        Undecodable::Invalid(status) => return status,
        Undecodable::Refused { why, .. } | Undecodable::Body { why, .. } => why,
    };
    let text = match patch {
        Patch::Strategic(patch) => Ok(go_text(patch)),
        _ => patched(),
    };
    match text {
        Err(status) => status,
        Ok(text) => Status::invalid("", "", "", &[Error::invalid(&Path::new("patch"), text, why)]),
    }
}

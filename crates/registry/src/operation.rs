//! `Operation`: one write under way, with what all its steps need to know.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{Draft, ObjectKey, Status, field};
use warren_reconciler::Part;

use crate::admission::{self, AdmissionRequest};
use crate::change::Current;
use crate::commit::draft;
use crate::definition::{Definition, ScalePaths};
use crate::request::Keeps;
use crate::subresource::scale;
use crate::{Registry, Request, Written};

/// One write of one object.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) cx: &'a Request<'a>,
    pub(crate) definition: &'a Definition,
    pub(crate) part: Part,
    pub(crate) key: &'a ObjectKey,
}

impl Registry {
    /// A write of the object at `key`, or of a part of it.
    pub(crate) fn operation<'a>(
        &'a self,
        cx: &'a Request<'a>,
        definition: &'a Definition,
        part: Part,
        key: &'a ObjectKey,
    ) -> Operation<'a> {
        Operation {
            registry: self,
            cx,
            definition,
            part,
            key,
        }
    }
}

impl<'a> Operation<'a> {
    /// The object as it now is.
    ///
    /// # Errors
    /// What the conversion says, of an object that is kept in another version.
    pub(crate) async fn current(&self) -> Result<Option<Current>, Status> {
        let found = self.registry.store.latest(&self.definition.storage, self.key);
        let Some(object) = found else {
            return Ok(None);
        };
        if self.definition.conversion.is_some() {
            let opened = self.registry.opened(self.definition, Arc::clone(&object)).await?;
            let value = opened.to_value();
            return Ok(Some(Current { object, value }));
        }
        let mut current = Current::of(object);
        let version = &self.definition.storage_version.version;
        self.registry
            .default_as_read(self.definition, version, &mut current.value);
        Ok(Some(current))
    }

    /// The object as it now is, or 404.
    pub(crate) async fn existing(&self) -> Result<Current, Status> {
        self.current().await?.ok_or_else(|| self.not_found())
    }

    /// What is kept of an object.
    ///
    /// # Errors
    /// What the conversion says.
    pub(crate) async fn draft(&self, object: Value) -> Result<Draft, Status> {
        Ok(draft(self.definition, self.sealed(object).await?))
    }

    /// The same before it is serialised.
    pub(crate) async fn sealed(&self, object: Value) -> Result<Value, Status> {
        match self.cx.keeps {
            Keeps::StorageVersion => self.registry.sealed(self.definition, object).await,
            Keeps::Version => Ok(object),
        }
    }

    /// What a write answers: the object that is kept, in the version of the request.
    pub(crate) async fn shown(&self, mut written: Written) -> Result<Written, Status> {
        written.object = self.registry.opened(self.definition, written.object).await?;
        Ok(written)
    }

    /// 404.
    pub(crate) fn not_found(&self) -> Status {
        Status::not_found(&self.definition.group_resource(), &self.key.name)
    }

    /// 409: others were quicker, and the client has to look again.
    pub(crate) fn modified(&self) -> Status {
        Status::modified(&self.definition.group_resource(), &self.key.name)
    }

    /// The name of the part in paths; `None` for the object itself.
    pub(crate) fn subresource(&self) -> Option<&'static str> {
        match self.part {
            Part::Main => None,
            Part::Status => Some("status"),
            Part::Sub(name) => Some(name),
        }
    }

    fn request<'b>(
        &'b self,
        operation: admission::Operation,
        old: Option<&'b Value>,
    ) -> AdmissionRequest<'b> {
        AdmissionRequest {
            operation,
            user: self.cx.user,
            definition: self.definition,
            version: self.cx.version,
            key: self.key,
            subresource: self.subresource(),
            old,
            dry_run: self.cx.dry_run,
            field_manager: self.cx.field_manager,
            options: self.cx.options,
            deadline: self.cx.deadline,
            registry: self.registry,
            warnings: self.cx.warnings,
        }
    }

    /// Mutating admission.
    pub(crate) async fn mutate(
        &self,
        operation: admission::Operation,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        if let Some(paths) = self.scale_paths() {
            let old = old.map(|old| scale::shown(paths, old));
            let mut shown = scale::shown(paths, object);
            let request = self.request(operation, old.as_ref());
            self.registry.admission.mutate(&request, &mut shown).await?;
            let is_builtin = self.registry.is_builtin(self.definition);
            object.set(&paths.spec_replicas, scale::replicas(&shown, is_builtin)?);
            return Ok(());
        }
        let request = self.request(operation, old);
        self.registry.admission.mutate(&request, object).await
    }

    /// Validating admission.
    pub(crate) async fn admit(
        &self,
        operation: admission::Operation,
        object: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<admission::Permit, Status> {
        if let Some(paths) = self.scale_paths() {
            let shown = |object| scale::shown(paths, object);
            let (object, old) = (object.map(shown), old.map(shown));
            let request = self.request(operation, old.as_ref());
            return self.registry.admission.validate(&request, object.as_ref()).await;
        }
        let request = self.request(operation, old);
        self.registry.admission.validate(&request, object).await
    }

    /// Where the numbers are, if it is the scale that is written.
    fn scale_paths(&self) -> Option<&'a ScalePaths> {
        let part = self.definition.subresource("scale")?;
        part.scale.as_ref().filter(|_| self.part == Part::Sub("scale"))
    }

    /// Writes out what upstream's encoder writes for unset fields of built-in kinds. After defaulting and
    /// admission, so that those tell unset from empty; before validation, which sees what is kept.
    pub(crate) fn complete(&self, object: &mut Value) {
        if let Some(schema) = self.registry.storage_schema(self.definition) {
            schema.complete(object);
        }
    }

    /// 422 with these errors, unless there are none.
    pub(crate) fn refuse(&self, object: &Value, errors: &[field::Error]) -> Result<(), Status> {
        if errors.is_empty() {
            return Ok(());
        }
        Err(Status::invalid(
            &self.definition.storage.group,
            &self.definition.kind,
            object.text("/metadata/name"),
            errors,
        ))
    }

    /// Sends the strategy's warnings.
    pub(crate) fn warn(&self, object: &Value, old: Option<&Value>) {
        let strategy = &self.definition.strategy;
        let warnings = match old {
            Some(old) if self.part == Part::Status => strategy.status_warnings(object, old),
            _ => strategy.warnings(object, old),
        };
        for warning in warnings {
            self.cx.warnings.add(warning);
        }
    }
}

//! `Operation`: one write under way, with what all its steps need to know.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::resource::GroupVersion;
use warren_apimachinery::value::ValueExt;
use warren_apimachinery::{ObjectKey, Status, field, time};
use warren_patch::OwnershipUpdate;
use warren_reconciler::Part;
use warren_schema::Schema;

use crate::admission::{self, AdmissionRequest};
use crate::change::Current;
use crate::definition::Definition;
use crate::subresource::reset_fields;
use crate::{Registry, Request};

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
    pub(crate) fn current(&self) -> Option<Current> {
        let found = self.registry.store.latest(&self.definition.storage, self.key);
        found.map(|object| {
            let mut current = Current::of(object);
            let version = &self.definition.storage_version.version;
            self.registry
                .default_as_read(self.definition, version, &mut current.value);
            current
        })
    }

    /// The object as it now is, or 404.
    pub(crate) fn existing(&self) -> Result<Current, Status> {
        self.current().ok_or_else(|| self.not_found())
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
        let request = self.request(operation, old);
        self.registry.admission.validate(&request, object).await
    }

    /// Brings `metadata.managedFields` up to date: who now owns what. `old` is `None` on create.
    ///
    /// Nobody owns the status by a create or an update of the main part.
    pub(crate) fn own(&self, object: &mut Value, old: Option<&Value>) {
        let Some(schema) = self.registry.schema(self.definition, self.cx.version) else {
            return;
        };
        if self.definition.is_stored_as(self.cx.version) {
            return self.own_as(&schema, object, old);
        }
        // Fields are owned as the client's version calls them.
        let convert = |object: &Value| self.registry.in_version(self.cx.version, self.definition, object);
        let mut seen = convert(object);
        self.own_as(&schema, &mut seen, old.map(convert).as_ref());
        match seen.take_at("/metadata/managedFields") {
            Some(fields) => object.set("/metadata/managedFields", fields),
            None => {
                object.take_at("/metadata/managedFields");
            }
        }
    }

    fn own_as(&self, schema: &Schema, object: &mut Value, old: Option<&Value>) {
        warren_patch::update(OwnershipUpdate {
            schema,
            before: old,
            after: object,
            manager: self.cx.field_manager,
            api_version: &self.definition.api_version(self.cx.version),
            subresource: self.subresource().unwrap_or_default(),
            now: &time::format(self.registry.now()),
            reset: self.reset_fields(),
            in_version: &|api_version, before, after| self.as_in(api_version, [before, after]),
        });
    }

    /// What nobody comes to own by a write to this part.
    pub(crate) fn reset_fields(&self) -> &'static [&'static [&'static str]] {
        reset_fields(
            self.definition,
            self.part,
            self.registry.is_builtin(self.definition),
        )
    }

    /// Objects of the client's version as another one has them, and its schema; `None` where it is not served.
    pub(crate) fn as_in(&self, api_version: &str, objects: [&Value; 2]) -> Option<(Arc<Schema>, [Value; 2])> {
        let wanted = GroupVersion::parse(api_version)?;
        let catalogue = self.registry.catalogue();
        let target = if wanted.group == self.definition.group {
            self.definition
        } else {
            let found = catalogue.kind(&wanted.group, &self.definition.kind)?;
            (found.storage == self.definition.storage).then_some(found)?
        };
        let schema = self.registry.schema(target, &wanted.version)?;
        let convert = |object: &Value| {
            let mut object = object.clone();
            let own = self.definition;
            if !own.is_stored_as(self.cx.version) {
                own.strategy.convert_to_storage(self.cx.version, &mut object);
            }
            self.registry.in_version(&wanted.version, target, &object)
        };
        Some((schema, objects.map(convert)))
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

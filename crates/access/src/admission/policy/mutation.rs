//! One mutation of a policy: what its expression gives, put into the object.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::value::ValueExt;
use warren_patch::{PatchError, json_patch, merge_configuration};
use warren_registry::admission::AdmissionRequest;
use warren_schema::{Decoder, Schema, builtin, definition_for, strict_error};
use warren_storage::Snapshot;

use super::super::webhook::matching::Seen;
use super::BUDGET;
use super::compiled::{Mutation, Patch};
use super::input::{Evaluation, Input};
use super::policies::Policy;
use crate::guard::Guard;

/// What a mutation is carried out on.
pub(super) struct Target<'a> {
    pub(super) guard: &'a Guard,
    pub(super) request: &'a AdmissionRequest<'a>,
    pub(super) seen: &'a Seen,
    pub(super) now: &'a Snapshot,
    pub(super) policy: &'a Policy,
    pub(super) parameter: Option<&'a Value>,
}

/// Why a mutation was not carried out.
pub(super) enum Failure {
    /// Its expression has no value, or one that does not fit: by the policy's `failurePolicy`.
    Expression(String),
    /// The answer to the request, whatever the policy says.
    Answer(Box<Status>),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Answer(Box::new(status))
    }
}

impl Target<'_> {
    /// The object, as admission has it, with the change made and defaults filled in.
    pub(super) async fn apply(&self, mutation: &Mutation, object: &Value) -> Result<Value, Failure> {
        let input = Input::of(self.request, self.now, self.seen, Some(object)).await?;
        let schema = self.schema().ok_or_else(|| self.unknown())?;
        let patched = match mutation.patch {
            Patch::ApplyConfiguration => self.merged(mutation, &schema, &input),
            Patch::Json => self.patched(mutation, &schema, &input),
        }?;
        self.read_back(&schema, patched).await
    }

    /// What the expression gives.
    fn evaluate(&self, mutation: &Mutation, input: &Input<'_>) -> Result<Value, Failure> {
        let variables = &self.policy.compiled.variables;
        let evaluation = Evaluation::new(input, self.parameter, self.guard, variables).with_namespace();
        if let Err(why) = &mutation.program {
            return Err(Failure::Expression(why.clone()));
        }
        let value = evaluation
            .evaluate(&mutation.expression, &mutation.program, &mut BUDGET.clone())
            .map_err(|fault| Failure::Expression(fault.to_string()))?;
        value
            .check_message_names()
            .map_err(|why| Failure::Expression(format!("type mismatch: {why}")))?;
        value.to_json().ok_or_else(|| {
            let why = "the value of the expression can't be written as JSON";
            Failure::Expression(why.to_owned())
        })
    }

    fn merged(&self, mutation: &Mutation, schema: &Schema, input: &Input<'_>) -> Result<Value, Failure> {
        let mut configuration = self.evaluate(mutation, input)?;
        self.check_published()?;
        let object = input.object();
        for field in ["apiVersion", "kind"] {
            configuration.set(&format!("/{field}"), object.field(field).clone());
        }
        merge_configuration(schema, object, &configuration)
            .map_err(|why| Failure::Expression(format!("error applying patch: {why}")))
    }

    /// Upstream merges by the types that a version's documents publish: kinds of parts, such as `Scale`, are not
    /// among them.
    fn check_published(&self) -> Result<(), Failure> {
        let kind = &self.seen.kind;
        let catalogue = self.request.registry.catalogue();
        let published = catalogue.kind(&kind.group, &kind.kind);
        if self.seen.converts || published.is_some_and(|found| found.version(&kind.version).is_some()) {
            return Ok(());
        }
        Err(Failure::Expression(format!(
            "error applying patch: failed to convert patch object to typed object: no corresponding type for {}/{}, Kind={}",
            kind.group, kind.version, kind.kind
        )))
    }

    fn patched(&self, mutation: &Mutation, schema: &Schema, input: &Input<'_>) -> Result<Value, Failure> {
        let mut operations = self.evaluate(mutation, input)?;
        for operation in operations.as_array_mut().into_iter().flatten() {
            for field in ["op", "path"] {
                if operation.field(field).is_null() {
                    operation.set(&format!("/{field}"), "");
                }
            }
        }
        let mut object = input.object().clone();
        match json_patch(&mut object, &operations) {
            Ok(()) => {}
            Err(error) if error.is_failed_test() => return Ok(input.object().clone()),
            Err(PatchError::DoesNotFit(why)) => {
                return Err(Failure::Expression(format!("JSON Patch: {why}")));
            }
            Err(other) => return Err(Failure::Expression(format!("JSON Patch: {other}"))),
        }
        if schema.go.is_some() {
            let checked = schema.check_by(Decoder::Json, &mut object);
            if let Some(why) = checked.type_error {
                return Err(Status::internal(why).into());
            }
            if !checked.unknown.is_empty() {
                return Err(Status::internal(strict_error(&checked.unknown)).into());
            }
        }
        Ok(object)
    }

    /// The schema of what the policy sees.
    fn schema(&self) -> Option<Arc<Schema>> {
        let kind = &self.seen.kind;
        if !self.seen.converts {
            return definition_for(&kind.group, &kind.version, &kind.kind).and_then(builtin);
        }
        let catalogue = self.request.registry.catalogue();
        let resource = &self.seen.resource;
        let (definition, at) = catalogue.served(&resource.group, &resource.version, &resource.resource)?;
        Some(definition.versions.get(at)?.schema.get())
    }

    fn unknown(&self) -> Status {
        let kind = &self.seen.kind;
        Status::new(
            warren_apimachinery::StatusReason::ServiceUnavailable,
            format!(
                "Resource kind {}/{}, Kind={} not found. There can be a delay between when CustomResourceDefinitions are created and when they are available.",
                kind.group, kind.version, kind.kind
            ),
        )
    }

    async fn read_back(&self, schema: &Schema, mut object: Value) -> Result<Value, Failure> {
        if self.seen.converts {
            let registry = self.request.registry;
            let read = registry.read_back(&self.seen.resource, object);
            let read = read.map_err(Failure::Expression)?;
            return Ok(registry.converted_back(self.request.definition, read).await?);
        }
        schema.default(&mut object);
        Ok(object)
    }
}

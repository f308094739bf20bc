//! From what a client sent to an object of the storage version: kind and version looked at, types checked, unknown
//! fields named and dropped, defaults filled in.

use std::sync::Arc;

use serde_json::Value;
use warren_apimachinery::Status;
use warren_apimachinery::resource::GroupVersion;
use warren_apimachinery::value::ValueExt;
use warren_reconciler::Part;
use warren_schema::{Schema, strict_error};

use crate::definition::Definition;
use crate::{FieldValidation, Registry, Request};

/// Why a body is no object of its kind.
pub(crate) enum Undecodable {
    /// It is another kind or version: the whole answer.
    Refused(Status),
    /// Its fields are wrong: the body, and what upstream's decoder says.
    Body {
        /// The body, as JSON.
        text: String,
        /// The decoder's words.
        why: String,
    },
}

impl Registry {
    /// Decodes the body of a request.
    pub(crate) fn decode(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        part: Part,
        object: Value,
    ) -> Result<Value, Status> {
        self.decode_raw(cx, definition, part, object)
            .map_err(|error| match error {
                Undecodable::Refused(status) => status,
                Undecodable::Body { why, .. } => unhandled(definition, cx.version, &definition.kind, &why),
            })
    }

    /// The same, with the error as the caller wants to word it.
    pub(crate) fn decode_raw(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        part: Part,
        mut object: Value,
    ) -> Result<Value, Undecodable> {
        self.check_type(cx, definition, &mut object)
            .map_err(Undecodable::Refused)?;
        let schema = self.schema(definition, cx.version);
        if let Some(schema) = &schema {
            check_fields(cx, schema, &mut object)?;
        }
        if drops_status(definition, part) {
            object.take_at("/status");
        }
        let stored = if definition.is_stored_as(cx.version) {
            schema
        } else {
            if let Some(schema) = &schema {
                schema.default(&mut object);
            }
            definition.strategy.convert_to_storage(cx.version, &mut object);
            stamp_storage(definition, &mut object);
            self.storage_schema(definition)
        };
        if let Some(schema) = stored {
            schema.default(&mut object);
        }
        definition.strategy.default(&mut object);
        Ok(object)
    }

    /// The schema of a served version.
    pub(crate) fn schema(&self, definition: &Definition, version: &str) -> Option<Arc<Schema>> {
        definition.version(version).map(|version| version.schema.get())
    }

    /// The schema of the version that objects are kept in, which another group may serve.
    pub(crate) fn storage_schema(&self, definition: &Definition) -> Option<Arc<Schema>> {
        let storage = &definition.storage_version;
        if storage.group == definition.group {
            return self.schema(definition, &storage.version);
        }
        let catalogue = self.catalogue();
        let keeper = catalogue.kind(&storage.group, &storage.kind)?;
        self.schema(keeper, &storage.version)
    }

    /// An object of the storage version as clients of `version` see it.
    pub(crate) fn in_version(&self, version: &str, definition: &Definition, object: &Value) -> Value {
        let mut object = object.clone();
        if !definition.is_stored_as(version) {
            definition.strategy.convert_from_storage(version, &mut object);
            definition.stamp(version, &mut object);
        }
        object
    }

    /// `apiVersion` and `kind` must be the endpoint's; what is missing is filled in.
    fn check_type(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        object: &mut Value,
    ) -> Result<(), Status> {
        let expected = definition.api_version(cx.version);
        let Value::Object(map) = object else {
            return Err(Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
                definition.kind
            )));
        };
        let text = |field: &str| map.get(field).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if api_version == expected && kind == definition.kind {
            return Ok(());
        }
        if (api_version.is_empty() || api_version == expected) && kind.is_empty()
            || kind == definition.kind && api_version.is_empty()
        {
            definition.stamp(cx.version, object);
            return Ok(());
        }
        Err(self.wrong_type(cx, definition, api_version, kind))
    }

    fn wrong_type(&self, cx: &Request<'_>, definition: &Definition, api_version: &str, kind: &str) -> Status {
        let kind = if kind.is_empty() { &definition.kind } else { kind };
        let sent = GroupVersion::parse(api_version)
            .unwrap_or_else(|| GroupVersion::new(definition.group.clone(), cx.version));
        let known = self
            .catalogue()
            .kind(&sent.group, kind)
            .is_some_and(|found| found.version(&sent.version).is_some());
        if !known {
            let why = format!(
                "no kind {kind:?} is registered for version \"{sent}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
            );
            return unhandled(definition, &sent.version, kind, &why);
        }
        if kind == definition.kind {
            return Status::bad_request(format!(
                "the API version in the data ({sent}) does not match the expected API version ({})",
                definition.api_version(cx.version)
            ));
        }
        let why = format!(
            "converting ({}.{kind}) to ({}.{}): unknown conversion",
            sent.version,
            internal_package(&definition.group),
            definition.kind
        );
        unhandled(definition, &sent.version, kind, &why)
    }
}

/// Types, unknown and duplicate fields.
fn check_fields(cx: &Request<'_>, schema: &Schema, object: &mut Value) -> Result<(), Undecodable> {
    let checked = schema.check(object);
    if let Some(why) = checked.type_error {
        return Err(Undecodable::Body {
            text: object.to_string(),
            why,
        });
    }
    let unknown = checked.unknown;
    if cx.field_validation == FieldValidation::Ignore
        || (unknown.is_empty() && cx.duplicate_fields.is_empty())
    {
        return Ok(());
    }
    if cx.field_validation == FieldValidation::Strict {
        return Err(Undecodable::Body {
            text: object.to_string(),
            why: strict_error(&unknown, cx.duplicate_fields),
        });
    }
    for warning in unknown.iter().chain(cx.duplicate_fields) {
        cx.warnings.add(warning.clone());
    }
    Ok(())
}

/// Whether what clients send as status is nothing to this part. Nodes register with their status.
fn drops_status(definition: &Definition, part: Part) -> bool {
    let is_node = definition.group.is_empty() && definition.plural == "nodes";
    part == Part::Main && definition.strategy.traits().status && !is_node
}

fn stamp_storage(definition: &Definition, object: &mut Value) {
    let storage = &definition.storage_version;
    if let Some(map) = object.as_object_mut() {
        let version = GroupVersion::new(storage.group.clone(), storage.version.clone());
        map.insert("apiVersion".to_owned(), version.to_string().into());
        map.insert("kind".to_owned(), storage.kind.as_str().into());
    }
}

fn unhandled(definition: &Definition, version: &str, kind: &str, why: &str) -> Status {
    Status::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {}: {why}",
        definition.kind
    ))
}

/// What Go calls the package of a group's internal types.
fn internal_package(group: &str) -> &str {
    match group.split('.').next() {
        Some("") | None => "core",
        Some(first) => first,
    }
}

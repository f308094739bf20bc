//! From what a client sent to an object of the storage version: kind and version looked at, types checked, unknown
//! fields named and dropped, defaults filled in.

use std::sync::Arc;

use serde_json::{Map, Value};
use warren_apimachinery::decode::{FieldOrder, summary};
use warren_apimachinery::field::{Error, Path};
use warren_apimachinery::resource::GroupVersion;
use warren_apimachinery::value::{ValueExt, go_kind};
use warren_apimachinery::{GroupVersionResource, Status};
use warren_reconciler::Part;
use warren_schema::{Decoder, Schema, builtin, definition_for, strict_error};

use crate::conversion::ConvertedBy;
use crate::definition::Definition;
use crate::{FieldValidation, Registry, Request};

/// Why a body is no object of its kind.
pub(crate) enum Undecodable {
    /// It has no kind or version that could be read, or another version: the whole answer to a body.
    Refused {
        /// The answer.
        status: Status,
        /// The decoder's words.
        why: String,
    },
    /// It is a custom resource of another kind: the whole answer.
    Invalid(Status),
    /// It is another kind, or its fields are wrong.
    Body {
        /// The version and kind that it says to be.
        sent: (String, String),
        /// The decoder's words.
        why: String,
    },
}

/// What is decoded: it decides about words, and about the order of what is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A body.
    Body,
    /// What a JSON patch or a merge patch made of an object.
    Patched,
    /// What a strategic merge patch made of it: upstream does not read `apiVersion` and `kind` of it.
    Merged,
    /// What an apply made of it: its fields were looked at before.
    Applied,
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
        let expected = Expected::of(definition, cx.version);
        self.decode_raw(cx, definition, (part, Source::Body), object)
            .map_err(|error| error.into_status(expected))
    }

    /// The same, with the error as the caller wants to word it.
    pub(crate) fn decode_raw(
        &self,
        cx: &Request<'_>,
        definition: &Definition,
        (part, source): (Part, Source),
        mut object: Value,
    ) -> Result<Value, Undecodable> {
        let expected = Expected::of(definition, cx.version);
        if !self.is_builtin(definition) {
            custom_type(cx, source, expected, &object)?;
        } else if source != Source::Merged {
            self.check_type(cx, expected, &mut object)?;
        }
        let forgets_owners = object.at(OWNERS).as_array().is_some_and(Vec::is_empty);
        let schema = self.schema(definition, cx.version);
        if let Some(schema) = &schema {
            check_fields(cx, source, schema, &mut object).map_err(|why| expected.undecodable(why))?;
        }
        if forgets_owners {
            // Not the same as none: a client asks to forget the owners.
            object.set(OWNERS, Value::Array(Vec::new()));
        }
        if source == Source::Merged {
            definition.stamp(cx.version, &mut object);
        }
        if drops_status(definition, part) {
            object.take_at("/status");
        }
        self.settle(definition, cx.version, schema, &mut object);
        Ok(object)
    }

    /// Defaults an object of a served version and brings it to the version that objects are kept in.
    fn settle(
        &self,
        definition: &Definition,
        version: &str,
        schema: Option<Arc<Schema>>,
        object: &mut Value,
    ) {
        let stored = if definition.is_stored_as(version) {
            schema
        } else {
            if let Some(schema) = &schema {
                schema.default(object);
            }
            definition.strategy.convert_to_storage(version, object);
            stamp_storage(definition, object);
            self.storage_schema(definition)
        };
        if let Some(schema) = stored {
            schema.default(object);
        }
        definition.strategy.default(object);
    }

    /// An object of the storage version as `resource`'s clients see it, for admission by others. As it is, where that
    /// resource is not served, or where only a webhook can convert it (`show_converted`).
    pub fn show(&self, resource: &GroupVersionResource, object: &Value) -> Value {
        let catalogue = self.catalogue();
        let served = catalogue.served(&resource.group, &resource.version, &resource.resource);
        let Some((definition, _)) = served else {
            return object.clone();
        };
        let mut shown = self.in_version(&resource.version, definition, object);
        let conversion = definition.conversion.as_ref();
        if conversion.is_some_and(|conversion| matches!(conversion.converter, ConvertedBy::Name)) {
            definition.stamp(&resource.version, &mut shown);
        }
        shown
    }

    /// What others made of an object of `resource`: pruned, defaulted, and in the storage version.
    ///
    /// # Errors
    /// The decoder's words where a field has another type, or where the resource is not served.
    pub fn read_back(&self, resource: &GroupVersionResource, mut object: Value) -> Result<Value, String> {
        let catalogue = self.catalogue();
        let (group, version) = (&resource.group, &resource.version);
        let Some((definition, _)) = catalogue.served(group, version, &resource.resource) else {
            return Err(format!("{} is not served any more", resource.resource));
        };
        let schema = self.schema(definition, version);
        if let Some(schema) = &schema
            && let Some(why) = schema.check_by(Decoder::Json, &mut object).type_error
        {
            return Err(why);
        }
        self.settle(definition, version, schema, &mut object);
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

    /// Decodes what is sent to a subresource with a kind of its own, such as a `Scale`.
    pub(crate) fn decode_part(
        &self,
        cx: &Request<'_>,
        expected: Expected<'_>,
        mut object: Value,
    ) -> Result<Value, Status> {
        self.decode_part_raw(cx, expected, Source::Body, &mut object)
            .map_err(|error| error.into_status(expected))?;
        Ok(object)
    }

    /// The same, with the error as the caller wants to word it.
    pub(crate) fn decode_part_raw(
        &self,
        cx: &Request<'_>,
        expected: Expected<'_>,
        source: Source,
        object: &mut Value,
    ) -> Result<(), Undecodable> {
        if source != Source::Merged {
            self.check_type(cx, expected, object)?;
        }
        if let Some(schema) = expected.builtin() {
            check_fields(cx, source, &schema, object).map_err(|why| expected.undecodable(why))?;
        }
        Ok(())
    }

    /// `apiVersion` and `kind` must be the endpoint's; what is missing is filled in.
    fn check_type(
        &self,
        cx: &Request<'_>,
        expected: Expected<'_>,
        object: &mut Value,
    ) -> Result<(), Undecodable> {
        if object.is_null() {
            *object = Value::Object(Map::new());
        }
        if let Some(why) = untyped(object) {
            let status = Status::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): {why} ({})",
                expected.kind,
                summary(cx.json)
            ));
            return Err(Undecodable::Refused { status, why });
        }
        let own = expected.api_version();
        let (api_version, kind) = (object.text("/apiVersion"), object.text("/kind"));
        if (api_version.is_empty() || api_version == own) && (kind.is_empty() || kind == expected.kind) {
            if api_version.is_empty() || kind.is_empty() {
                object.set("/apiVersion", own);
                object.set("/kind", expected.kind);
            }
            return Ok(());
        }
        Err(self.wrong_type(expected, api_version, kind))
    }

    fn wrong_type(&self, expected: Expected<'_>, api_version: &str, kind: &str) -> Undecodable {
        let kind = if kind.is_empty() { expected.kind } else { kind };
        let sent = GroupVersion::parse(api_version)
            .unwrap_or_else(|| GroupVersion::new(expected.group, expected.version));
        let known = definition_for(&sent.group, &sent.version, kind).is_some()
            || self
                .catalogue()
                .kind(&sent.group, kind)
                .is_some_and(|found| found.version(&sent.version).is_some());
        if !known {
            let why = format!(
                "no kind {kind:?} is registered for version \"{sent}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
            );
            let sent = (sent.version.to_string(), kind.to_owned());
            return Undecodable::Body { sent, why };
        }
        if kind == expected.kind {
            let why = format!(
                "the API version in the data ({sent}) does not match the expected API version ({})",
                expected.api_version()
            );
            let status = Status::bad_request(why.clone());
            return Undecodable::Refused { status, why };
        }
        let why = format!(
            "converting ({}.{kind}) to ({}.{}): unknown conversion",
            sent.version,
            internal_package(expected.group),
            expected.kind
        );
        let sent = (sent.version.to_string(), kind.to_owned());
        Undecodable::Body { sent, why }
    }
}

/// `apiVersion` and `kind` of a custom resource: upstream reads them without a scheme, and then validates them.
fn custom_type(
    cx: &Request<'_>,
    source: Source,
    expected: Expected<'_>,
    object: &Value,
) -> Result<(), Undecodable> {
    let refused = |why: String, status: Status| Err(Undecodable::Refused { status, why });
    let unrecognized = |why: String| {
        let text = summary(cx.json);
        let kind = expected.kind;
        let status = format!("the object provided is unrecognized (must be of type {kind}): {why} ({text})");
        refused(why, Status::bad_request(status))
    };
    if let Some(why) = untyped(object) {
        return unrecognized(why);
    }
    let (api_version, kind) = (object.text("/apiVersion"), object.text("/kind"));
    if kind.is_empty() {
        let text = String::from_utf8_lossy(cx.json);
        let text = if text.is_empty() {
            object.to_string()
        } else {
            text.into_owned()
        };
        return unrecognized(format!("Object 'Kind' is missing in '{text}'"));
    }
    let own = expected.api_version();
    if api_version != own && source == Source::Body {
        let why = format!(
            "the API version in the data ({api_version}) does not match the expected API version ({own})"
        );
        return refused(why.clone(), Status::bad_request(why));
    }
    let wrong = [("kind", kind, expected.kind), ("apiVersion", api_version, &own)];
    match wrong.into_iter().find(|(_, sent, own)| sent != own) {
        None => Ok(()),
        Some((field, sent, own)) => {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            let error = Error::invalid(&Path::new(field), sent, format!("must be {own}"));
            let status = Status::invalid(group, kind, object.text("/metadata/name"), &[error]);
            Err(Undecodable::Invalid(status))
        }
    }
}

const OWNERS: &str = "/metadata/managedFields";

/// Why no version and kind can be read of an object.
fn untyped(object: &Value) -> Option<String> {
    let unreadable = |what: &Value, target: &str| {
        let kind = go_kind(what);
        format!("couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go {target}")
    };
    let Value::Object(map) = object else {
        let target = r#"value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
        return Some(unreadable(object, target));
    };
    let wrong = ["apiVersion", "kind"].into_iter().find_map(|field| {
        let value = map
            .get(field)
            .filter(|value| !value.is_string() && !value.is_null())?;
        Some(unreadable(
            value,
            &format!("struct field .{field} of type string"),
        ))
    });
    let api_version = object.text("/apiVersion");
    wrong.or_else(|| {
        (api_version.matches('/').count() > 1)
            .then(|| format!("unexpected GroupVersion string: {api_version}"))
    })
}

/// The kind that an endpoint takes.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
}

impl Undecodable {
    /// What upstream answers to a body.
    fn into_status(self, expected: Expected<'_>) -> Status {
        match self {
            Self::Refused { status, .. } | Self::Invalid(status) => status,
            Self::Body {
                sent: (version, kind),
                why,
            } => Status::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {}: {why}",
                expected.kind
            )),
        }
    }
}

impl<'a> Expected<'a> {
    /// The kind of a resource.
    pub(crate) fn of(definition: &'a Definition, version: &'a str) -> Self {
        Self {
            group: &definition.group,
            version,
            kind: &definition.kind,
        }
    }

    /// The schema of a built-in kind.
    pub(crate) fn builtin(self) -> Option<Arc<Schema>> {
        definition_for(self.group, self.version, self.kind).and_then(builtin)
    }

    fn undecodable(self, why: String) -> Undecodable {
        Undecodable::Body {
            sent: (self.version.to_owned(), self.kind.to_owned()),
            why,
        }
    }

    fn api_version(self) -> String {
        GroupVersion::new(self.group, self.version).to_string()
    }
}

/// Types, unknown and duplicate fields; an error is the decoder's words.
fn check_fields(cx: &Request<'_>, source: Source, schema: &Schema, object: &mut Value) -> Result<(), String> {
    let decoder = match source {
        Source::Merged => Decoder::Converter,
        // Of a custom resource upstream leaves the nulls that an apply brings.
        Source::Applied if schema.go.is_none() => Decoder::Converter,
        _ => Decoder::Json,
    };
    let checked = schema.check_by(decoder, object);
    if let Some(why) = checked.type_error {
        return Err(why);
    }
    if source == Source::Applied || cx.field_validation == FieldValidation::Ignore {
        return Ok(());
    }
    let faults = in_order(cx, source, schema.go.is_none(), checked.unknown);
    if faults.is_empty() {
        return Ok(());
    }
    if cx.field_validation == FieldValidation::Strict {
        return Err(strict_error(&faults));
    }
    for fault in faults {
        cx.warnings.add(fault);
    }
    Ok(())
}

/// Unknown and doubled fields in upstream's order: those of a JSON body as they stand in it, else those that
/// were found while reading the text first.
fn in_order(cx: &Request<'_>, source: Source, is_custom: bool, unknown: Vec<String>) -> Vec<String> {
    let mut faults = cx.duplicate_fields.to_vec();
    let in_text = source == Source::Body && !cx.json.is_empty() && !is_custom;
    if in_text {
        // Nobody looks into a field that is unknown.
        let skipped: Vec<&str> = unknown.iter().filter_map(|fault| path_of(fault)).collect();
        faults.retain(|fault| {
            let path = path_of(fault).unwrap_or_default();
            !skipped.iter().any(|unknown| is_below(path, unknown))
        });
    }
    faults.extend(unknown);
    if in_text && faults.len() > 1 {
        FieldOrder::of(cx.json).sort(&mut faults);
    }
    faults
}

/// The path in `unknown field "spec.foo"`.
fn path_of(fault: &str) -> Option<&str> {
    fault.split_once('"')?.1.strip_suffix('"')
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with('.') || rest.starts_with('['))
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

/// What Go calls the package of a group's internal types.
fn internal_package(group: &str) -> &str {
    match group.split('.').next() {
        Some("") | None => "core",
        Some(first) => first,
    }
}

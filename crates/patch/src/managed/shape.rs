//! How structured-merge-diff sees a schema: which values are leaves, which are walked into, and how the
//! elements of a list are told apart.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_schema::{ListType, MapType, Ref, Schema, Type};

use super::element::PathElement;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// A node of a schema while walking a value.
#[derive(Clone)]
pub(crate) enum Shape<'a> {
    /// Described by a schema.
    Known {
        /// The schema.
        schema: Handle<'a>,
        /// Unknown fields are allowed here and below.
        preserve: bool,
        /// Has `apiVersion`, `kind` and `metadata` whatever the schema says.
        object: bool,
    },
    /// Described by nothing: maps are walked into, lists are leaves.
    Deduced,
}

/// A schema that is borrowed from the caller or shared with the tree.
#[derive(Clone)]
pub(crate) enum Handle<'a> {
    /// The caller's.
    Borrowed(&'a Schema),
    /// The tree's.
    Shared(Arc<Schema>),
}

impl Deref for Handle<'_> {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        match self {
            Self::Borrowed(schema) => schema,
            Self::Shared(schema) => schema,
        }
    }
}

/// How a value is merged and owned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form<'s> {
    /// As a whole.
    Leaf,
    /// Field by field.
    Map,
    /// Element by element, by value.
    Set,
    /// Element by element, by these keys.
    Keyed(&'s [SmolStr]),
}

/// The shape of a field, and what the schema knows of it.
pub(crate) struct Child<'a> {
    pub(crate) shape: Shape<'a>,
    pub(crate) known: Known,
}

impl Child<'_> {
    /// Whether it is a field of a struct.
    pub(crate) fn is_declared(&self) -> bool {
        self.known == Known::Declared
    }
}

/// Where the shape of a field comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// A field of a struct.
    Declared,
    /// An entry of a map, or an unknown field where those are allowed.
    Additional,
    /// Not allowed.
    No,
}

impl<'a> Shape<'a> {
    /// The shape of an object of the API.
    pub(crate) fn object(schema: &'a Schema) -> Self {
        Self::Known {
            schema: Handle::Borrowed(schema),
            preserve: false,
            object: true,
        }
    }

    fn of(reference: &Ref, preserve: bool) -> Self {
        let schema = reference.get();
        let object = schema.embedded;
        Self::Known {
            schema: Handle::Shared(schema),
            preserve,
            object,
        }
    }

    /// How `value` is merged. A value of another kind than the schema's is a leaf.
    pub(crate) fn form(&self, value: &Value) -> Form<'_> {
        let Self::Known { schema, .. } = self else {
            return if matches!(value, Value::Object(_) | Value::Null) {
                Form::Map
            } else {
                Form::Leaf
            };
        };
        let is_map = match value {
            Value::Object(_) => matches!(schema.kind, Type::Object | Type::Any),
            Value::Null => matches!(schema.kind, Type::Object | Type::Any),
            _ => false,
        };
        let is_list = match value {
            Value::Array(_) => matches!(schema.kind, Type::Array | Type::Any),
            Value::Null => schema.kind == Type::Array,
            _ => false,
        };
        if is_map && schema.map == MapType::Granular {
            Form::Map
        } else if is_list {
            match &schema.list {
                ListType::Atomic => Form::Leaf,
                ListType::Set => Form::Set,
                ListType::Map(keys) => Form::Keyed(keys),
            }
        } else {
            Form::Leaf
        }
    }

    /// The fields of a built-in kind that upstream writes even when they are unset, with their zero.
    pub(crate) fn always_written(&self) -> &[(SmolStr, Value)] {
        match self {
            Self::Known { schema, .. } => schema.go.as_ref().map_or(&[], |go| &go.always),
            Self::Deduced => &[],
        }
    }

    /// Whether values are owned as a whole by the schema, whatever they are.
    pub(crate) fn is_atomic(&self) -> bool {
        match self {
            Self::Deduced => false,
            Self::Known { schema, .. } => match schema.kind {
                Type::Array => schema.list == ListType::Atomic,
                Type::Object => schema.map == MapType::Atomic,
                _ => false,
            },
        }
    }

    /// The field `name` of a struct or map.
    pub(crate) fn child(&self, name: &str) -> Child<'a> {
        let Self::Known {
            schema,
            preserve,
            object,
        } = self
        else {
            return Child {
                shape: Self::Deduced,
                known: Known::Additional,
            };
        };
        let preserve = *preserve || schema.preserve_unknown;
        if *object && let Some(shape) = implied(schema, name) {
            return Child {
                shape,
                known: Known::Declared,
            };
        }
        if let Some(reference) = schema.properties.get(name) {
            return Child {
                shape: Self::of(reference, preserve),
                known: Known::Declared,
            };
        }
        if let Some(reference) = &schema.additional {
            return Child {
                shape: Self::of(reference, preserve),
                known: Known::Additional,
            };
        }
        let open = preserve || schema.properties.is_empty();
        Child {
            shape: Self::Deduced,
            known: if open { Known::Additional } else { Known::No },
        }
    }

    /// The elements of a list.
    pub(crate) fn items(&self) -> Self {
        match self {
            Self::Known { schema, preserve, .. } => match &schema.items {
                Some(reference) => Self::of(reference, *preserve || schema.preserve_unknown),
                None => Self::Deduced,
            },
            Self::Deduced => Self::Deduced,
        }
    }

    /// What tells `item` of a list of this form apart.
    pub(crate) fn element(items: &Shape<'_>, form: Form<'_>, item: &Value) -> Result<PathElement, String> {
        match form {
            Form::Keyed(keys) => keyed(items, keys, item),
            _ => match item {
                Value::Object(_) => {
                    Err("associative list without keys has an element that's a map type".into())
                }
                Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
                Value::Null => {
                    Err("associative list without keys has an element that's an explicit null".into())
                }
                scalar => Ok(PathElement::Value(scalar.clone())),
            },
        }
    }
}

fn keyed(items: &Shape<'_>, keys: &[SmolStr], item: &Value) -> Result<PathElement, String> {
    let fields = match item {
        Value::Object(fields) => fields,
        Value::Null => return Err("associative list with keys may not have a null element".into()),
        _ => return Err("associative list with keys may not have non-map elements".into()),
    };
    let found: Vec<_> = keys
        .iter()
        .filter_map(|key| {
            let value = fields
                .get(key.as_str())
                .cloned()
                .or_else(|| default_key(items, key))?;
            Some((key.clone(), value))
        })
        .collect();
    if found.is_empty() && !keys.is_empty() {
        let keys: Vec<_> = keys.iter().map(|key| format!("{key:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            keys.join(" ")
        ));
    }
    Ok(PathElement::key(found))
}

/// The default of a key that an element leaves out, such as `protocol` of a port; for a field of a built-in kind
/// that is always written, such as a container's `name`, its zero.
fn default_key(items: &Shape<'_>, key: &str) -> Option<Value> {
    let Shape::Known { schema, .. } = items else {
        return None;
    };
    let default = schema.properties.get(key)?.get().default.clone();
    default.or_else(|| {
        let always = &schema.go.as_ref()?.always;
        let (_, zero) = always.iter().find(|(name, _)| name == key)?;
        (zero.is_string() || zero.is_number()).then(|| zero.clone())
    })
}

/// `apiVersion`, `kind` and `metadata` of an object whose schema does not say more than that they are there.
fn implied<'a>(schema: &Schema, name: &str) -> Option<Shape<'a>> {
    match (name, schema.properties.get(name)) {
        ("apiVersion" | "kind", None) => Some(Shape::Deduced),
        ("metadata", None | Some(Ref::Inline(_))) => Some(Shape::Known {
            schema: Handle::Shared(warren_schema::builtin(OBJECT_META)?),
            preserve: false,
            object: false,
        }),
        _ => None,
    }
}

/// The fields of a value where it is a map; none for null and for other shapes.
pub(crate) fn fields(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object).filter(|map| !map.is_empty())
}

/// The elements of a value where it is a list; none for null and for other shapes.
pub(crate) fn elements(value: Option<&Value>) -> &[Value] {
    value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

//! What a schema says of values, as expressions see it: types, escaped field names, and how large values can
//! get, from which costs are estimated.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value as Json;
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use crate::escape::escape;

/// The greatest request, in bytes, that upstream's estimates assume.
pub const MAX_REQUEST_BYTES: u64 = 3 * 1024 * 1024;

/// A value as its schema declares it.
#[derive(Debug)]
pub struct Declared {
    /// What it is.
    pub kind: Kind,
    /// The most elements (of a list or map) or characters (of text) that a value can have.
    pub max_elements: u64,
    /// The fewest bytes that a value takes as JSON.
    pub min_size: u64,
    /// The most characters that a key of a map can have; nothing is known of it where it is 0.
    pub max_key: u64,
    /// `null` is a value.
    pub nullable: bool,
}

/// What a declared value is.
#[derive(Debug)]
pub enum Kind {
    /// Anything.
    Dyn,
    /// A whole number or text.
    IntOrString,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// Text.
    String,
    /// Text such as `1.5Gi`.
    Quantity,
    /// Text in base64.
    Bytes,
    /// Text such as `1h30m`.
    Duration,
    /// A day.
    Date,
    /// A point in time.
    Timestamp,
    /// A list.
    List {
        /// Its elements.
        element: Arc<Declared>,
        /// When two lists are equal.
        identity: Identity,
    },
    /// A map from text.
    Map(Arc<Declared>),
    /// A map from text whose keys are found by their escaped names, too: `a__dot__b` for `a.b`.
    EscapedMap(Arc<Declared>),
    /// Any JSON of a token: its numbers are doubles, its objects have escaped names as well.
    Any,
    /// Fields by name.
    Object(Object),
}

/// What makes an element of a list that element (`x-kubernetes-list-type`).
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Its place.
    #[default]
    Place,
    /// Its value.
    Value,
    /// The values of these fields.
    Keys(Box<[SmolStr]>),
}

/// An object with declared fields.
#[derive(Debug, Default)]
pub struct Object {
    /// The name of its type; `None`: by the way from the variable to it.
    pub name: Option<SmolStr>,
    /// Fields by escaped name.
    pub fields: BTreeMap<SmolStr, Field>,
    /// It has any other field as well, each known at run time only.
    pub open: bool,
}

/// What an open object's fields hold.
static ANYTHING: LazyLock<Field> = LazyLock::new(|| Field {
    name: SmolStr::default(),
    declared: Arc::new(Declared::new(Kind::Dyn)),
});

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: SmolStr,
    /// What it holds.
    pub declared: Arc<Declared>,
}

impl Object {
    /// An object that is named by the way to it.
    pub fn of(fields: BTreeMap<SmolStr, Field>) -> Self {
        Self {
            fields,
            ..Self::default()
        }
    }

    /// The field of an escaped name; reserved words are taken unescaped as well.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let direct = self.fields.get(name);
        let direct = direct.or_else(|| {
            let keyword = crate::escape::is_reserved(name).then(|| format!("__{name}__"))?;
            self.fields.get(keyword.as_str())
        });
        direct.or_else(|| self.open.then_some(&*ANYTHING))
    }
}

impl Declared {
    /// A value of `kind` of which no more is known.
    pub fn new(kind: Kind) -> Self {
        let min_size = match kind {
            Kind::Bool => 4,
            Kind::Dyn | Kind::Any | Kind::IntOrString | Kind::Int | Kind::Double => 1,
            Kind::Duration => 3,
            Kind::Date => 12,
            Kind::Timestamp => 21,
            _ => 2,
        };
        Self {
            kind,
            max_elements: 0,
            min_size,
            max_key: 0,
            nullable: false,
        }
    }

    /// A value of `kind` with at most so many elements or characters.
    pub(crate) fn at_most(kind: Kind, max_elements: u64) -> Self {
        Self {
            max_elements,
            ..Self::new(kind)
        }
    }

    /// An object whose fields are given by their names in JSON, for variables that no schema describes.
    pub fn object(name: &str, fields: impl IntoIterator<Item = (&'static str, Arc<Self>)>) -> Arc<Self> {
        Self::object_of(name, fields)
    }

    /// The same with names that are known at run time only.
    pub fn object_of<'n>(name: &str, fields: impl IntoIterator<Item = (&'n str, Arc<Self>)>) -> Arc<Self> {
        let mut all = BTreeMap::new();
        for (name, declared) in fields {
            insert(&mut all, name, declared);
        }
        Arc::new(Self::new(Kind::Object(Object {
            name: Some(SmolStr::new(name)),
            fields: all,
            open: false,
        })))
    }

    /// What a structural JSON schema declares; `None` where upstream shows expressions nothing of it.
    /// `is_root` for the root of a resource, which has kind, apiVersion and metadata whatever it says.
    pub fn of_schema(schema: &Json, is_root: bool) -> Option<Arc<Self>> {
        let is = |key: &str| schema.field(key).as_bool().unwrap_or_default();
        let declared = if is("x-kubernetes-int-or-string") {
            Self {
                max_elements: length(schema).map_or(MAX_REQUEST_BYTES - 2, |most| most.saturating_mul(4)),
                ..Self::new(Kind::IntOrString)
            }
        } else {
            match schema.text("/type") {
                "array" => Self::of_array(schema)?,
                "object" if is_map(schema) => Self::of_map(schema)?,
                "object" => Self::of_object(schema, is_root),
                "string" => Self::of_text(schema),
                "boolean" => Self::new(Kind::Bool),
                "number" => Self::new(Kind::Double),
                "integer" => Self::new(Kind::Int),
                _ => return None,
            }
        };
        Some(Arc::new(Self {
            nullable: is("nullable"),
            ..declared
        }))
    }

    fn of_array(schema: &Json) -> Option<Self> {
        let element = Self::of_child(schema.field("items"))?;
        let most = count(schema, "maxItems");
        let identity = match schema.text("/x-kubernetes-list-type") {
            "set" => Identity::Value,
            "map" => Identity::Keys(
                schema
                    .items("/x-kubernetes-list-map-keys")
                    .iter()
                    .filter_map(Json::as_str)
                    .map(SmolStr::new)
                    .collect(),
            ),
            _ => Identity::Place,
        };
        Some(Self {
            max_elements: most.unwrap_or((MAX_REQUEST_BYTES - 2) / (element.min_size + 1)),
            ..Self::new(Kind::List { element, identity })
        })
    }

    fn of_map(schema: &Json) -> Option<Self> {
        let value = Self::of_child(schema.field("additionalProperties"))?;
        let most = count(schema, "maxProperties");
        Some(Self {
            max_elements: most.unwrap_or((MAX_REQUEST_BYTES - 2) / (value.min_size + 6)),
            ..Self::new(Kind::Map(value))
        })
    }

    fn of_object(schema: &Json, is_root: bool) -> Self {
        let mut fields = BTreeMap::new();
        let mut min_size = 2;
        let required: Vec<&str> = schema
            .items("/required")
            .iter()
            .filter_map(Json::as_str)
            .collect();
        for (name, child) in schema.field("properties").as_object().into_iter().flatten() {
            if is_root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                continue;
            }
            let Some(declared) = Self::of_child(child) else {
                continue;
            };
            if required.contains(&name.as_str()) && child.get("default").is_none() {
                min_size += name.len() as u64 + declared.min_size + 4;
            }
            insert(&mut fields, name, declared);
        }
        if is_root {
            for (name, declared) in [("apiVersion", text()), ("kind", text()), ("metadata", metadata())] {
                insert(&mut fields, name, declared);
            }
        }
        Self {
            min_size,
            ..Self::new(Kind::Object(Object::of(fields)))
        }
    }

    fn of_text(schema: &Json) -> Self {
        let unbounded = MAX_REQUEST_BYTES - 2;
        let (kind, max_elements) = match schema.text("/format") {
            "byte" => (Kind::Bytes, length(schema).unwrap_or(unbounded)),
            "duration" => (Kind::Duration, 32),
            "date" => (Kind::Date, 12),
            "date-time" => (Kind::Timestamp, 32),
            _ => {
                let longest = schema
                    .items("/enum")
                    .iter()
                    .map(|value| value.as_str().map_or(0, str::len) as u64)
                    .max();
                let most = length(schema).map(|most| most.saturating_mul(4));
                (Kind::String, most.or(longest).unwrap_or(unbounded))
            }
        };
        Self {
            max_elements,
            ..Self::new(kind)
        }
    }

    /// The schema below another one: the root of a resource of its own if it is embedded.
    pub fn of_child(schema: &Json) -> Option<Arc<Self>> {
        let is_embedded = schema.field("x-kubernetes-embedded-resource").as_bool();
        Self::of_schema(schema, is_embedded.unwrap_or_default())
    }
}

fn insert(fields: &mut BTreeMap<SmolStr, Field>, name: &str, declared: Arc<Declared>) {
    if let Some(escaped) = escape(name) {
        let name = SmolStr::new(name);
        fields.insert(SmolStr::from(escaped), Field { name, declared });
    }
}

fn is_map(schema: &Json) -> bool {
    schema.field("additionalProperties").is_object()
}

fn text() -> Arc<Declared> {
    Arc::new(Declared {
        max_elements: MAX_REQUEST_BYTES - 2,
        ..Declared::new(Kind::String)
    })
}

fn metadata() -> Arc<Declared> {
    let mut fields = BTreeMap::new();
    insert(&mut fields, "name", text());
    insert(&mut fields, "generateName", text());
    Arc::new(Declared::new(Kind::Object(Object::of(fields))))
}

/// A count of a schema; negative ones are zero.
fn count(schema: &Json, key: &str) -> Option<u64> {
    let number = schema.field(key);
    number
        .as_u64()
        .or_else(|| number.as_i64().map(|number| u64::try_from(number).unwrap_or(0)))
}

fn length(schema: &Json) -> Option<u64> {
    count(schema, "maxLength")
}

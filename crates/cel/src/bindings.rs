//! The values of variables.

use serde_json::Value as Json;

use crate::declared::Declared;
use crate::library::authorizer::Check;
use crate::library::{Answer, Attributes, Authorizer};
use crate::value::{Fields, FieldsRef, Map, Opaque, Value, read};

/// What a variable is bound to.
#[derive(Clone, Debug)]
pub(crate) enum Bound<'a> {
    Json(&'a Json, Option<&'a Declared>),
    Value(Value<'a>),
}

impl<'a> Bound<'a> {
    pub(crate) fn value(&self) -> Answer<'a> {
        match self {
            Self::Json(json, declared) => read(json, *declared),
            Self::Value(value) => Ok(value.clone()),
        }
    }
}

/// Values by the names of their variables. Names that the environment does not know are not looked at.
#[derive(Clone, Debug, Default)]
pub struct Bindings<'a> {
    pub(crate) all: Vec<(&'a str, Bound<'a>)>,
}

impl<'a> Bindings<'a> {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, name: &'a str, bound: Bound<'a>) -> Self {
        self.all.push((name, bound));
        self
    }

    /// JSON of which no schema is known: whole numbers are `int`, others `double`.
    #[must_use]
    pub fn json(self, name: &'a str, json: &'a Json) -> Self {
        self.with(name, Bound::Json(json, None))
    }

    /// JSON that a schema describes, the one that the variable was declared with.
    #[must_use]
    pub fn declared(self, name: &'a str, json: &'a Json, declared: &'a Declared) -> Self {
        self.with(name, Bound::Json(json, Some(declared)))
    }

    /// An optional of JSON that a schema describes.
    #[must_use]
    pub fn declared_optional(self, name: &'a str, json: Option<&'a Json>, declared: &'a Declared) -> Self {
        let value = json.and_then(|json| read(json, Some(declared)).ok());
        let value = value.map_or(Value::Optional(None), Value::some);
        self.with(name, Bound::Value(value))
    }

    /// A value.
    #[must_use]
    pub fn value(self, name: &'a str, value: Value<'a>) -> Self {
        self.with(name, Bound::Value(value))
    }

    /// An object whose fields are worked out when they are selected.
    #[must_use]
    pub fn fields(self, name: &'a str, fields: &'a (dyn Fields + 'a)) -> Self {
        self.value(name, Value::Map(Map::Fields(FieldsRef(fields))))
    }

    /// The authorizer.
    #[must_use]
    pub fn authorizer(self, name: &'a str, authorizer: &'a (dyn Authorizer + 'a)) -> Self {
        self.value(name, Value::Opaque(Opaque::Authorizer(Check::new(authorizer))))
    }

    /// A question to the authorizer that lacks its verb, such as `authorizer.requestResource`.
    #[must_use]
    pub fn resource_check(
        self,
        name: &'a str,
        authorizer: &'a (dyn Authorizer + 'a),
        attributes: Attributes,
    ) -> Self {
        let check = Check::of_resource(authorizer, attributes);
        self.value(name, Value::Opaque(Opaque::Authorizer(check)))
    }
}

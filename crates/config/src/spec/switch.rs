//! `enabled: true | false | auto`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// On, off, or as the rest of the configuration suggests. Written `true`, `false` or `auto`, quoted or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// `true`.
    On,
    /// `false`.
    Off,
    /// `auto`: what that means says the field.
    #[default]
    Auto,
}

impl Switch {
    /// Whether it is on, given what `auto` means here.
    pub const fn is_on(self, auto: bool) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Auto => auto,
        }
    }
}

impl Serialize for Switch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::On => serializer.serialize_bool(true),
            Self::Off => serializer.serialize_bool(false),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Flag(bool),
            Word(String),
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Flag(true)) => Ok(Self::On),
            Ok(Form::Flag(false)) => Ok(Self::Off),
            Ok(Form::Word(word)) => match word.as_str() {
                "true" => Ok(Self::On),
                "false" => Ok(Self::Off),
                "auto" | "" => Ok(Self::Auto),
                _ => Err(D::Error::custom(format!("{word:?} is none of true, false, auto"))),
            },
            Err(_) => Err(D::Error::custom("none of true, false, auto")),
        }
    }
}

impl JsonSchema for Switch {
    fn schema_name() -> Cow<'static, str> {
        "Switch".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": [true, false, "true", "false", "auto", ""]})
    }
}

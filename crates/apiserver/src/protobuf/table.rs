//! The table of wire formats: every message that the built-in kinds need.

use std::collections::HashMap;
use std::sync::LazyLock;

use warren_apimachinery::GroupVersion;

use super::wire;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// Read once, on the first message; 0.6 MB for the life of the process.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("../../data/protobuf.tsv")));

pub(super) struct Table {
    by_name: HashMap<&'static str, usize>,
    messages: Vec<Message>,
}

pub(super) struct Message {
    pub(super) form: Form,
    /// By number.
    pub(super) fields: Vec<Field>,
    /// Where JSON's fields go, by name: those of messages that are put into this one as well.
    names: Vec<(&'static str, Place)>,
    /// What Go writes of a message that is unset: the fields that are always there.
    pub(super) zero: Vec<u8>,
}

/// How deep messages are put into each other.
pub(super) const INLINED: usize = 3;

/// Where a field of JSON stands: the numbers from the message down to the field, then zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) [u32; INLINED]);

pub(super) struct Field {
    pub(super) number: u64,
    /// In JSON; `~` when JSON puts the fields of this one into the message itself.
    pub(super) name: &'static str,
    pub(super) repeat: Repeat,
    pub(super) kind: Kind,
}

impl Field {
    pub(super) fn is_inlined(&self) -> bool {
        self.name == "~"
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Always written, with its zero when unset.
    Always,
    /// Left out when unset.
    Optional,
    List,
    Map,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Bytes,
    Bool,
    Int,
    Double,
    Message(usize),
}

/// What JSON makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    /// JSON in its bytes.
    Embedded,
    /// The list in its only field.
    List,
    /// `JSONSchemaPropsOrBool` and its likes: whichever field is set.
    Either,
    /// `JSONSchemaProps`, which says something by having a field at all: what is unset must not come out as empty.
    Sparse,
}

impl Form {
    fn of(name: &str) -> Self {
        match name.rsplit('.').next().unwrap_or_default() {
            "Quantity" => Self::Quantity,
            "IntOrString" => Self::IntOrString,
            "Time" => Self::Time,
            "MicroTime" => Self::MicroTime,
            "RawExtension" | "FieldsV1" | "JSON" => Self::Embedded,
            "ExtraValue" | "Verbs" => Self::List,
            "JSONSchemaProps" => Self::Sparse,
            "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray" => {
                Self::Either
            }
            _ => Self::Object,
        }
    }
}

impl Table {
    fn read(text: &'static str) -> Self {
        let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
        let by_name: HashMap<&str, usize> = lines
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (*name, at))
            .collect();
        let messages = lines
            .iter()
            .map(|(name, fields)| Message {
                form: Form::of(name),
                fields: fields
                    .split(' ')
                    .filter_map(|field| Field::read(field, &by_name))
                    .collect(),
                names: Vec::new(),
                zero: Vec::new(),
            })
            .collect();
        let mut table = Self { by_name, messages };
        for at in 0..table.messages.len() {
            let mut names = table.names(at, Place([0; INLINED]), 0);
            names.sort_unstable();
            let zero = table.zero(at, 0);
            if let Some(message) = table.messages.get_mut(at) {
                (message.names, message.zero) = (names, zero);
            }
        }
        table
    }

    /// The message of this name in OpenAPI.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, message: usize) -> Option<&Message> {
        self.messages.get(message)
    }

    fn names(&self, message: usize, place: Place, depth: usize) -> Vec<(&'static str, Place)> {
        let mut names = Vec::new();
        for field in self.get(message).map_or(&[][..], |message| &message.fields) {
            let mut place = place;
            let Some(step) = place.0.get_mut(depth) else {
                continue;
            };
            *step = u32::try_from(field.number).unwrap_or_default();
            match field.kind {
                Kind::Message(inner) if field.is_inlined() => {
                    names.extend(self.names(inner, place, depth + 1));
                }
                _ => names.push((field.name, place)),
            }
        }
        names
    }

    fn zero(&self, message: usize, depth: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(message) = self.get(message).filter(|_| depth < 16) else {
            return out;
        };
        // A moment that is unset is sent as nothing, JSON that is unset as no bytes.
        let is_empty = matches!(
            message.form,
            Form::Time | Form::MicroTime | Form::Embedded | Form::List
        );
        if message.form == Form::Quantity {
            wire::put_bytes(&mut out, 1, b"0");
        } else if !is_empty {
            for field in &message.fields {
                if field.repeat == Repeat::Always {
                    self.put_zero(field, depth, &mut out);
                }
            }
        }
        out
    }

    fn put_zero(&self, field: &Field, depth: usize, out: &mut Vec<u8>) {
        match field.kind {
            Kind::Text | Kind::Bytes => wire::put_bytes(out, field.number, b""),
            Kind::Bool | Kind::Int => wire::put_number(out, field.number, 0),
            Kind::Double => wire::put_double(out, field.number, 0.0),
            Kind::Message(inner) => wire::put_bytes(out, field.number, &self.zero(inner, depth + 1)),
        }
    }

    /// Writes what stands on the wire of a field that is always there but unset.
    pub(super) fn write_zero(&self, field: &Field, out: &mut Vec<u8>) {
        match field.kind {
            Kind::Message(inner) => {
                let zero = self.get(inner).map_or(&[][..], |message| &message.zero);
                wire::put_bytes(out, field.number, zero);
            }
            _ => self.put_zero(field, 0, out),
        }
    }
}

impl Message {
    /// Where the field of this name in JSON goes.
    pub(super) fn place(&self, name: &str) -> Option<Place> {
        let at = self
            .names
            .binary_search_by(|(known, _)| (*known).cmp(name))
            .ok()?;
        self.names.get(at).map(|(_, place)| *place)
    }

    pub(super) fn field(&self, number: u64) -> Option<&Field> {
        let at = self
            .fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()?;
        self.fields.get(at)
    }

    /// The field at a place.
    pub(super) fn at<'t>(&'t self, table: &'t Table, place: Place) -> Option<&'t Field> {
        let mut message = self;
        for number in place.0 {
            let field = message.field(u64::from(number))?;
            match field.kind {
                Kind::Message(inner) if field.is_inlined() => message = table.get(inner)?,
                _ => return Some(field),
            }
        }
        None
    }
}

impl Field {
    fn read(text: &'static str, by_name: &HashMap<&str, usize>) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let number = parts.next()?.parse().ok()?;
        let name = parts.next()?;
        let kind = parts.next()?;
        let (repeat, kind) = match kind.split_at_checked(1)? {
            ("[", kind) => (Repeat::List, kind),
            ("{", kind) => (Repeat::Map, kind),
            ("?", kind) => (Repeat::Optional, kind),
            _ => (Repeat::Always, kind),
        };
        let kind = match kind {
            "s" => Kind::Text,
            "y" => Kind::Bytes,
            "b" => Kind::Bool,
            "i" => Kind::Int,
            "d" => Kind::Double,
            message => Kind::Message(*by_name.get(message)?),
        };
        Some(Self {
            number,
            name,
            repeat,
            kind,
        })
    }
}

/// The message of a kind.
pub(super) fn message_of(api_version: &str, kind: &str) -> Option<usize> {
    // The core group's discovery names no version.
    let version = GroupVersion::parse(if api_version.is_empty() { "v1" } else { api_version })?;
    let name = match kind {
        // Registered in every group and version.
        "CreateOptions" | "DeleteOptions" | "PatchOptions" | "UpdateOptions" | "WatchEvent" => {
            format!("{META}.{kind}")
        }
        "APIResourceList" | "APIVersions" | "PartialObjectMetadata" => format!("{META}.{kind}"),
        "PartialObjectMetadataList" => {
            format!("io.k8s.apimachinery.pkg.apis.meta.{}.{kind}", version.version)
        }
        "APIGroupDiscoveryList" => format!("io.k8s.api.apidiscovery.{}.{kind}", version.version),
        _ => warren_schema::definition_for(&version.group, &version.version, kind)?.to_owned(),
    };
    TABLE.find(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_the_table_is_complete() {
        let text = include_str!("../../data/protobuf.tsv");
        for (line, message) in text.lines().zip(&TABLE.messages) {
            let (name, fields) = line.split_once('\t').unwrap();
            let expect = fields.split(' ').filter(|field| !field.is_empty()).count();
            assert_eq!(message.fields.len(), expect, "{name}");
            assert!(message.fields.is_sorted_by_key(|field| field.number), "{name}");
            for (field, place) in &message.names {
                assert!(message.at(&TABLE, *place).is_some(), "{name} {field}");
            }
        }
    }
}

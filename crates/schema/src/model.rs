//! The structural schema: one tree that defaulting, pruning, validation, merging and publishing read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use smol_str::SmolStr;

use crate::source::Source;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Fields by name, or a map.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A whole number or text (`IntOrString`).
    IntOrString,
    /// A quantity: text in canonical form, a number is accepted.
    Quantity,
    /// Anything (`RawExtension`, `JSON`, `x-kubernetes-preserve-unknown-fields` without a type).
    Any,
}

/// How lists merge and who owns their elements (`x-kubernetes-list-type`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// As a whole.
    #[default]
    Atomic,
    /// By value.
    Set,
    /// By these keys.
    Map(Box<[SmolStr]>),
}

/// How maps and structs merge (`x-kubernetes-map-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapType {
    /// Key by key.
    #[default]
    Granular,
    /// As a whole.
    Atomic,
}

/// `x-kubernetes-patch-strategy` and `-merge-key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged rather than replaced.
    pub merge: bool,
    /// `$retainKeys` is honoured.
    pub retain_keys: bool,
    /// The field that tells elements of a merged list apart; `None` for scalars.
    pub merge_key: Option<SmolStr>,
}

/// A schema that stands elsewhere in the tree: by itself, or by the name of a definition (so that recursive
/// kinds are possible). `get` finds it.
#[derive(Clone, Debug)]
pub enum Ref {
    /// In place.
    Inline(Arc<Schema>),
    /// A built-in definition, such as `io.k8s.api.core.v1.PodSpec`.
    Named(SmolStr),
    /// A version of a custom resource, compiled when first used.
    Lazy(Arc<Source>),
}

impl Ref {
    /// The schema. A name that is no definition stands for anything, so that a reader never fails.
    pub fn get(&self) -> Arc<Schema> {
        match self {
            Self::Inline(schema) => Arc::clone(schema),
            Self::Lazy(source) => source.schema(),
            Self::Named(name) => {
                crate::builtin::builtin(name).unwrap_or_else(|| Arc::new(Schema::of(Type::Any)))
            }
        }
    }
}

impl Ref {
    /// Whether it is a built-in definition.
    pub fn is_builtin(&self) -> bool {
        matches!(self, Self::Named(_))
    }
}

/// What upstream's Go type of a built-in definition adds to its schema. Empty for custom resources.
#[derive(Clone, Debug, Default)]
pub struct GoFacts {
    /// The name of the type, such as `PodSpec`; empty when unknown.
    pub name: SmolStr,
    /// The name of its package, such as `v1`.
    pub package: SmolStr,
    /// Fields that are written even when unset, and their zero.
    pub always: Box<[(SmolStr, Value)]>,
    /// Fields that are left out when they are empty.
    pub droppable: Box<[SmolStr]>,
    /// The types of fields where the schema tells another, such as `v1.Protocol`.
    pub types: Box<[(SmolStr, SmolStr)]>,
}

/// A node of a structural schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// What values are.
    pub kind: Type,
    /// Fields by name; empty for maps and scalars.
    pub properties: BTreeMap<SmolStr, Ref>,
    /// The values of a map.
    pub additional: Option<Ref>,
    /// The elements of a list.
    pub items: Option<Ref>,
    /// Fields that must be there.
    pub required: Box<[SmolStr]>,
    /// For lists.
    pub list: ListType,
    /// For objects.
    pub map: MapType,
    /// For strategic merge patch.
    pub patch: PatchStrategy,
    /// What an absent value becomes.
    pub default: Option<Value>,
    /// `null` is a value.
    pub nullable: bool,
    /// Unknown fields stay.
    pub preserve_unknown: bool,
    /// Has `apiVersion`, `kind` and `metadata` of its own.
    pub embedded: bool,
    /// What a definition says of `metadata`, `apiVersion` and `kind` of its objects, which are the API's own.
    pub restricted: Option<Box<BTreeMap<SmolStr, Ref>>>,
    /// `format`, such as `int32`, `byte`, `date-time`.
    pub format: Option<SmolStr>,
    /// The allowed values; empty for no restriction.
    pub allowed: Box<[Value]>,
    /// The value validations (bounds, pattern, …) of a custom resource's schema; `None` for built-in kinds.
    pub rules: Option<Box<crate::rules::Rules>>,
    /// What the Go type of a built-in definition adds; `None` for all else.
    pub go: Option<Box<GoFacts>>,
}

impl Schema {
    /// A schema that says no more than what values are.
    pub fn of(kind: Type) -> Self {
        Self {
            kind,
            properties: BTreeMap::new(),
            additional: None,
            items: None,
            required: Box::default(),
            list: ListType::default(),
            map: MapType::default(),
            patch: PatchStrategy::default(),
            default: None,
            nullable: false,
            preserve_unknown: kind == Type::Any,
            embedded: false,
            restricted: None,
            format: None,
            allowed: Box::default(),
            rules: None,
            go: None,
        }
    }

    /// The schema of a field, or of a map's values.
    pub fn field(&self, name: &str) -> Option<&Ref> {
        self.properties.get(name).or(self.additional.as_ref())
    }

    /// Whether values have fields by name, rather than being a map.
    pub fn is_struct(&self) -> bool {
        self.kind == Type::Object && !self.properties.is_empty()
    }
}

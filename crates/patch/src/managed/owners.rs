//! `metadata.managedFields`: the owners of an object's fields, read and written.

use std::cmp::Ordering;

use serde_json::{Map, Value};
use smol_str::SmolStr;
use warren_apimachinery::value::ValueExt;

use super::element::PathElement;
use super::set::FieldSet;

/// The entries of updates that an object may have; older ones are merged above it.
const MAX_UPDATES: usize = 10;
/// The manager that older entries are merged into.
const ANCIENT: SmolStr = SmolStr::new_static("ancient-changes");

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// What makes two entries the same owner: for updates the version as well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) manager: SmolStr,
    pub(crate) operation: Operation,
    version: SmolStr,
    pub(crate) subresource: SmolStr,
}

impl Identity {
    /// The version of an update; empty for apply.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn new(manager: &str, operation: Operation, api_version: &str, subresource: &str) -> Self {
        let version = if operation == Operation::Apply {
            ""
        } else {
            api_version
        };
        Self {
            manager: if manager.is_empty() {
                "unknown".into()
            } else {
                manager.into()
            },
            operation,
            version: version.into(),
            subresource: subresource.into(),
        }
    }
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) identity: Identity,
    pub(crate) api_version: SmolStr,
    pub(crate) set: FieldSet,
    pub(crate) time: Option<SmolStr>,
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners(pub(crate) Vec<Owner>);

impl Owners {
    /// Reads the entries of an object; none when it has none.
    pub(crate) fn of(object: &Value) -> Result<Self, String> {
        Self::parse(object.at("/metadata/managedFields"))
    }

    /// Reads `managedFields`.
    pub(crate) fn parse(entries: &Value) -> Result<Self, String> {
        let mut owners = Self::default();
        for (index, entry) in entries.as_array().into_iter().flatten().enumerate() {
            let operation = match entry.text("/operation") {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err("operation must be `Apply` or `Update`".into()),
            };
            let api_version = entry.text("/apiVersion");
            if api_version.is_empty() {
                return Err("apiVersion must not be empty".into());
            }
            match entry.text("/fieldsType") {
                "FieldsV1" => {}
                "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
                other => {
                    return Err(format!(
                        "invalid fieldsType {other:?} in managed fields entry {index}"
                    ));
                }
            }
            let set =
                FieldSet::parse(entry.at("/fieldsV1")).map_err(|e| format!("error decoding set: {e}"))?;
            let (manager, subresource) = (entry.text("/manager"), entry.text("/subresource"));
            let mut identity = Identity::new(manager, operation, api_version, subresource);
            identity.manager = manager.into();
            owners.put(Owner {
                identity,
                api_version: api_version.into(),
                set,
                time: entry.at("/time").as_str().map(SmolStr::new),
            });
        }
        Ok(owners)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&self, identity: &Identity) -> Option<&Owner> {
        self.0.iter().find(|owner| owner.identity == *identity)
    }

    /// Adds an entry, in the place of one with the same identity.
    pub(crate) fn put(&mut self, owner: Owner) {
        match self.0.iter_mut().find(|other| other.identity == owner.identity) {
            Some(other) => *other = owner,
            None => self.0.push(owner),
        }
    }

    /// Takes the fields in `set` from every owner but `except`; who then owns nothing is gone.
    pub(crate) fn disown(&mut self, set: &FieldSet, except: Option<&Identity>) {
        if !set.is_empty() {
            for owner in self.0.iter_mut().filter(|owner| Some(&owner.identity) != except) {
                owner.set.subtract(set);
            }
        }
        self.0.retain(|owner| !owner.set.is_empty());
    }

    /// Merges the oldest updates of each version into one, until there are not too many.
    pub(crate) fn cap(&mut self) {
        let mut updates: Vec<_> = self
            .0
            .iter()
            .filter(|o| o.identity.operation == Operation::Update)
            .map(|o| o.identity.clone())
            .collect();
        let mut count = updates.len();
        if count <= MAX_UPDATES {
            return;
        }
        updates.sort_by(|a, b| {
            let time = |id| {
                self.find(id)
                    .and_then(|owner| owner.time.clone())
                    .unwrap_or_default()
            };
            time(a).cmp(&time(b)).then_with(|| a.cmp(b))
        });
        let mut first_of: Vec<(SmolStr, Identity)> = Vec::new();
        for identity in updates {
            if count <= MAX_UPDATES {
                break;
            }
            let version = identity.version.clone();
            let Some((_, first)) = first_of.iter().find(|(seen, _)| *seen == version) else {
                first_of.push((version, identity));
                continue;
            };
            let bucket = Identity::new(&ANCIENT, Operation::Update, &version, "");
            if self.find(&bucket).is_none()
                && let Some(owner) = self.0.iter_mut().find(|owner| owner.identity == *first)
            {
                owner.identity = bucket.clone();
            }
            let Some(at) = self.0.iter().position(|owner| owner.identity == identity) else {
                continue;
            };
            let merged = self.0.remove(at);
            if let Some(owner) = self.0.iter_mut().find(|owner| owner.identity == bucket) {
                owner.set = owner.set.union(&merged.set);
                owner.time = merged.time;
            }
            count -= 1;
        }
    }

    /// Writes the entries into an object, sorted; without entries the field goes.
    pub(crate) fn write_to(mut self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        if self.0.is_empty() {
            metadata.remove("managedFields");
            return;
        }
        self.0.sort_by(order);
        metadata.insert("managedFields".into(), self.0.iter().map(encode).collect());
    }
}

/// By operation, then time, then manager, version and subresource.
fn order(a: &Owner, b: &Owner) -> Ordering {
    let key = |owner: &Owner| {
        (
            owner.identity.operation,
            owner.time.clone(),
            owner.identity.manager.clone(),
            owner.api_version.clone(),
        )
    };
    key(a)
        .cmp(&key(b))
        .then_with(|| a.identity.subresource.cmp(&b.identity.subresource))
}

fn encode(owner: &Owner) -> Value {
    let mut entry = Map::new();
    let identity = &owner.identity;
    if !identity.manager.is_empty() {
        entry.insert("manager".into(), identity.manager.as_str().into());
    }
    entry.insert("operation".into(), identity.operation.as_str().into());
    entry.insert("apiVersion".into(), owner.api_version.as_str().into());
    if let Some(time) = &owner.time {
        entry.insert("time".into(), time.as_str().into());
    }
    entry.insert("fieldsType".into(), "FieldsV1".into());
    entry.insert("fieldsV1".into(), owner.set.to_value());
    if !identity.subresource.is_empty() {
        entry.insert("subresource".into(), identity.subresource.as_str().into());
    }
    Value::Object(entry)
}

/// Whether a client asks to forget all owners: `[]`, or one entry without content.
pub(crate) fn is_reset(object: &Value) -> bool {
    match object.at("/metadata/managedFields").as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([one]) => one.as_object().is_some_and(|entry| entry.values().all(is_blank)),
        _ => false,
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Takes out the fields that nobody owns: the identity of the object and what the server keeps in it.
pub(crate) fn strip(set: &mut FieldSet) {
    let metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut strip = FieldSet::of_names(&[&["apiVersion"], &["kind"], &["metadata"]]);
    for name in metadata {
        strip.insert(&[PathElement::field("metadata"), PathElement::field(name)]);
    }
    set.subtract(&strip);
}

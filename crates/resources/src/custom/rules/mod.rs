//! `x-kubernetes-validations`: the rules of a custom resource, compiled when they are first needed and shared by
//! all tenants whose schema is the same.

mod compile;
mod evaluate;
mod message;
mod tree;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use serde_json::Value;
use sha2::{Digest, Sha256};
use warren_apimachinery::value::ValueExt;

pub(crate) use compile::{Compiled, Expressions};
pub(super) use evaluate::evaluate;
pub(super) use tree::Node;

type Hash = [u8; 32];

/// The rules of all schemas in use, by the hash of the schema. An entry whose rules nobody holds any more goes
/// when another is made, so there are at most twice as many as schemas in use.
static SHARED: LazyLock<Mutex<HashMap<Hash, Weak<Node>>>> = LazyLock::new(Mutex::default);

/// The rules of a schema; `None` if it has none.
pub(super) fn shared(schema: &Value) -> Option<Arc<Node>> {
    if !has_rules(schema) {
        return None;
    }
    let hash: Hash = Sha256::digest(schema.to_string().as_bytes()).into();
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(&hash).and_then(Weak::upgrade) {
        return Some(known);
    }
    all.retain(|_, known| known.strong_count() > 0);
    let made = Arc::new(Node::of_root(schema)?);
    all.insert(hash, Arc::downgrade(&made));
    Some(made)
}

/// Whether a schema has rules, at whatever depth.
fn has_rules(schema: &Value) -> bool {
    if !schema.items("/x-kubernetes-validations").is_empty() {
        return true;
    }
    let children = schema.field("properties").as_object().into_iter().flatten();
    let alternatives = schema.items("/allOf").iter();
    children
        .map(|(_, child)| child)
        .chain(alternatives)
        .chain([schema.field("items"), schema.field("additionalProperties")])
        .any(|child| child.is_object() && has_rules(child))
}

#[cfg(test)]
mod tests;
